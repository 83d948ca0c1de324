"""Lays out stored snapshots: what each is of, what made it, its figures by level and phase, what was accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ltc_ir.records.serialization import SCHEMA
from ltc_ir.records.snapshot import LevelFacts, Snapshot
from ltc_ir.records.vocabulary import Phase
from ltc_ir.render.sheet import Row, Sheet
from ltc_ir.render.words.check import level_name

_OPERATIONS = 10
"""Operations of a level that a table shows; JSON and CSV have them all."""
COLUMNS = ("target", "program", "level", "view", "phase", "function", "name", "count")


def snapshots_sheets(snapshots: Sequence[Snapshot]) -> list[Sheet]:
    """The sheets of each snapshot: what it is of, then one per level, then what was accepted."""
    return [sheet for snapshot in snapshots for sheet in _sheets(snapshot)]


def _sheets(snapshot: Snapshot) -> list[Sheet]:
    name = f"{snapshot.target} {snapshot.program}"
    sheets = [Sheet(name, ("", "recorded"), tuple(_about(snapshot)), text_columns=None)]
    sheets += [_level_sheet(f"{name}: {level_name(level)}", facts) for level, facts in _levels(snapshot)]
    accepted = tuple((acceptance.reason, "; ".join(acceptance.growth)) for acceptance in snapshot.accepted)
    return (
        [*sheets, Sheet(f"{name}: accepted", ("reason", "growth"), accepted, text_columns=None)] if accepted else sheets
    )


def _levels(snapshot: Snapshot) -> list[tuple[str, LevelFacts]]:
    return [*snapshot.levels.items(), *([("hlo", snapshot.hlo.facts)] if snapshot.hlo else [])]


def _about(snapshot: Snapshot) -> Iterator[Row]:
    identity, provenance = snapshot.identity, snapshot.provenance
    yield "arguments", identity.arguments or "(none said)"
    yield "JAX", f"{identity.jax} (recorded with jax {provenance.jax}, jaxlib {provenance.jaxlib})"
    yield "platform", f"{identity.platform}, {identity.devices} device{'s' * (identity.devices != 1)}"
    yield "x64", "on" if identity.x64 else "off"
    yield from identity.config.items()
    yield "declaration", identity.declaration
    yield "captured", snapshot.captured
    if snapshot.hlo:
        yield "optimised HLO", f"jaxlib {snapshot.hlo.jaxlib}, {snapshot.hlo.device}"


def _level_sheet(title: str, facts: LevelFacts) -> Sheet:
    totals = sorted(facts.totals().items(), key=lambda item: (-item[1], item[0]))
    split = _by_phase(facts)
    phases = [phase.value for phase in Phase if split.get(phase.value)]
    phases += sorted(split.keys() - set(phases))
    rows: list[Row] = [("total", facts.total, *(sum(split[phase].values()) for phase in phases))]
    rows += [(op, number, *(split[phase].get(op) for phase in phases)) for op, number in totals[:_OPERATIONS]]
    left = len(totals) - _OPERATIONS
    notes = [f"{left} more operations not shown"] if left > 0 else []
    notes += [f"{name}: {number:,}" for name, number in sorted(facts.metrics.items())]
    notes += [f"not held, two captures disagree: {fact}" for fact in facts.unstable]
    return Sheet(title, ("op", "count", *phases), tuple(rows), tuple(notes), frozenset({1}))


def _by_phase(facts: LevelFacts) -> dict[str, Counter[str]]:
    split: dict[str, Counter[str]] = {}
    for (phase, _), counts in facts.ops.items():
        split.setdefault(phase, Counter()).update(counts)
    return split


def snapshots_to_dict(snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """Snapshots as JSON holds them: operations by phase, then function."""
    return {"schema": SCHEMA, "kind": "snapshots", "snapshots": [_snapshot_to_dict(snapshot) for snapshot in snapshots]}


def _snapshot_to_dict(snapshot: Snapshot) -> dict[str, Any]:
    hlo = snapshot.hlo
    return {
        "target": snapshot.target,
        "program": snapshot.program,
        "identity": {**vars(snapshot.identity), "config": dict(snapshot.identity.config)},
        "provenance": vars(snapshot.provenance).copy(),
        "levels": {level: _facts_to_dict(facts) for level, facts in snapshot.levels.items()},
        "hlo": None if hlo is None else {"jaxlib": hlo.jaxlib, "device": hlo.device, **_facts_to_dict(hlo.facts)},
        "accepted": [
            {"reason": acceptance.reason, "growth": list(acceptance.growth)} for acceptance in snapshot.accepted
        ],
        "captured": snapshot.captured,
    }


def _facts_to_dict(facts: LevelFacts) -> dict[str, Any]:
    ops: dict[str, dict[str, dict[str, int]]] = {}
    for (phase, function), counts in facts.ops.items():
        ops.setdefault(phase, {})[function] = dict(counts)
    return {
        "total": facts.total,
        "ops": ops,
        "types": {phase: dict(counts) for phase, counts in facts.types.items()},
        "metrics": dict(facts.metrics),
        "fingerprint": facts.fingerprint,
        "unstable": list(facts.unstable),
    }


def snapshots_rows(snapshots: Sequence[Snapshot]) -> Iterator[Row]:
    """CSV: a row per operation, type and metric of every level."""
    yield COLUMNS
    for snapshot in snapshots:
        for level, facts in _levels(snapshot):
            yield from ((snapshot.target, snapshot.program, level, *row) for row in _rows(facts))


def _rows(facts: LevelFacts) -> Iterator[Row]:
    for (phase, function), counts in facts.ops.items():
        yield from (("op", phase, function, name, number) for name, number in counts.items())
    for phase, counts in facts.types.items():
        yield from (("type", phase, "", name, number) for name, number in counts.items())
    yield from (("metric", "", "", name, number) for name, number in facts.metrics.items())
