"""Tests of the house itself: its walls, its wheel, its documents."""
