"""Pictures of the experiments of the publication."""
