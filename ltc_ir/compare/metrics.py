"""The figures of a level that are no operation counts, each under one name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from ltc_ir.records.count import LevelCount
from ltc_ir.records.diff import Figure

_PLAIN = ("lines", "bytes", "private_functions")
_HLO = ("fusions", "flops", "bytes_accessed")

Figures = dict[str, Figure]


def figures(made: LevelCount) -> Figures:
    """The figures a level has by its nature, in reading order; ``None`` where one could not be had."""
    found = _BY_LEVEL.get(made.level, _common)(made)
    return {name: _finite(value) for name, value in found.items()}


def reason(made: LevelCount, name: str) -> str:
    """Why a figure is ``None``."""
    for key in (name, name.partition(".")[0]):
        if key in made.reasons:
            return made.reasons[key]
    return "this side does not have the figure"


def _common(made: LevelCount) -> Figures:
    return {"max_depth": made.max_depth}


def _stablehlo(made: LevelCount) -> Figures:
    constants = made.constants or {}
    return {
        **{name: getattr(made, name) for name in _PLAIN},
        "constants.bytes": constants.get("bytes"),
        "constants.embedded.bytes": constants.get("embedded_bytes"),
        "expanded.total": None if made.expanded is None else made.expanded.total,
        **_common(made),
    }


def _hlo(made: LevelCount) -> Figures:
    return {
        **{name: getattr(made, name) for name in _HLO},
        **_memory(made.memory),
        **_collectives(made.collectives),
        **_common(made),
    }


def _memory(memory: Mapping[str, int] | None) -> Figures:
    return {"memory": None} if memory is None else {f"memory.{name}": value for name, value in sorted(memory.items())}


def _collectives(collectives: Mapping[str, Mapping[str, int | None]] | None) -> Figures:
    """All of them, and each kind, with result bytes on one device."""
    if collectives is None:
        return {"collectives": None, "collectives.bytes": None}
    made: Figures = {name: _sum(row.get(key) for row in collectives.values()) for name, key in _TOTALS.items()}
    for kind, row in sorted(collectives.items()):
        made |= {f"collectives.{kind}": row.get("count"), f"collectives.{kind}.bytes": row.get("bytes")}
    return made


_TOTALS = {"collectives": "count", "collectives.bytes": "bytes"}


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(value or 0 for value in known)


def _finite(value: Figure) -> Figure:
    return None if isinstance(value, float) and not math.isfinite(value) else value


_BY_LEVEL: Mapping[str, Callable[[LevelCount], Figures]] = {"stablehlo": _stablehlo, "hlo": _hlo}
