"""Records and texts set against each other: pure functions of what was measured. Imports no JAX."""
