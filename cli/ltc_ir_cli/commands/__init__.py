"""One module per command: it gathers its options, calls one verb and emits what was rendered."""
