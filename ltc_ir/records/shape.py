"""How the JSON of a record differs from its fields, declared next to them; `serialization` carries it out.

A record is a frozen dataclass. Its JSON has a key for each field, unless the class declares a `Shape` as ``SHAPE``, or
reshapes its data in a pair of methods::

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]: ...
    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]: ...

Both may change and return ``data``. ``to_json`` gets what the fields and the shape give; ``from_json`` returns what they
take. It runs before types are checked: what it raises for wrong types is reported as a damaged record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any


@dataclass(frozen=True)
class Check:
    """What a value must be beyond its type, as ``Annotated[int, Check(...)]``: in words for a message, and as a test."""

    expected: str
    holds: Callable[[Any], object]


Natural = Annotated[int, Check("an integer of at least 0", lambda value: type(value) is int and value >= 0)]
"""A count: an integer of at least 0. A field of this type, or a mapping to it, is read no other way."""

Measure = Annotated[
    int | float,
    Check(
        "a finite number of at least 0",
        lambda value: type(value) in {int, float} and value >= 0 and math.isfinite(value),
    ),
]
"""A figure that is no less than 0 and known: a bound on another says nothing."""

Share = Annotated[
    int | float, Check("a share from 0 to 1", lambda value: type(value) in {int, float} and 0 <= value <= 1)
]

Number = int | float
"""A figure that may be whole: read back as it was written, where ``float`` would read 16 as 16.0."""


@dataclass(frozen=True)
class Shape:
    """The differences between a record's fields and its JSON.

    Args:
        derived: properties that are written for scripts, and not read: they follow from the fields.
        optional: fields that are left out where they have their default.
        spread: a field whose own keys appear among those of the record.
        key: a field that is the record's key in the mapping that holds it, and so is not repeated.
        renamed: the names of keys that are not those of their fields.
    """

    derived: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    spread: str | None = None
    key: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


class UnfitError(ValueError):
    """That fields of a record do not fit together, in words; `from_json` raises it."""


PLAIN = Shape()
"""The shape of a class that declares none."""


def finite(value: Any) -> Any:
    """A figure as JSON can hold it: ``None`` for an infinite one or none at all."""
    return value if value is None or math.isfinite(value) else None
