"""One module per command; each gathers its options, calls one public verb and emits what a renderer made of it."""
