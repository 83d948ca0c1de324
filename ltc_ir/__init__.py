"""ltc-ir: the IR of a JAX function, counted and attributed."""
