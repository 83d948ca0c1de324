"""The only diff: Table x Table -> what differs by name, phase and function; the record of `diff` is a projection of it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ltc_ir.compare.comparability import (
    check_filters,
    collect_notes,
    compare_environments,
    has_comparable_fingerprints,
)
from ltc_ir.compare.signature import compare_signatures
from ltc_ir.errors import NotComparableError, UsageError
from ltc_ir.records.count import EXPANDED, Count, Group, LevelCount
from ltc_ir.records.diff import (
    DIFFERENT,
    NOT_COMPARED,
    NOT_RECORDED,
    SAME,
    Change,
    Diff,
    GroupChange,
    LevelDiff,
    Pair,
    Side,
)
from ltc_ir.records.figures import WAYS, Value, figures_of
from ltc_ir.records.op_table import Row, Table, Weights, rows_of, table_of_count, types_of
from ltc_ir.records.snapshot import Block
from ltc_ir.records.vocabulary import Level, Phase, needed_renamings

_ORDER = {phase.value: rank for rank, phase in enumerate(Phase)}
_DIFFERENTIATED = {Phase.FORWARD.value, Phase.BACKWARD.value, Phase.RECOMPUTE.value}


@dataclass(frozen=True)
class Difference:
    """What differs of the operations of one name, or of the results of one element type.

    ``baseline`` and ``current`` are their numbers. ``moves`` is by how much each block's number changed, blocks without
    change left out; results are kept by phase, so that the function of their blocks is empty.
    """

    name: str
    baseline: int
    current: int
    moves: Mapping[Block, int]

    @property
    def change(self) -> int:
        """Current minus baseline."""
        return self.current - self.baseline


@dataclass(frozen=True)
class TableDiff:
    """What differs between two tables of one level.

    ``ops`` and ``types`` are ordered by name, ``figures`` as they are read: those that differ, ``None`` where a side does
    not have one. ``fingerprints`` says whether both have a fingerprint and whether those differ, by more than the order of
    independent operations.
    """

    baseline: Table
    current: Table
    ops: tuple[Difference, ...]
    types: tuple[Difference, ...]
    figures: Mapping[str, tuple[Value, Value]]
    fingerprints: str

    @property
    def restructured(self) -> bool:
        """Whether the fingerprints of both sides are known and differ."""
        return self.fingerprints == DIFFERENT


def compare_tables(baseline: Table, current: Table, names: Mapping[str, str]) -> TableDiff:
    """Compare two tables of one level, each as it is shown.

    Args:
        baseline: the older.
        current: the newer.
        names: older names of operations, each with the newer one under which it is compared.
    """
    return TableDiff(
        baseline,
        current,
        ops=compare_rows(baseline.shown, current.shown, names),
        types=_differences(_typed(baseline), _typed(current)),
        figures=_compare_figures(baseline, current),
        fingerprints=_fingerprints(baseline, current),
    )


def _fingerprints(baseline: Table, current: Table) -> str:
    """Whether both sides have hashes and those differ, by more than the order of independent operations."""
    pairs = (baseline.structure, current.structure), (baseline.fingerprint, current.fingerprint)
    known = [pair for pair in pairs if None not in pair]
    if not known:
        return NOT_RECORDED
    return SAME if any(before == after for before, after in known) else DIFFERENT


def compare_rows(baseline: Weights, current: Weights, names: Mapping[str, str]) -> tuple[Difference, ...]:
    """The operations that differ in number or in their blocks, by name."""
    return _differences(_named(baseline, names), _named(current, names))


def diff_counts(baseline: Count, current: Count) -> Diff:
    """Two counts, program by program of the same name, at the levels both have; single programs whatever their names.

    Raises:
        NotComparableError: no program and level in common, or counts narrowed differently.
    """
    check_filters(baseline, current)
    names = _pairs(baseline, current)
    pairs, notes = _compare_programs(baseline, current, names)
    if not has_comparable_fingerprints(baseline, current):
        pairs = tuple(map(_without_fingerprints, pairs))
    pairs = tuple(_signed(pair, baseline, current) for pair in pairs)
    if not any(pair.levels for pair in pairs):
        raise NotComparableError(
            f"nothing in common: {_listed(baseline)} against {_listed(current)}",
            "count the same programs at the same levels on both sides",
        )
    single = len(names) == 1
    left, right = (
        Side(count.target, count.environment, names[0][position] if single else None)
        for position, count in enumerate((baseline, current))
    )
    left_out = [*_left_out("baseline", baseline, pairs, 0), *_left_out("current", current, pairs, 1)]
    notes = [*compare_environments(baseline.environment, current.environment), *notes, *_unseen(pairs), *left_out]
    return Diff(left, right, pairs, _grouped(baseline, current), _unique([*notes, *collect_notes(baseline, current)]))


def _signed(pair: Pair, baseline: Count, current: Count) -> Pair:
    """A pair with what changed of what the programs take and return, where both sides know it."""
    before, after = baseline.signatures.get(pair.baseline), current.signatures.get(pair.current)
    return pair if before is None or after is None else replace(pair, signature=compare_signatures(before, after))


def diff_programs(count: Count, baseline: str = "forward", current: str = "grad") -> Diff:
    """Two programs of one count: a forward against its gradient. At jaxpr level the target's headline comes first.

    Raises:
        UsageError: the count has no such program. NotComparableError: they have no level in common.
    """
    for name in (baseline, current):
        if name not in count.programs:
            hint = count.unavailable.get(name) or f"it has {', '.join(count.programs)}"
            raise UsageError(f"no program {name!r} in the count of {count.target}", hint)
    pairs, notes = _compare_programs(count, count, [(baseline, current)], count.headline)
    if not pairs[0].levels:
        raise NotComparableError(f"{baseline} and {current} have no level in common", "count both at the same levels")
    pairs = tuple(map(_without_fingerprints, pairs))
    left, right = (Side(count.target, count.environment, name) for name in (baseline, current))
    return Diff(left, right, pairs, count.grouped, _unique([*notes, *count.notes]))


def _without_fingerprints(pair: Pair) -> Pair:
    levels = {name: replace(level, fingerprints=NOT_COMPARED) for name, level in pair.levels.items()}
    return replace(pair, levels=levels)


def _unseen(pairs: Iterable[Pair]) -> Iterator[str]:
    """What to know of levels where no operation differs, and nothing tells whether their operands do."""
    levels = [level for pair in pairs for level in pair.levels.values() if level.fingerprints == NOT_RECORDED]
    names = dict.fromkeys(level.level for level in levels if not any(row.differs for row in level.ops))
    if names:
        yield f"{', '.join(names)}: a side has no fingerprint, so other operands or parameters are not seen"


Numbered = Iterable[tuple[str, Block, int]]
"""Names, each with a block and its number there."""


def _named(weights: Weights, names: Mapping[str, str]) -> Numbered:
    return ((names.get(row.name, row.name), (row.phase, row.function), number) for row, number in weights.items())


def _typed(table: Table) -> Iterator[tuple[str, Block, int]]:
    for phase, counts in types_of(table).items():
        yield from ((element_type, (phase, ""), number) for element_type, number in counts.items())


def _differences(baseline: Numbered, current: Numbered) -> tuple[Difference, ...]:
    totals = Counter[str](), Counter[str]()
    moves: defaultdict[str, Counter[Block]] = defaultdict(Counter)
    for side, sign, numbered in ((0, -1, baseline), (1, 1, current)):
        for name, block, number in numbered:
            totals[side][name] += number
            moves[name][block] += sign * number
    differences = (
        Difference(name, totals[0][name], totals[1][name], {block: move for block, move in blocks.items() if move})
        for name, blocks in sorted(moves.items())
    )
    return tuple(difference for difference in differences if difference.moves)


def _compare_figures(baseline: Table, current: Table) -> dict[str, tuple[Value, Value]]:
    left, right = _figures(baseline), _figures(current)
    sides = {name: (_figure(left, name), _figure(right, name)) for name in {**left, **right}}
    return {name: pair for name, pair in sides.items() if pair[0] != pair[1]}


def _figures(table: Table) -> dict[str, Value]:
    """The figures of a table as a diff lists them: those that every level has come last, families by name."""
    figures: dict[str, Value] = {}
    common: dict[str, Value] = {}
    for figure in figures_of(table.level):
        into = common if len(figure.levels) == len(Level) else figures
        family = figure.name.removesuffix(".*")
        if family == figure.name:
            into[figure.name] = table.figures.get(figure.name)
            continue
        whole = (family, f"{family}.bytes")
        members = (name for name in table.figures if name == family or name.startswith(f"{family}."))
        into |= {name: table.figures[name] for name in sorted(members, key=lambda name: (name not in whole, name))}
    if table.level == Level.STABLEHLO:
        figures["expanded.total"] = None if table.expanded is None else sum(table.expanded.values())
    return {name: _finite(value) for name, value in (figures | common).items()}


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figure(figures: Mapping[str, Value], name: str) -> Value:
    """A figure; a kind of collective that a side has none of is 0 there, not unknown.

    An older record has no phases of collectives, and does not tell how often they run: these are unknown.
    """
    absent = 0 if name.startswith("collectives.") and figures.get("collectives") is not None else None
    return figures.get(name, absent if _is_told(figures, name) else None)


def _is_told(figures: Mapping[str, Value], name: str) -> bool:
    """Whether figures of collectives tell of them what a name asks for: an older record has their numbers and bytes only."""
    words = name.removesuffix(".bytes").split(".")
    if not figures.get("collectives") or (len(words) < 3 and words[-1] not in WAYS):
        return True
    if words[-1] in WAYS:
        return figures.get(f"collectives.{words[-1]}") is not None
    return any(other.count(".") == 2 and not other.endswith(".bytes") for other in figures)


def _pairs(baseline: Count, current: Count) -> list[tuple[str, str]]:
    common = [(name, name) for name in baseline.programs if name in current.programs]
    if not common and len(baseline.programs) == len(current.programs) == 1:
        return [(next(iter(baseline.programs)), next(iter(current.programs)))]
    return common


def _compare_programs(
    baseline: Count, current: Count, names: Iterable[tuple[str, str]], headline: tuple[str, ...] = ()
) -> tuple[tuple[Pair, ...], list[str]]:
    pairs, notes = [], []
    attributed = baseline.attribution == current.attribution
    if not attributed:
        versions = f"{baseline.attribution} and {current.attribution}"
        notes.append(f"the sides have phases of different attributions ({versions}), so phases are not compared")
    grouped = baseline.grouped == current.grouped
    if not grouped:
        notes.append("the sides are grouped differently, so groups are not compared")
    for left, right in names:
        levels = {}
        for level in Level:
            sides = (baseline.programs[left].get(level.value), current.programs[right].get(level.value))
            if sides[0] is not None and sides[1] is not None:
                levels[level.value], level_notes = _diff_level(sides[0], sides[1], headline, grouped and attributed)
                notes += level_notes if attributed else []
                if not attributed:
                    levels[level.value] = _without_phases(levels[level.value])
        pairs.append(Pair(left, right, levels))
    return tuple(pairs), notes


def _without_phases(level: LevelDiff) -> LevelDiff:
    """What differs whatever the phase."""
    ops, metrics = (tuple(replace(change, phases={}) for change in changes) for changes in (level.ops, level.metrics))
    return replace(
        level, ops=tuple(change for change in ops if change.differs or change.headline), metrics=metrics, by=None
    )


def _diff_level(
    baseline: LevelCount, current: LevelCount, headline: tuple[str, ...], grouped: bool
) -> tuple[LevelDiff, list[str]]:
    """One level of one pair, and what its reader must know."""
    level = baseline.level
    baseline, current, basis = _on_one_basis(baseline, current)
    left, right = table_of_count(baseline), table_of_count(current)
    names = needed_renamings(level, baseline.tally.ops, current.tally.ops)
    merged = _is_differentiated(left.shown) != _is_differentiated(right.shown)
    diff = compare_tables(left, right, names)
    first = _headline(headline, left.shown, right.shown) if level == Level.JAXPR else {}
    by = None
    if grouped and baseline.by is not None and current.by is not None:
        by = _diff_groups(baseline.by, current.by, names, merged)
    total = _total("total", sum(left.shown.values()), sum(right.shown.values()), diff.ops, merged)
    changes = _changes(diff.ops, merged, first), (total, *_figure_changes(diff))
    level_diff = LevelDiff(level, *changes, by, diff.fingerprints)
    return level_diff, [*basis, *_level_notes(level, names, left.shown, right.shown, merged)]


def _on_one_basis(baseline: LevelCount, current: LevelCount) -> tuple[LevelCount, LevelCount, list[str]]:
    """Both sides as they count alike: once per call path, where one of them knows no other count."""
    if baseline.basis == current.basis:
        return baseline, current, []
    if baseline.expanded is None or current.expanded is None:
        note = f"{baseline.level}: one side counts each operation as the text stands, the other once per call path"
        return baseline, current, [note]
    left = replace(baseline, tally=baseline.expanded, by=baseline.expanded_by, basis=EXPANDED)
    right = replace(current, tally=current.expanded, by=current.expanded_by, basis=EXPANDED)
    return left, right, [f"{baseline.level}: both sides are counted once per call path, as the snapshot is"]


def _level_notes(level: str, names: Mapping[str, str], left: Weights, right: Weights, merged: bool) -> list[str]:
    notes = [
        f"{level}: {old} and {new} are one operation under two names, counted as {new}" for old, new in names.items()
    ]
    if merged:
        notes.append("one side is not differentiated; its primal operations stand against the other's forward ones")
    if _is_unattributed(left) != _is_unattributed(right):
        notes.append(f"{level}: one side does not tell phases, so changes by phase say nothing there")
    return notes


def _is_differentiated(weights: Weights) -> bool:
    return any(row.phase in _DIFFERENTIATED for row in weights)


def _is_unattributed(weights: Weights) -> bool:
    return bool(weights) and all(row.phase == Phase.UNATTRIBUTED for row in weights)


def _headline(names: Iterable[str], left: Weights, right: Weights) -> dict[str, Difference]:
    """The headline primitives that a side has, whether they differ or not, in the order of the headline."""
    totals = [Counter[str](), Counter[str]()]
    for total, weights in zip(totals, (left, right), strict=True):
        for row, number in weights.items():
            total[row.name] += number
    return {
        name: Difference(name, totals[0][name], totals[1][name], {})
        for name in names
        if name in totals[0] or name in totals[1]
    }


def _changes(
    ops: Iterable[Difference], merged: bool, first: Mapping[str, Difference] | None = None
) -> tuple[Change, ...]:
    """The operations that differ, largest absolute change first, ties by name; those in ``first`` before all others.

    With ``merged``, primal and forward are one phase, named forward: the same operations before and after differentiation.
    """
    headline = dict(first or {})
    differing = {op.name: op for op in ops}
    rank = {name: number for number, name in enumerate(headline)}
    rows = [
        Change(op.name, op.baseline, op.current, _phase_changes([op], merged), op.name in headline)
        for op in (headline | differing).values()
    ]
    kept = [row for row in rows if row.differs or row.headline]
    return tuple(sorted(kept, key=lambda row: (rank.get(row.name, len(rank)), -abs(row.change or 0), row.name)))


def _total(name: str, before: int, after: int, ops: Iterable[Difference], merged: bool) -> Change:
    return Change(name, before, after, _phase_changes(ops, merged))


def _phase_changes(ops: Iterable[Difference], merged: bool) -> dict[str, int]:
    """By how much the number of these operations changed in each phase, phases without change left out."""
    changes: Counter[str] = Counter()
    for op in ops:
        for (phase, _), move in op.moves.items():
            changes[Phase.FORWARD.value if merged and phase == Phase.PRIMAL else phase] += move
    return {
        phase: changes[phase]
        for phase in sorted(changes, key=lambda phase: _ORDER.get(phase, len(_ORDER)))
        if changes[phase]
    }


def _diff_groups(
    left: tuple[Group, ...], right: tuple[Group, ...], names: Mapping[str, str], merged: bool
) -> tuple[GroupChange, ...]:
    """The groups that differ, largest absolute change of the total first, then most operations moved, ties by key."""
    sides = [{group.key: rows_of(group.tally) for group in groups} for groups in (left, right)]
    absent: dict[Row, int] = {}
    groups = []
    for key in sides[0].keys() | sides[1].keys():
        before, after = (side.get(key, absent) for side in sides)
        ops = compare_rows(before, after, names)
        changes = _changes(ops, merged)
        if changes:
            total = _total(key, sum(before.values()), sum(after.values()), ops, merged)
            groups.append(GroupChange(total, changes))
    return tuple(sorted(groups, key=_group_rank))


def _group_rank(group: GroupChange) -> tuple[float, float, str]:
    return -abs(group.total.change or 0), -sum(abs(op.change or 0) for op in group.ops), group.key


def _figure_changes(diff: TableDiff) -> Iterator[Change]:
    """The figures that differ, or that one side lacks with the reason why."""
    for name, (before, after) in diff.figures.items():
        lacking = diff.baseline if before is None else diff.current if after is None else None
        yield Change(name, before, after, reason=None if lacking is None else _reason(lacking, name))


def _reason(table: Table, name: str) -> str:
    """Why a table does not have a figure."""
    reasons = (table.reasons.get(key) for key in (name, name.partition(".")[0]))
    return next((reason for reason in reasons if reason is not None), "this side does not have the figure")


def _listed(count: Count) -> str:
    programs = [f"{name} ({', '.join(levels)})" for name, levels in count.programs.items()]
    return ", ".join(programs) or "no program"


def _left_out(side: str, count: Count, pairs: Iterable[Pair], position: int) -> list[str]:
    """The programs and levels of a side that the other does not have."""
    seen = {(pair.baseline, pair.current)[position]: pair.levels.keys() for pair in pairs}
    notes = []
    for name, levels in count.programs.items():
        missing = [level for level in levels if level not in seen.get(name, ())]
        if missing:
            notes.append(f"only the {side} has {name} at {', '.join(missing)}")
    return notes


def _grouped(baseline: Count, current: Count) -> tuple[str, ...]:
    return baseline.grouped if baseline.grouped == current.grouped else ()


def _unique(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))
