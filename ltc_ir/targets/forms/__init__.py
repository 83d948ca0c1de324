"""Opens what users hold, such as methods, transformed functions and objects, into a function and arguments that JAX traces."""
