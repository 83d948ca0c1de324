"""Child processes that run named jobs: knows no job itself."""
