"""Mutants of everything that is read from outside: how each ends, and whether what is accepted is counted right."""
