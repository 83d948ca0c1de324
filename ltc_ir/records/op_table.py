"""The one table of operations: distinct rows with weights, which counts, snapshots, rules and diffs are projections of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, NamedTuple

from ltc_ir.errors import UsageError
from ltc_ir.records.count import EXPANDED, MODULE, Count, Executed, Function, Group, LevelCount, Loop, Tally, make_tally
from ltc_ir.records.figures import Figures, from_json, stored_names, to_json
from ltc_ir.records.request import Request
from ltc_ir.records.signature import Signature
from ltc_ir.records.snapshot import Block, LevelFacts, Snapshot
from ltc_ir.records.vocabulary import NO_SOURCE, By, Level, Part, Phase

NO_SCOPE, TOP, NO_TRANSFORMS = "(no scope)", "(top)", "(none)"
"""What groupings print where an operation has no scope, stands in no region, and was transformed by nothing."""
LIBRARY = " (library)"
"""What follows a source line that is not the user's."""


class Row(NamedTuple):
    """Operations alike, e.g. ``Row("dot_general", "backward", "ltc_ir.lab.models.ltc:rhs", "ltc_ir/lab/models/ltc.py:40")``.

    ``name`` is spelled as its level spells it (``dot_general``, ``stablehlo.while``, ``all-gather-start``). ``phase`` is
    ``shared`` where an operation stands once for callers that disagree. ``function`` is the stable key of the function it
    comes from, ``source`` its ``file:line``; ``scope``, ``region``, ``stack`` and ``transforms`` are read only where they
    are asked for. ``results`` and ``operands`` are element types in short (``("f32", "i32")``), ``attributes`` names and
    values as text (a custom call's target is ``target``), ``bytes`` those of one such operation's results on one device;
    each is empty, or ``None``, where it was not read. ``parts`` are those of a row of phase ``mixed``, one for each phase.
    """

    name: str
    phase: str
    function: str = NO_SOURCE
    source: str = NO_SOURCE
    scope: str = NO_SCOPE
    region: str = TOP
    stack: str = NO_SOURCE
    transforms: str = NO_TRANSFORMS
    results: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    bytes: int | None = None
    parts: tuple[Part, ...] = ()

    def part(self, phase: str) -> Part | None:
        """What one such operation contributes to a phase; ``None`` for nothing."""
        if self.phase == phase:
            return Part(phase, self.bytes)
        part = next((part for part in self.parts if part.phase == phase), None)
        return part if part is None or part.bytes is not None else Part(phase, self.bytes)


Weights = Mapping[Row, int]
"""How often each row occurs, by one way of counting; a row that does not occur is absent."""


class Constant(NamedTuple):
    """A closed-over array of more than one element: its bytes, its element type and shape, and who uses it first."""

    bytes: int
    type: str
    phase: str
    function: str = NO_SOURCE
    source: str = NO_SOURCE


@dataclass(frozen=True)
class Table:
    """The operations of one level of one program.

    Args:
        level: ``jaxpr``, ``stablehlo`` or ``hlo``.
        static: each operation once as it stands in the module's text; ``None`` for a jaxpr and for a snapshot.
        expanded: each operation once per call path; ``None`` for HLO, and where a function calls itself.
        executed: how often each operation runs; ``None`` where that was not asked or is unknown.
        figures: the numbers that are not operation counts, by the names of `ltc_ir.records.figures`.
        reasons: why something is unknown, by its name.
        loops: the loops, each kind with its number.
        functions: the named functions.
        constants: the arrays that the program closes over, largest first.
        fingerprint: hash of the structure without names, locations and the values of constants; ``None`` at hlo, and where
            it was not read.
        structure: the same regardless of the order of independent operations; ``None`` where it was not read.
        types: results by phase and element type, of a stored table, whose rows do not have them; ``None`` of any other.
        run: what a run tells besides how often each operation ran; its tally is empty.
    """

    level: str
    static: Weights | None = None
    expanded: Weights | None = None
    executed: Weights | None = None
    figures: Figures = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    loops: tuple[Loop, ...] = ()
    functions: tuple[Function, ...] = ()
    constants: tuple[Constant, ...] = ()
    fingerprint: str | None = None
    structure: str | None = None
    types: Mapping[str, Mapping[str, int]] | None = None
    run: Executed | None = None

    @property
    def weights(self) -> Weights:
        """How often each row occurs, once per call path where that is known: what snapshots keep and rules bound."""
        return self.expanded if self.expanded is not None else self.static or {}

    @property
    def shown(self) -> Weights:
        """How often each row occurs, as it stands in the text where that is known: what a count shows first."""
        return self.static if self.static is not None else self.expanded or {}

    @property
    def total(self) -> int:
        """All operations, as `weights` has them."""
        return sum(self.weights.values())


@dataclass(frozen=True)
class ProgramTables:
    """One program at the levels that were asked for.

    ``devices`` are those the program spans (1 unless it is partitioned), not those of the machine. ``detailed`` says whether
    rows have operands and attributes, ``typed`` whether they have the types of results.
    ``signature`` is ``None`` where it was not read.
    """

    target: str
    program: str
    devices: int
    levels: Mapping[str, Table]
    detailed: bool = False
    signature: Signature | None = None
    typed: bool = True


def matches(name: str, wanted: Collection[str]) -> bool:
    """Whether an operation is one of ``wanted``, with or without its dialect, ``-`` as ``_``; all are where that is empty."""
    if not wanted:
        return True
    plain = name.replace("-", "_")
    return plain in wanted or plain.rpartition(".")[2] in wanted


def narrowed(weights: Weights, ops: Collection[str], phases: Collection[str]) -> Weights:
    """The rows of these operations, with or without dialect, and of these phases; all where a collection is empty."""
    if not ops and not phases:
        return weights
    wanted = frozenset(name.replace("-", "_") for name in ops)
    return {
        row: number
        for row, number in weights.items()
        if matches(row.name, wanted) and (not phases or row.phase in phases)
    }


def tally_of(weights: Weights | Iterable[tuple[Row, int]]) -> Tally:
    """The rows by name and by phase, largest first, ties by name."""
    total: Counter[str] = Counter()
    phases: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row, number in weights.items() if isinstance(weights, Mapping) else weights:
        total[row.name] += number
        phases[row.phase][row.name] += number
    return make_tally(total, phases)


def groups_of(weights: Weights, by: Collection[str]) -> tuple[Group, ...] | None:
    """The rows by these groupings, several joined with `` | ``, largest first, ties by key; ``None`` where there are none."""
    if not by:
        return None
    key = _key_of(by)
    parts: defaultdict[str, list[tuple[Row, int]]] = defaultdict(list)
    for row, number in weights.items():
        parts[key(row)].append((row, number))
    groups = [Group(name, tally_of(part)) for name, part in parts.items()]
    return tuple(sorted(groups, key=lambda group: (-group.tally.total, group.key)))


def _key_of(by: Collection[str]) -> Callable[[Row], str]:
    columns = ["name" if name == By.OP else str(name) for name in by]
    get: Callable[[Row], Any] = attrgetter(*columns)
    return get if len(columns) == 1 else lambda row: " | ".join(get(row))


def attributed(weights: Weights, *, sources: bool = True) -> dict[str, int | float | None]:
    """The shares of operations with a phase and with a source line of the user's; 1.0 of none.

    The share of sources is ``None`` where they were not read.
    """
    total = sum(weights.values())
    unknown = sum(number for row, number in weights.items() if row.phase == Phase.UNATTRIBUTED)
    if not sources:
        return {"phase": share(total - unknown, total), "source": None}
    foreign = sum(n for row, n in weights.items() if row.source == NO_SOURCE or row.source.endswith(LIBRARY))
    return {"phase": share(total - unknown, total), "source": share(total - foreign, total)}


def share(part: int, total: int) -> float:
    """A share to six digits, never rounded up to all of it; all of nothing."""
    return 1.0 if part == total else min(round(part / total, 6), 0.999999)


def level_count(table: Table, request: Request) -> LevelCount:
    """The count of a level as JSON holds it, with the filters and groupings of a request."""
    by, filters = request.by, (request.ops, request.phases)
    unread = {} if request.sources else {"attributed.source": "sources were not resolved (--no-source)"}
    reasons = {**unread, **table.reasons}
    in_text = table.level == Level.STABLEHLO
    shown = narrowed(table.shown, *filters)
    expanded = narrowed(table.expanded, *filters) if in_text and table.expanded is not None else None
    figures, fields = to_json(table.level, table.figures), LevelCount.__dataclass_fields__
    executed = None
    if table.run is not None and table.executed is not None:
        ran = narrowed(table.executed, *filters)
        executed = replace(table.run, tally=tally_of(ran), by=groups_of(ran, by))
    return LevelCount(
        level=table.level,
        tally=tally_of(shown),
        attributed=attributed(shown, sources="attributed.source" not in reasons),
        expanded=None if expanded is None else tally_of(expanded),
        loops=table.loops,
        functions=table.functions,
        by=groups_of(shown, by),
        expanded_by=None if expanded is None else groups_of(expanded, by),
        basis=EXPANDED if in_text and table.static is None else MODULE,
        executed=executed,
        reasons=reasons,
        further={key: value for key, value in figures.items() if key not in fields},
        fingerprint=None if request.filters else table.fingerprint,
        structure=None if request.filters else table.structure,
        **{key: value for key, value in figures.items() if key in fields},
    )


def table_of_count(count: LevelCount) -> Table:
    """The table of a count: rows of a name and a phase."""
    figures = from_json(count.level, {**vars(count), **count.further})
    static: Weights | None = rows_of(count.tally)
    expanded = None if count.expanded is None else rows_of(count.expanded)
    if count.level == Level.JAXPR or count.basis == EXPANDED:
        static, expanded = None, static
    table = Table(count.level, static, expanded, figures=figures, reasons=count.reasons)
    return replace(table, fingerprint=count.fingerprint, structure=count.structure)


def rows_of(tally: Tally) -> dict[Row, int]:
    """The rows of a tally: an operation and a phase each."""
    return {Row(name, phase): number for phase, ops in tally.phases.items() for name, number in ops.items()}


def facts_of(table: Table) -> LevelFacts:
    """The facts of a level that a snapshot keeps, without the lines they come from."""
    ops: defaultdict[Block, Counter[str]] = defaultdict(Counter)
    for row, number in table.weights.items():
        ops[row.phase, row.function][row.name] += number
    kept = {name: table.figures.get(name) for name in stored_names()}
    return LevelFacts(
        ops={block: dict(counts) for block, counts in ops.items()},
        types=types_of(table),
        metrics={name: int(value) for name, value in kept.items() if value is not None},
        fingerprint=table.fingerprint,
        structure=table.structure,
    )


def types_of(table: Table) -> dict[str, dict[str, int]]:
    """The results of the operations, by phase and element type."""
    types: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row, number in table.weights.items():
        for element_type in row.results:
            types[row.phase][element_type] += number
    stored = types if table.types is None else table.types
    return {phase: dict(counts) for phase, counts in stored.items()}


def table_of_facts(level: str, facts: LevelFacts) -> Table:
    """The table of a stored level: rows of a name, a phase and a function, each operation once per call path."""
    weights = {
        Row(name, phase, function): number
        for (phase, function), counts in facts.ops.items()
        for name, number in counts.items()
    }
    table = Table(level, expanded=weights, figures=dict(facts.metrics), types=facts.types)
    return replace(table, fingerprint=facts.fingerprint, structure=facts.structure)


def tables_of_snapshot(snapshot: Snapshot) -> ProgramTables:
    """What a snapshot holds of its program."""
    levels = {level: table_of_facts(level, facts) for level, facts in snapshot.levels.items()}
    if snapshot.hlo is not None:
        levels[Level.HLO.value] = table_of_facts(Level.HLO.value, snapshot.hlo.facts)
    return ProgramTables(
        snapshot.target,
        snapshot.program,
        snapshot.identity.devices,
        levels,
        signature=snapshot.signature,
        typed=False,
    )


Keep = Callable[[Tally], Tally]
"""What is kept of a tally."""


def narrow(count: Count, filters: Mapping[str, Collection[str]], grouped: Collection[str], where: str) -> Count:
    """A stored count with only these ``ops`` and ``phases``, held against the groupings it was asked for.

    Raises:
        UsageError: it was not grouped so, or was narrowed to something else when it was made.
    """
    if grouped and tuple(grouped) != count.grouped:
        was = f"it was counted by {', '.join(count.grouped)}" if count.grouped else "it has no grouping"
        raise UsageError(f"{where} was not counted by {', '.join(grouped)}", f"{was}; count the target again")
    wanted = {key: tuple(sorted(names)) for key, names in filters.items() if names}
    if not wanted or wanted == count.filters:
        return count
    if count.filters:
        raise UsageError(f"{where} was narrowed when it was made", "count the target again without --op and --phase")

    def keep(tally: Tally) -> Tally:
        return tally_of(narrowed(rows_of(tally), wanted.get("ops", ()), wanted.get("phases", ())))

    programs = {
        name: {level: _narrow_level(level_count, keep) for level, level_count in levels.items()}
        for name, levels in count.programs.items()
    }
    return replace(count, programs=programs, filters=wanted)


def _narrow_level(level: LevelCount, keep: Keep) -> LevelCount:
    tally = keep(level.tally)
    return replace(
        level,
        tally=tally,
        expanded=level.expanded and keep(level.expanded),
        by=_narrow_groups(level.by, keep),
        expanded_by=_narrow_groups(level.expanded_by, keep),
        executed=level.executed
        and replace(level.executed, tally=keep(level.executed.tally), by=_narrow_groups(level.executed.by, keep)),
        attributed=attributed(rows_of(tally), sources=False),
        fingerprint=None,
        structure=None,
        reasons={**level.reasons, "attributed.source": "a narrowed record does not say"},
    )


def _narrow_groups(groups: tuple[Group, ...] | None, keep: Keep) -> tuple[Group, ...] | None:
    if groups is None:
        return None
    narrow_groups = [Group(group.key, keep(group.tally)) for group in groups]
    return tuple(
        sorted(
            (group for group in narrow_groups if group.tally.total), key=lambda group: (-group.tally.total, group.key)
        )
    )


def to_plain(tables: ProgramTables) -> dict[str, Any]:
    """The tables of a program as JSON data for another process; without loops, functions, signature and what a run tells."""
    levels = {
        level: {
            "static": _pairs(table.static),
            "expanded": _pairs(table.expanded),
            "figures": dict(table.figures),
            "reasons": dict(table.reasons),
            "constants": table.constants,
            "fingerprint": table.fingerprint,
            "structure": table.structure,
            "types": table.types,
        }
        for level, table in tables.levels.items()
    }
    return {**vars(tables), "levels": levels, "signature": None}


def of_plain(data: Mapping[str, Any]) -> ProgramTables:
    """The tables that `to_plain` gave, after their way through JSON."""
    levels = {level: _table_of_plain(level, table) for level, table in data["levels"].items()}
    return ProgramTables(**{**data, "levels": levels})


def _pairs(weights: Weights | None) -> list[tuple[Row, int]] | None:
    return None if weights is None else list(weights.items())


def _weights_of_plain(pairs: list[tuple[list[Any], int]] | None) -> Weights | None:
    return None if pairs is None else {_row(row): number for row, number in pairs}


def _table_of_plain(level: str, data: Mapping[str, Any]) -> Table:
    constants = tuple(Constant(*constant) for constant in data["constants"])
    weights = {name: _weights_of_plain(data[name]) for name in ("static", "expanded")}
    return Table(level, **{**data, **weights, "constants": constants})


def _row(columns: list[Any]) -> Row:
    *words, results, operands, attributes, size, parts = columns
    pairs = tuple(map(tuple, attributes))
    return Row._make([*words, tuple(results), tuple(operands), pairs, size, tuple(map(Part._make, parts))])
