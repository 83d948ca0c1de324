"""The guard: the store of snapshots, and live programs captured, compared with it and recorded."""
