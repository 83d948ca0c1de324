"""The formats of stored snapshots by name: what each is of, what made it, its facts by level and phase, what was accepted."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ltc_ir.records.codec import SCHEMA, dumps
from ltc_ir.records.snapshot import LevelFacts, Snapshot
from ltc_ir.records.vocabulary import Phase
from ltc_ir.render.layouts.count import Cell, Sheet
from ltc_ir.render.markdown import to_markdown
from ltc_ir.render.words.check import level_name
from ltc_ir.render.words.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]

_OPERATIONS = 10
"""Operations of a level that a table shows; JSON and CSV have them all."""
_COLUMNS = ("target", "program", "level", "view", "phase", "function", "name", "count")


def stored_rows(stored: Sequence[Any]) -> list[dict[str, str]]:
    """A row per file of a store, of what a listing says of it; a column of problems only where there is one."""
    problems = any(one.problem for one in stored)
    return [_stored_row(one) | ({"problem": plain(one.problem or "")} if problems else {}) for one in stored]


def _stored_row(one: Any) -> dict[str, str]:
    return {
        "target": plain(one.target),
        "program": plain(one.program),
        "jax": plain(one.jax),
        "platform": plain(one.platform) + (" x64" if one.x64 else ""),
        "operations": ", ".join(f"{level_name(level)} {total:,}" for level, total in one.totals.items()),
        "captured": plain(one.captured),
        "accepted": str(one.accepted or ""),
        "file": plain(one.file),
    }


def pruned_rows(pruned: Iterable[Any]) -> list[dict[str, str]]:
    """A row per file that is of no more use."""
    return [
        {"file": plain(one.file), "removed": "yes" if one.removed else "no", "reason": plain(one.reason)}
        for one in pruned
    ]


def snapshot_sheets(snapshot: Snapshot) -> list[Sheet]:
    """A snapshot as sheets: what it is of, then a level at a time, then what was accepted."""
    name = f"{plain(snapshot.target)} {plain(snapshot.program)}"
    sheets = [Sheet(name, ("", "recorded"), tuple(_about(snapshot)), text=True)]
    sheets += [_level_sheet(f"{name}: {level_name(level)}", facts) for level, facts in _levels(snapshot)]
    accepted = tuple((plain(one.reason), "; ".join(map(plain, one.growth))) for one in snapshot.accepted)
    return [*sheets, Sheet(f"{name}: accepted", ("reason", "growth"), accepted, text=True)] if accepted else sheets


def _levels(snapshot: Snapshot) -> list[tuple[str, LevelFacts]]:
    return [*snapshot.levels.items(), *([("hlo", snapshot.hlo.facts)] if snapshot.hlo else [])]


def _about(snapshot: Snapshot) -> Iterator[tuple[Cell, ...]]:
    identity, provenance = snapshot.identity, snapshot.provenance
    yield "arguments", plain(identity.arguments) or "(none said)"
    yield "JAX", f"{identity.jax} (recorded with jax {provenance.jax}, jaxlib {provenance.jaxlib})"
    yield "platform", f"{identity.platform}, {identity.devices} device{'s' * (identity.devices != 1)}"
    yield "x64", "on" if identity.x64 else "off"
    for option, value in identity.config.items():
        yield plain(option), plain(value)
    yield "declaration", plain(identity.declaration)
    yield "captured", plain(snapshot.captured)
    if snapshot.hlo:
        yield "optimised HLO", f"jaxlib {snapshot.hlo.jaxlib}, {plain(snapshot.hlo.device)}"


def _level_sheet(title: str, facts: LevelFacts) -> Sheet:
    totals = sorted(facts.totals().items(), key=lambda item: (-item[1], item[0]))
    split = _by_phase(facts)
    phases = [phase.value for phase in Phase if split.get(phase.value)]
    phases += sorted(split.keys() - set(phases))
    rows: list[tuple[Cell, ...]] = [("total", facts.total, *(sum(split[phase].values()) for phase in phases))]
    rows += [(plain(op), number, *(split[phase].get(op) for phase in phases)) for op, number in totals[:_OPERATIONS]]
    left = len(totals) - _OPERATIONS
    notes = [f"{left} more operations not shown"] if left > 0 else []
    notes += [f"{name}: {number:,}" for name, number in sorted(facts.metrics.items())]
    notes += [f"not held, two captures disagree: {plain(fact)}" for fact in facts.unstable]
    return Sheet(title, ("op", "count", *phases), tuple(rows), tuple(notes), frozenset({1}))


def _by_phase(facts: LevelFacts) -> dict[str, Counter[str]]:
    split: dict[str, Counter[str]] = {}
    for (phase, _), counts in facts.ops.items():
        split.setdefault(phase, Counter()).update(counts)
    return split


def snapshot_to_dict(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot's facts as JSON holds them: operations by phase, then function."""
    hlo = snapshot.hlo
    return {
        "target": snapshot.target,
        "program": snapshot.program,
        "identity": {**vars(snapshot.identity), "config": dict(snapshot.identity.config)},
        "provenance": vars(snapshot.provenance).copy(),
        "levels": {level: _facts_to_dict(facts) for level, facts in snapshot.levels.items()},
        "hlo": None if hlo is None else {"jaxlib": hlo.jaxlib, "device": hlo.device, **_facts_to_dict(hlo.facts)},
        "accepted": [{"reason": one.reason, "growth": list(one.growth)} for one in snapshot.accepted],
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


def _to_csv(snapshots: Sequence[Snapshot]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in snapshots:
        for level, facts in _levels(one):
            writer.writerows((one.target, one.program, level, *row) for row in _rows(facts))
    return text.getvalue()


def _rows(facts: LevelFacts) -> Iterator[tuple[object, ...]]:
    for (phase, function), counts in facts.ops.items():
        yield from (("op", phase, function, name, number) for name, number in counts.items())
    for phase, counts in facts.types.items():
        yield from (("type", phase, "", name, number) for name, number in counts.items())
    yield from (("metric", "", "", name, number) for name, number in facts.metrics.items())


def _to_table(snapshots: Sequence[Snapshot]) -> list[RenderableType]:
    from ltc_ir.render.table import to_table

    return [to_table(sheet) for one in snapshots for sheet in snapshot_sheets(one)]


def _to_json(snapshots: Sequence[Snapshot]) -> str:
    return dumps({"schema": SCHEMA, "kind": "snapshots", "snapshots": [snapshot_to_dict(one) for one in snapshots]})


SNAPSHOT_FORMATS: dict[str, Callable[[Sequence[Snapshot]], Rendered]] = {
    "table": _to_table,
    "json": _to_json,
    "csv": _to_csv,
    "markdown": lambda snapshots: to_markdown(sheet for one in snapshots for sheet in snapshot_sheets(one)),
}
"""How stored snapshots can be shown."""
