"""A snapshot as a Count, so that one can stand wherever a target does: counted, grouped by function, compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.count import EXPANDED, Count, Group, LevelCount, Tally, make_tally
from ltc_ir.records.environment import Environment
from ltc_ir.records.snapshot import LevelFacts, Snapshot
from ltc_ir.records.vocabulary import By, Level, Phase

EXPANDED_NOTE = "stablehlo: a snapshot holds each operation once per call path, not as it stands in the text"
_NOT_KEPT = "a snapshot does not keep it; count the program itself"

Fact = tuple[str, str, str, int]
"""A phase, a function, an operation's name, and how many there are."""

_KEYS: Mapping[str, Callable[[Fact], str]] = {
    By.OP: lambda fact: fact[2],
    By.PHASE: lambda fact: fact[0],
    By.FUNCTION: lambda fact: fact[1],
}
"""The groupings a snapshot can answer, each with its key; several are joined with `` | ``, as in any count."""


def count_of(snapshot: Snapshot, by: Collection[str] = (), where: str = "the snapshot") -> Count:
    """The count that a snapshot holds; at stablehlo each operation once per call path.

    Raises:
        UsageError: a grouping that a snapshot does not keep.
    """
    for one in by:
        if one not in _KEYS:
            raise UsageError(
                f"{where} was not counted by {one}: a snapshot keeps op, phase and function", "count the target again"
            )
    levels = {level.value: facts for level in Level if (facts := snapshot.levels.get(level.value)) is not None}
    if snapshot.hlo is not None:
        levels[Level.HLO.value] = snapshot.hlo.facts
    return Count(
        target=snapshot.target,
        environment=Environment(
            jax=snapshot.provenance.jax,
            jaxlib=snapshot.provenance.jaxlib,
            platform=snapshot.identity.platform,
            x64=snapshot.identity.x64,
        ),
        programs={snapshot.program: {level: _level(level, facts, by) for level, facts in levels.items()}},
        grouped=tuple(by),
        notes=(EXPANDED_NOTE,) if Level.STABLEHLO in levels else (),
    )


def _level(level: str, facts: LevelFacts, by: Collection[str]) -> LevelCount:
    tally, groups = _tally(_flat(facts)), _groups(facts, by) if by else None
    fields = _FIELDS[level](facts.metrics)
    reasons = {name: _NOT_KEPT for name, value in fields.items() if value is None}
    if level == Level.STABLEHLO:
        fields |= {"expanded": tally, "expanded_by": groups, "basis": EXPANDED}
    return LevelCount(
        level=level,
        tally=tally,
        attributed={"phase": _attributed(tally), "source": None},
        by=groups,
        reasons={**reasons, "attributed.source": _NOT_KEPT},
        **fields,
    )


def _of_jaxpr(metrics: Mapping[str, int]) -> dict[str, Any]:
    return {"max_depth": metrics.get("max_depth")}


def _of_stablehlo(metrics: Mapping[str, int]) -> dict[str, Any]:
    constants = {"bytes": metrics.get("constants.bytes"), "embedded_bytes": metrics.get("constants.embedded.bytes")}
    plain = {name: metrics.get(name) for name in ("max_depth", "lines", "bytes", "private_functions")}
    return {**plain, "constants": constants if any(value is not None for value in constants.values()) else None}


def _of_hlo(metrics: Mapping[str, int]) -> dict[str, Any]:
    memory = {key.removeprefix("memory."): value for key, value in metrics.items() if key.startswith("memory.")}
    plain = {name: metrics.get(name) for name in ("max_depth", "fusions", "flops", "bytes_accessed")}
    return {**plain, "memory": memory or None, "collectives": None}


_FIELDS: Mapping[str, Callable[[Mapping[str, int]], dict[str, Any]]] = {
    Level.JAXPR: _of_jaxpr,
    Level.STABLEHLO: _of_stablehlo,
    Level.HLO: _of_hlo,
}


def _flat(facts: LevelFacts) -> Iterator[Fact]:
    for (phase, function), ops in facts.ops.items():
        for name, number in ops.items():
            yield phase, function, name, number


def _tally(facts: Collection[Fact] | Iterator[Fact]) -> Tally:
    total: Counter[str] = Counter()
    phases: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for phase, _, name, number in facts:
        total[name] += number
        phases[phase][name] += number
    return make_tally(total, phases)


def _groups(facts: LevelFacts, by: Collection[str]) -> tuple[Group, ...]:
    """The ``by`` list, largest first, ties by key."""
    parts: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in _flat(facts):
        parts[" | ".join(_KEYS[one](fact) for one in by)].append(fact)
    made = [Group(key, _tally(part)) for key, part in parts.items()]
    return tuple(sorted(made, key=lambda group: (-group.tally.total, group.key)))


def _attributed(tally: Tally) -> float:
    unknown = tally.phase_total(Phase.UNATTRIBUTED)
    return 1.0 if not unknown else min(round((tally.total - unknown) / tally.total, 6), 0.999999)
