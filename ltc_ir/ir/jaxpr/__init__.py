"""Reads a jaxpr as a stream of operations."""
