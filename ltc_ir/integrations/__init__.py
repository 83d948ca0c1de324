"""Where other tools meet this one: the pytest plugin, and the verbs as notebooks use them."""
