"""The figure a rule bounds, in the tables of a program and in its snapshot; what is unknown is an error, never a number."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ltc_ir.compare.facts import metric_name, without
from ltc_ir.compare.signature import compare_signatures, wider
from ltc_ir.errors import NotComparableError, UsageError
from ltc_ir.records.figures import FIGURES
from ltc_ir.records.op_table import ProgramTables, Row, Table, Weights, facts_of, table_of_facts
from ltc_ir.records.signature import ATTRIBUTION
from ltc_ir.records.snapshot import Block, LevelFacts, Snapshot
from ltc_ir.records.vocabulary import Phase
from ltc_ir.rules.grammar import COUNTED, Selector
from ltc_ir.rules.locate import count_blocks
from ltc_ir.rules.names import Meaning, resolve_name, selects

_UPDATE = "record it with ltc-ir snapshot update"


class Measured(NamedTuple):
    """A figure of one program: its value, the rows it counts, and where it was looked for.

    ``unplaced`` is what would be added if every operation whose phase the IR does not tell were of the phase asked for.
    """

    value: float
    rows: Weights
    meaning: Meaning
    unplaced: float = 0


class Stepped(NamedTuple):
    """A figure on both sides of a step, by how much each block of its operations changed, and what is unplaced grew."""

    before: float
    after: float
    moves: Mapping[Block, int]
    unplaced: float = 0


def measure(selector: Selector, tables: ProgramTables, among: Collection[ProgramTables] = ()) -> Measured:
    """The figure a selector means.

    Args:
        selector: which figure.
        tables: the program.
        among: the programs in which the name is resolved; this one alone where there are none.

    Raises:
        UsageError: no level knows the name, the level was not read, or the figure is not known.
    """
    meaning = resolve_name(selector, among or (tables,))
    table = level_of(tables, meaning.level)
    if _is_figure(selector):
        return Measured(_figure(selector.name, table, tables), {}, meaning)
    _check_read(selector, tables)
    rows = select_rows(selector, meaning, table)
    counted, unplaced = in_phase(rows, selector), unplaced_rows(rows, selector)
    unplaced_value = _sum(unplaced, selector, Phase.UNATTRIBUTED)
    return Measured(_sum(counted, selector, selector.phase), counted, meaning, unplaced_value)


def _check_read(selector: Selector, tables: ProgramTables) -> None:
    """Refuse a filter that asks for what was not read of these operations: it would admit none of them."""
    wanted = selector.filter
    if wanted is None or ((tables.detailed or not wanted.needs_detail) and (tables.typed or not wanted.needs_types)):
        return
    what = "types" if wanted.needs_types else "attributes"
    raise UsageError(
        f"the {what} behind {selector.label} are not known: a record or a snapshot does not keep them"
        if not tables.typed
        else f"the {what} behind {selector.label} were not read",
        "judge the rule on the target, or on a file of its IR",
    )


def measure_step(selector: Selector, meaning: Meaning, tables: ProgramTables, baseline: Snapshot) -> Stepped:
    """A figure in the snapshot and now; what the snapshot marks as unstable counts on neither side.

    Raises:
        UsageError: the snapshot does not have it.
        NotComparableError: an older version recorded the snapshot, and the next update records it.
    """
    stored = baseline.levels.get(meaning.level)
    if stored is None:
        raise UsageError(f"the snapshot of {tables.program} has no {meaning.level}", "record it anew")
    if meaning.is_kernel:
        raise UsageError(f"a snapshot does not keep which kernel is called, so {selector.name} has no step", "bound it")
    if selector.name == "types":
        return Stepped(0, _wider(tables, baseline), {})
    if selector.phase is not None and baseline.attribution != ATTRIBUTION:
        raise NotComparableError(
            f"the snapshot of {tables.target} {tables.program} has the phases of {_another(baseline)}: not judged",
            "record the phases of today with ltc-ir snapshot update",
        )
    facts = without(facts_of(level_of(tables, meaning.level)), stored.unstable)
    if _is_figure(selector):
        return Stepped(_kept(selector.name, stored, stored), _kept(selector.name, facts, stored), {})
    sides = [select_rows(selector, meaning, table_of_facts(meaning.level, side)) for side in (stored, facts)]
    before, after = (in_phase(rows, selector) for rows in sides)
    unplaced = [sum(unplaced_rows(rows, selector).values()) for rows in sides]
    moves = count_blocks(after)
    moves.subtract(count_blocks(before))
    return Stepped(sum(before.values()), sum(after.values()), moves, max(0, unplaced[1] - unplaced[0]))


def _another(baseline: Snapshot) -> str:
    return "a newer ltc-ir" if baseline.attribution > ATTRIBUTION else "an older attribution"


def select_rows(selector: Selector, meaning: Meaning, table: Table) -> Weights:
    """The rows that a selector means, whatever their phase."""
    return {row: number for row, number in table.weights.items() if selects(selector, meaning, row)}


def in_phase(rows: Weights, selector: Selector) -> Weights:
    """The rows of the selector's phase, and those merged from several phases with a part in it; all where it names none."""
    phase = selector.phase
    return rows if phase is None else {row: number for row, number in rows.items() if row.part(phase) is not None}


def unplaced_rows(rows: Weights, selector: Selector) -> Weights:
    """The rows whose phase, or that of a part, is unknown where the selector asks for a known one: they could be of it."""
    phase = selector.phase
    if phase is None or phase in {Phase.UNATTRIBUTED, Phase.MIXED}:
        return {}
    return {
        row: number
        for row, number in rows.items()
        if _has_unknown_part(row) and (selector.bytes or row.part(phase) is None)
    }


def _has_unknown_part(row: Row) -> bool:
    """Whether nothing tells the phase of a row, or of a part of it; a stored count does not keep the parts of mixed ones."""
    return row.part(Phase.UNATTRIBUTED) is not None or (row.phase == Phase.MIXED and not row.parts)


def level_of(tables: ProgramTables, level: str) -> Table:
    """One level of a program.

    Raises:
        UsageError: it was not read.
    """
    table = tables.levels.get(level)
    if table is None:
        raise UsageError(f"{tables.target} {tables.program} was not read at {level}", f"ask for the level {level}")
    return table


def _is_figure(selector: Selector) -> bool:
    return selector.is_metric and selector.name not in COUNTED


def _figure(name: str, table: Table, tables: ProgramTables) -> float:
    value = table.figures.get(name, 0 if _is_of_no_collective(name, table) else None)
    if value is None or not math.isfinite(value):
        reasons = (table.reasons[key] for key in (name, name.partition(".")[0]) if key in table.reasons)
        why = next(reasons, "its text does not tell")
        program = f"{tables.target} {tables.program}"
        raise UsageError(f"{name} of {program} is not known at {table.level}: {why}", "leave the rule out")
    return value


def _is_of_no_collective(name: str, table: Table) -> bool:
    """Whether a figure is one of collectives of which the program has none, in whatever way they are counted."""
    return name.startswith("collectives.") and table.figures.get("collectives") == 0


def _kept(name: str, facts: LevelFacts, stored: LevelFacts) -> float:
    if name not in facts.metrics:
        if FIGURES[name].falls and metric_name(name) not in stored.unstable:
            raise NotComparableError(f"{name} is not recorded in the snapshot: not judged", _UPDATE)
        why = "two captures disagreed on it" if metric_name(name) in stored.unstable else "a side does not have it"
        raise UsageError(f"{name} cannot be held against the snapshot: {why}", "record it anew, or write a bound")
    return facts.metrics[name]


def _wider(tables: ProgramTables, baseline: Snapshot) -> int:
    """How many places have a wider type than in the snapshot."""
    if baseline.signature is None or tables.signature is None:
        raise NotComparableError("types are not recorded in the snapshot: not judged", _UPDATE)
    return wider(compare_signatures(baseline.signature, tables.signature))


def _sum(rows: Weights, selector: Selector, phase: str | None) -> int:
    """The number or the bytes of rows, of a row merged from several phases the bytes of its part in this one."""
    if not selector.bytes:
        return sum(rows.values())
    total = 0
    for row, number in rows.items():
        part = None if phase is None else row.part(phase)
        size = row.bytes if part is None else part.bytes
        if size is None:
            raise UsageError(f"the bytes of {row.name} are not known, so {selector.label} is not", "bound its number")
        total += size * number
    return total
