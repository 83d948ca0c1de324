"""Holds the published specimen apart from the tool, of which it is a user like any other."""
