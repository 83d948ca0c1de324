"""What stands in a rule's brackets: types (``int8,int8->int32``), attributes (``attribute=True``) or a kernel's name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ltc_ir.records.element_types import element, is_of
from ltc_ir.records.inventory import Entry

TARGETS = frozenset({"target", "kernel_name"})
"""Attributes that name what a custom call calls."""
_NAMES = TARGETS | {"name"}
"""Those, and the name that a kernel or an inner jit was given."""


@dataclass(frozen=True)
class Filter:
    """Which of the operations of a name are meant, e.g. ``Filter("f32->f64", operands=("f32",), results=("f64",))``.

    ``some`` is a type that any result has; ``attributes`` are names with values; ``kernel`` a custom call's target.
    """

    text: str
    some: str | None = None
    operands: tuple[str, ...] | None = None
    results: tuple[str, ...] | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    kernel: str | None = None

    @property
    def needs_detail(self) -> bool:
        """Whether it asks what only a detailed inventory knows."""
        return self.operands is not None or bool(self.attributes) or self.kernel is not None

    def admits(self, entry: Entry) -> bool:
        """Whether these operations are meant."""
        if self.kernel is not None:
            return any(name in _NAMES and value == self.kernel for name, value in entry.attributes)
        if self.attributes:
            held = {(name, plain_value(value)) for name, value in entry.attributes}
            return all(pair in held for pair in self.attributes)
        if self.some is not None:
            return any(is_of(found, self.some) for found in entry.results)
        return _are(entry.operands, self.operands) and _are(entry.results, self.results)


def plain_value(text: str) -> str:
    """An attribute's value as it is compared: without quotes and MLIR's type behind it, truth in one spelling."""
    bare = re.sub(r"\s+:\s+\w+$", "", text.strip()).strip("\"'")
    return bare.lower() if bare.lower() in {"true", "false"} else bare


def calls(entry: Entry, kernel: str) -> bool:
    """Whether these operations are calls of that kernel, ``-`` as ``_``."""
    return any(name in TARGETS and value.replace("-", "_") == kernel for name, value in entry.attributes)


def is_named(entry: Entry) -> bool:
    """Whether these operations bear a name that a filter could ask for."""
    return any(name in _NAMES for name, _ in entry.attributes)


def parse_filter(text: str) -> Filter:
    """The filter of what stands between the brackets.

    Raises:
        ValueError: it is none; the message says what is wrong with it.
    """
    inner = text.strip()
    if not inner:
        raise ValueError("has nothing in its brackets")
    if "=" in inner:
        return Filter(inner, attributes=tuple(_attribute(part) for part in inner.split(",")))
    if "->" in inner:
        before, _, after = inner.partition("->")
        operands, results = _types(before), _types(after)
        if not operands and not results:
            raise ValueError("names no type beside its arrow")
        return Filter(inner, operands=operands or None, results=results or None)
    if "," in inner:
        return Filter(inner, operands=_types(inner))
    found = element(inner)
    return Filter(inner, kernel=inner) if found is None else Filter(inner, some=found)


def _types(text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    found = []
    for word in text.split(","):
        spelled = element(word)
        if spelled is None:
            raise ValueError(f"has {word.strip()!r}, which is no type, among its types")
        found.append(spelled)
    return tuple(found)


def _attribute(part: str) -> tuple[str, str]:
    name, equals, value = (piece.strip() for piece in part.partition("="))
    if not (name and equals and value):
        raise ValueError(f"has {part.strip()!r} where an attribute and its value belong")
    return name, plain_value(value)


def _are(found: tuple[str, ...], wanted: tuple[str, ...] | None) -> bool:
    if wanted is None:
        return True
    return len(found) == len(wanted) and all(map(is_of, found, wanted))
