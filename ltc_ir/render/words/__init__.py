"""Records in sentences, the same in every format."""
