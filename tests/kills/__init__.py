"""Commands that are killed at any moment: ``python -m tests.kills --number 300 --update`` writes the result into docs/ci.md."""
