"""From streams to numbers: folding operations into counts, and reading stored files in a child process."""
