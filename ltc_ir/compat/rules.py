"""JAX's tables of rules by primitive and the primitives themselves, which user code can replace for all that is traced later.

| private name | why | tried on |
|---|---|---|
| the dicts by primitive of the modules below | a replaced rule changes what later targets become | 0.6.2 to 0.12.0 |
| `mlir._platform_specific_lowerings` | one for a platform takes the place of the one for all | 0.6.2 to 0.12.0 |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

_ROOMS = ("interpreters.mlir", "interpreters.ad", "interpreters.batching", "interpreters.partial_eval", "core")


def rule_tables() -> list[tuple[str, Mapping[Any, Any]]]:
    """JAX's tables of rules, each with what it is called: their keys are primitives."""
    tables = list(_tables())
    lowerings = getattr(import_module("jax._src.interpreters.mlir"), "_platform_specific_lowerings", {})
    return [*tables, *((f"jax's lowerings for {platform}", table) for platform, table in lowerings.items())]


def _tables() -> Iterator[tuple[str, Mapping[Any, Any]]]:
    from jax.extend.core import Primitive

    for room in _ROOMS:
        for name, value in vars(import_module(f"jax._src.{room}")).items():
            if type(value) is dict and value and all(isinstance(key, Primitive) for key in value):
                yield f"jax's {room.rpartition('.')[2]}.{name}", value


def primitives(tables: list[tuple[str, Mapping[Any, Any]]]) -> list[Any]:
    """The primitives that have a rule."""
    return list(dict.fromkeys(key for _, table in tables for key in table))
