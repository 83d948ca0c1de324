"""Random records of every kind, drawn from the types of their fields, so that a new record needs no strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from ltc_ir.records.count import Executed, Group, LevelCount, Tally, figure_keys, make_tally
from ltc_ir.records.diff import LevelDiff
from ltc_ir.records.passes import KINDS as PASS_KINDS
from ltc_ir.records.passes import Passes, PassTime
from ltc_ir.records.serialization import KINDS, record_class
from ltc_ir.records.shape import PLAIN, Share
from ltc_ir.records.sweep import METRICS, SweepPoint
from ltc_ir.records.timing import MORE_STAGES, STAGES, ProgramTiming, Stage
from ltc_ir.records.vocabulary import Level, Phase

CLASSES = [record_class(kind) for kind in KINDS if not KINDS[kind][0].startswith("ltc_ir.lab")]
"""The classes of all kinds of records of the tool."""

WORDS = st.sampled_from(["add", "scan", "m/net.py:3", "é \"'", "(no source)"])
FLOATS = st.floats(0, 1e9).filter(lambda value: value == 0 or value > 1e-9)
METRIC = st.sampled_from([metric.name for metric in METRICS])
LEVEL = st.sampled_from(sorted(level.value for level in Level))
COUNTS = st.dictionaries(WORDS, st.integers(1, 99), min_size=1, max_size=3)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: st.integers(-99, 10**6),
    float: FLOATS,
    bool: st.booleans(),
    NoneType: st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, as annotations write it."""
    arguments, origin = get_args(kind), get_origin(kind)
    if origin is Annotated:
        return st.floats(0, 1) if kind == Share else st.integers(0, 10**6)
    if origin in {Union, UnionType}:
        return st.one_of(*map(values, arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=2)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(*arguments)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    return _PLAIN[kind] if kind in _PLAIN else records(kind)


def _mapping(key: Any, value: Any) -> st.SearchStrategy[Any]:
    """A mapping; where its records hold their key themselves, by that."""
    own = getattr(value, "SHAPE", PLAIN).key
    if own is None:
        return st.dictionaries(values(key), values(value), max_size=2)
    return st.lists(records(value), max_size=2).map(lambda drawn: {getattr(one, own): one for one in drawn})


def records(kind: Any) -> st.SearchStrategy[Any]:
    """Records of a class, or of a part of one."""
    assert is_dataclass(kind) or hasattr(kind, "_fields"), f"no values of {kind}"
    fixed = {"SHAPE"} | ({"kind"} if getattr(kind, "kind", None) in KINDS else set())
    hints = {name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name not in fixed}
    return st.builds(kind, **{name: values(hint) for name, hint in hints.items()} | _SPECIAL.get(kind, {})).map(
        _CONSISTENT.get(kind, lambda drawn: drawn)
    )


def _level(count: LevelCount) -> LevelCount:
    """With the figures of its level alone, and either an executed count or the reason why there is none."""
    figures = {key for level in Level for key in figure_keys(level)} - figure_keys(count.level)
    count = replace(count, **dict.fromkeys(figures & LevelCount.__dataclass_fields__.keys()))
    reasons = {key: why for key, why in count.reasons.items() if key != "executed" or count.executed is None}
    expanded_by = _grouped(count.expanded_by, count.expanded) if count.expanded else None
    return replace(count, reasons=reasons, by=_grouped(count.by, count.tally), expanded_by=expanded_by)


def _grouped(groups: tuple[Group, ...] | None, tally: Tally) -> tuple[Group, ...] | None:
    """Groups that add up to a tally: one for each phase."""
    if groups is None:
        return None
    return tuple(Group(f"{phase}.py:1", make_tally(ops, {phase: ops})) for phase, ops in tally.phases.items())


def _executed(made: Executed) -> Executed:
    return replace(made, by=_grouped(made.by, made.tally))


_SPECIAL: dict[Any, dict[str, st.SearchStrategy[Any]]] = {
    Tally: {
        "ops": COUNTS,
        "phases": st.dictionaries(st.sampled_from([phase.value for phase in Phase]), COUNTS, max_size=3),
    },
    LevelCount: {
        "level": LEVEL,
        "further": st.just({}),
        "reasons": st.dictionaries(st.sampled_from(["executed", "flops"]), WORDS, max_size=2),
    },
    LevelDiff: {"level": LEVEL},
    PassTime: {"path": st.lists(WORDS, min_size=1, max_size=3).map(tuple)},
    Passes: {"kinds": st.dictionaries(st.sampled_from(PASS_KINDS), FLOATS, max_size=3), "timeline": st.just(())},
    SweepPoint: {"metrics": st.dictionaries(METRIC, st.one_of(st.integers(0, 9), FLOATS), max_size=3)},
    ProgramTiming: {
        "stages": st.dictionaries(
            st.sampled_from([*STAGES, *MORE_STAGES]), st.one_of(st.none(), st.deferred(lambda: records(Stage)))
        ).map(lambda stages: {**dict.fromkeys(STAGES), **stages})
    },
}


def _tally(tally: Tally) -> Tally:
    """With operations that its phases partition."""
    return make_tally(sum(map(Counter, tally.phases.values()), Counter()), tally.phases)


_CONSISTENT: dict[Any, Any] = {Tally: _tally, LevelCount: _level, Executed: _executed}
