"""Sweeps: sizes of a target, fits of growth, and the commands that follow a figure over a size."""
