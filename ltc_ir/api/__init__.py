"""The verbs: each takes a target or a file, makes a Request and returns a record. Nothing below imports them."""
