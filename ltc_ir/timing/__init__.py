"""Seconds, passes and memory of the stages of a program."""
