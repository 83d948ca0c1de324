"""Where targets are timed: in this process, or by name in one of their own that may hang, fail or run out of memory."""
