"""What a text is to `texts`: lines with holes, and in each hole a name that stands for itself alone.

Two lines are of one shape when they are equal but for their holes; which names correspond is then a question of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HOLE = "\0"


@dataclass
class Lexed:
    """A text as shapes: per line its shape and the names in its holes, and per name what is printed for it."""

    shapes: list[str] = field(default_factory=list)
    names: list[tuple[int, ...]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)

    def fresh(self, shown: str, base: str = "") -> int:
        """A name of its own, printed so; ``base`` is what the shape has of it."""
        self.shown.append(shown)
        self.bases.append(base)
        return len(self.shown) - 1

    def add(self, shape: str, names: tuple[int, ...] | list[int]) -> None:
        """One more line."""
        self.shapes.append(shape)
        self.names.append(tuple(names))

    def lines(self, shown: list[str] | None = None) -> list[str]:
        """The lines as printed, with other names where given."""
        words = self.shown if shown is None else shown
        return [
            filled(shape, [words[name] for name in names]) for shape, names in zip(self.shapes, self.names, strict=True)
        ]


def filled(shape: str, words: list[str]) -> str:
    """A shape with its holes filled."""
    if not words:
        return shape
    parts = shape.split(HOLE)
    return "".join([part for pair in zip(parts, words, strict=False) for part in pair]) + parts[-1]


@dataclass
class Symbols:
    """Names that share a base, numbered by first use: the hole holds the number, the shape keeps the base."""

    lexed: Lexed
    separator: str
    known: dict[str, int] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)

    def of(self, name: str, base: str) -> int:
        """The name's identity."""
        found = self.known.get(name)
        if found is None:
            number = self.bases.get(base, 0)
            self.bases[base] = number + 1
            found = self.known[name] = self.lexed.fresh(f"{self.separator}{number}" if number else "", base)
        return found
