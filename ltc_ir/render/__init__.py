"""From records to text: renderers return text or renderables and touch nothing; `formats` names them."""
