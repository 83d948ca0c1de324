"""Records laid out as titled rows and columns, one module per record."""
