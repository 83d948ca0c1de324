"""Reads optimised HLO text as a stream of operations."""
