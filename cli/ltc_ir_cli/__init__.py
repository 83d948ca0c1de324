"""The command line over ltc_ir."""
