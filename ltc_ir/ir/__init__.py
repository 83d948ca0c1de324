"""The three readers, each from one level of IR to the same stream of operations."""
