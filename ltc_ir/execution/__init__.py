"""How often operations run: by trip counts in the text, or counted in a run."""
