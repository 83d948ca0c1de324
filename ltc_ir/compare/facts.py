"""The facts that a snapshot keeps of a program: made from tables, counted, compared, and what two captures agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from ltc_ir.compare.diff import TableDiff, compare_tables
from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count, LevelCount
from ltc_ir.records.environment import Environment
from ltc_ir.records.figures import figures_of
from ltc_ir.records.op_table import (
    ProgramTables,
    Table,
    facts_of,
    level_count,
    table_of_facts,
    tables_of_snapshot,
)
from ltc_ir.records.request import Request
from ltc_ir.records.signature import Signature
from ltc_ir.records.snapshot import DISAGREED, TWICE, Block, HloFacts, Identity, LevelFacts, Provenance, Snapshot
from ltc_ir.records.vocabulary import By, Level, newer_names

EXPANDED_NOTE = "stablehlo: a snapshot holds each operation once per call path, not as it stands in the text"
_NOT_KEPT = "a snapshot does not keep it; count the program itself"
_GROUPINGS = (By.OP, By.PHASE, By.FUNCTION)
"""The groupings that a snapshot can answer."""

NO_BLOCK: Block = ("", "")
"""The block of operations whose phases and functions are not compared."""

Key = TypeVar("Key", bound=Hashable)


def snapshot_of(
    tables: ProgramTables,
    identity: Identity,
    provenance: Provenance,
    captured: str = TWICE,
    *,
    device: str | None = None,
) -> Snapshot:
    """The snapshot of a program; HLO is kept only where the kind of device it was compiled for is given."""
    levels = {name: facts_of(table) for name, table in tables.levels.items() if name != "hlo"}
    hlo = tables.levels.get("hlo")
    kept = None if hlo is None or device is None else HloFacts(provenance.jaxlib, device, facts_of(hlo))
    return Snapshot(
        tables.target,
        tables.program,
        identity,
        provenance,
        levels,
        hlo=kept,
        captured=captured,
        signature=tables.signature,
    )


def count_snapshot(snapshot: Snapshot, by: Collection[str] = (), where: str = "the snapshot") -> Count:
    """The count that a snapshot holds; at stablehlo each operation once per call path.

    Raises:
        UsageError: a grouping that a snapshot does not keep.
    """
    for grouping in by:
        if grouping not in _GROUPINGS:
            raise UsageError(
                f"{where} was not counted by {grouping}: a snapshot keeps op, phase and function",
                "count the target again",
            )
    tables = tables_of_snapshot(snapshot).levels
    request = Request(by=tuple(map(By, by)))
    return Count(
        target=snapshot.target,
        environment=Environment(
            jax=snapshot.provenance.jax,
            jaxlib=snapshot.provenance.jaxlib,
            platform=snapshot.identity.platform,
            x64=snapshot.identity.x64,
        ),
        programs={
            snapshot.program: {level: _count_level(tables[level], request) for level in Level if level in tables}
        },
        grouped=tuple(by),
        signatures={} if snapshot.signature is None else {snapshot.program: snapshot.signature},
        attribution=snapshot.attribution,
        notes=(EXPANDED_NOTE,) if Level.STABLEHLO in tables else (),
    )


def compare_facts(level: str, baseline: LevelFacts, current: LevelFacts, *, attributed: bool = True) -> TableDiff:
    """Compare a level with its snapshot, under newer names; what either side found unstable is on neither.

    Args:
        level: the level.
        baseline: the facts of the snapshot.
        current: the facts of the program.
        attributed: whether phases and functions are compared; they are not where another attribution told them.
    """
    unstable = {*baseline.unstable, *current.unstable}
    sides = (without(facts, unstable) for facts in (baseline, current))
    before, after = (table_of_facts(level, facts if attributed else _in_one_block(facts)) for facts in sides)
    return compare_tables(before, after, newer_names(level))


def _in_one_block(facts: LevelFacts) -> LevelFacts:
    """The facts without phases and functions."""
    types: Counter[str] = Counter()
    for counts in facts.types.values():
        types.update(counts)
    return replace(facts, ops={NO_BLOCK: facts.totals()}, types={NO_BLOCK[0]: types} if types else {})


def agreed_signature(first: Snapshot, second: Snapshot) -> Signature | None:
    """The signature that two captures of a program agree on; ``None`` where they disagree or lack it."""
    if first.signature is None or second.signature is None:
        return None
    return first.signature if first.signature.stored == second.signature.stored else None


def stable(first: LevelFacts, second: LevelFacts) -> LevelFacts:
    """What two captures agree on; the rest is named as unstable and left out."""
    unstable = {*first.unstable, *second.unstable}
    unstable |= {op_name(block, name) for block, name in _differing(first.ops, second.ops)}
    unstable |= {type_name(phase, name) for phase, name in _differing(first.types, second.types)}
    unstable |= {metric_name(name) for _, name in _differing({"": first.metrics}, {"": second.metrics})}
    if first.fingerprint != second.fingerprint:
        unstable.add("fingerprint")
    structure = first.structure if first.structure == second.structure else None
    reasons = {name: first.reasons.get(name) or second.reasons.get(name) or DISAGREED for name in unstable}
    return without(replace(first, unstable=tuple(sorted(unstable)), structure=structure, reasons=reasons), unstable)


def without(facts: LevelFacts, names: Iterable[str]) -> LevelFacts:
    """The facts except those of these names."""
    left_out = frozenset(names)
    if not left_out:
        return facts
    return replace(
        facts,
        ops=_leave_out(facts.ops, {key for key in _keys(facts.ops) if op_name(*key) in left_out}),
        types=_leave_out(facts.types, {key for key in _keys(facts.types) if type_name(*key) in left_out}),
        metrics={name: value for name, value in facts.metrics.items() if metric_name(name) not in left_out},
        fingerprint=None if "fingerprint" in left_out else facts.fingerprint,
        structure=None if "fingerprint" in left_out else facts.structure,
    )


def op_name(block: Block, name: str) -> str:
    """How an operation count is named among the unstable facts."""
    return f"op|{block[0]}|{block[1]}|{name}"


def type_name(phase: str, name: str) -> str:
    """How a type count is named among the unstable facts."""
    return f"type|{phase}|{name}"


def metric_name(name: str) -> str:
    """How a figure is named among the unstable facts."""
    return f"metric|{name}"


def _count_level(table: Table, request: Request) -> LevelCount:
    names = [figure.group or figure.json_key for figure in figures_of(table.level)]
    reasons = dict.fromkeys((*names, "attributed.source"), _NOT_KEPT)
    count = level_count(replace(table, reasons=reasons), request)
    return replace(count, reasons={name: why for name, why in reasons.items() if getattr(count, name, None) is None})


Counts = Mapping[Key, Mapping[str, int]]


def _keys(counts: Counts[Key]) -> set[tuple[Key, str]]:
    return {(key, name) for key, numbers in counts.items() for name in numbers}


def _differing(first: Counts[Key], second: Counts[Key]) -> set[tuple[Key, str]]:
    return {
        (key, name)
        for key, name in _keys(first) | _keys(second)
        if first.get(key, {}).get(name) != second.get(key, {}).get(name)
    }


def _leave_out(counts: Counts[Key], names: set[tuple[Key, str]]) -> dict[Key, dict[str, int]]:
    kept = {
        key: {name: number for name, number in numbers.items() if (key, name) not in names}
        for key, numbers in counts.items()
    }
    return {key: numbers for key, numbers in kept.items() if numbers}
