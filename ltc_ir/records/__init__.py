"""Plain data between measuring and showing: frozen records, their vocabulary and their JSON. Imports no JAX."""
