"""The strict readers of JSON and TOML."""
