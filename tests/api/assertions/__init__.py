"""Assertions on a function's IR: what holds passes, what is broken says what, by how much and where."""
