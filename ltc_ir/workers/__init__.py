"""Runs functions by name in processes that may hang, fill the memory or die; knows none of them itself."""
