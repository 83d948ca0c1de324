"""Where other tools meet this one: the pytest plugin."""
