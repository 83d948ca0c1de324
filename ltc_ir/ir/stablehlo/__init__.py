"""Reads a StableHLO module as a stream of operations."""
