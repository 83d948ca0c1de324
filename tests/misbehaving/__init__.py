"""Targets that misbehave, what every command makes of each, and the command that runs the whole table."""
