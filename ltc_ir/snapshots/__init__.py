"""Snapshots as files: where each lies, how it is laid out for review, and reading and writing them whole. Imports no JAX."""
