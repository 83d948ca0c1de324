"""From a stream of operations to a Table: one builder for live programs and for stored files."""
