"""Tests of the room that turns a name into a program."""
