"""Two tables, counts or texts compared: pure functions. Imports no JAX."""
