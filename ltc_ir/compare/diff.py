"""Sets two counts against each other, Count x Count -> Diff: rows that differ, largest first, each split by phase."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ltc_ir.compare.comparability import check_filters, collect_notes, compare_environments
from ltc_ir.compare.metrics import Figures, figures, reason
from ltc_ir.errors import NotComparableError, UsageError
from ltc_ir.records.aliases import rename, rename_groups, renamed
from ltc_ir.records.count import EXPANDED, Count, Group, LevelCount, Tally
from ltc_ir.records.diff import Change, Diff, Figure, GroupChange, LevelDiff, Pair, Side
from ltc_ir.records.vocabulary import Level, Phase

_ORDER = {phase.value: rank for rank, phase in enumerate(Phase)}
_DIFFERENTIATED = {Phase.FORWARD.value, Phase.BACKWARD.value, Phase.RECOMPUTE.value}


def diff_counts(baseline: Count, current: Count) -> Diff:
    """Two counts, program by program of the same name, at the levels both have; single programs whatever their names.

    Raises:
        NotComparableError: no program and level in common, or counts narrowed differently.
    """
    check_filters(baseline, current)
    names = _pairs(baseline, current)
    pairs, notes = _compare(baseline, current, names)
    if not any(pair.levels for pair in pairs):
        raise NotComparableError(
            f"nothing in common: {_held(baseline)} against {_held(current)}",
            "count the same programs at the same levels on both sides",
        )
    single = len(names) == 1
    left, right = (
        Side(count.target, count.environment, names[0][position] if single else None)
        for position, count in enumerate((baseline, current))
    )
    left_out = [*_left_out("baseline", baseline, pairs, 0), *_left_out("current", current, pairs, 1)]
    notes = [*compare_environments(baseline.environment, current.environment), *notes, *left_out]
    return Diff(left, right, pairs, _grouped(baseline, current), _unique([*notes, *collect_notes(baseline, current)]))


def diff_programs(count: Count, baseline: str = "forward", current: str = "grad") -> Diff:
    """Two programs of one count: a forward against its gradient. At jaxpr level the target's headline comes first.

    Raises:
        UsageError: the count has no such program. NotComparableError: they have no level in common.
    """
    for name in (baseline, current):
        if name not in count.programs:
            hint = count.unavailable.get(name) or f"it has {', '.join(count.programs)}"
            raise UsageError(f"no program {name!r} in the count of {count.target}", hint)
    pairs, notes = _compare(count, count, [(baseline, current)], count.headline)
    if not pairs[0].levels:
        raise NotComparableError(f"{baseline} and {current} have no level in common", "count both at the same levels")
    left, right = (Side(count.target, count.environment, name) for name in (baseline, current))
    return Diff(left, right, pairs, count.grouped, _unique([*notes, *count.notes]))


def _pairs(baseline: Count, current: Count) -> list[tuple[str, str]]:
    common = [(name, name) for name in baseline.programs if name in current.programs]
    if not common and len(baseline.programs) == len(current.programs) == 1:
        return [(next(iter(baseline.programs)), next(iter(current.programs)))]
    return common


def _compare(
    baseline: Count, current: Count, names: Iterable[tuple[str, str]], headline: tuple[str, ...] = ()
) -> tuple[tuple[Pair, ...], list[str]]:
    pairs, notes = [], []
    alike = baseline.grouped == current.grouped
    if not alike:
        notes.append("the sides are grouped differently, so groups are not compared")
    for left, right in names:
        levels = {}
        for level in Level:
            sides = (baseline.programs[left].get(level.value), current.programs[right].get(level.value))
            if sides[0] is not None and sides[1] is not None:
                levels[level.value], said = _diff_level(sides[0], sides[1], headline, alike)
                notes += said
        pairs.append(Pair(left, right, levels))
    return tuple(pairs), notes


def _diff_level(
    baseline: LevelCount, current: LevelCount, headline: tuple[str, ...], grouped: bool
) -> tuple[LevelDiff, list[str]]:
    """One level of one pair, and what its reader must know."""
    baseline, current, basis = _on_one_basis(baseline, current)
    names = renamed(baseline.level, baseline.tally, current.tally)
    left, right = rename(baseline.tally, names), rename(current.tally, names)
    first = headline if baseline.level == Level.JAXPR else ()
    merged = _is_differentiated(left) != _is_differentiated(right)
    by = None
    if grouped and baseline.by is not None and current.by is not None:
        by = diff_groups(rename_groups(baseline.by, names), rename_groups(current.by, names), merged)
    made = LevelDiff(
        level=baseline.level,
        ops=diff_tallies(left, right, merged, first),
        metrics=(_total("total", left, right, merged), *_metrics(baseline, current)),
        by=by,
    )
    return made, [*basis, *_level_notes(baseline.level, names, left, right, merged)]


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


def _level_notes(level: str, names: Mapping[str, str], left: Tally, right: Tally, merged: bool) -> list[str]:
    notes = [
        f"{level}: {old} and {new} are one operation under two names, counted as {new}" for old, new in names.items()
    ]
    if merged:
        notes.append("one side is not differentiated; its primal operations stand against the other's forward ones")
    if _is_unknown(left) != _is_unknown(right):
        notes.append(f"{level}: one side does not tell phases, so changes by phase say nothing there")
    return notes


def _is_differentiated(tally: Tally) -> bool:
    return any(tally.phase_total(phase) for phase in _DIFFERENTIATED)


def _is_unknown(tally: Tally) -> bool:
    return 0 < tally.total == tally.phase_total(Phase.UNATTRIBUTED)


def diff_tallies(left: Tally, right: Tally, merged: bool = False, first: tuple[str, ...] = ()) -> tuple[Change, ...]:
    """The operations that differ, largest absolute change first, ties by name; those in ``first`` before all others.

    With ``merged``, primal and forward are one phase, named forward: the same operations before and after differentiation.
    """
    rows = [_op_change(name, left, right, merged, name in first) for name in left.ops.keys() | right.ops.keys()]
    rank = {name: number for number, name in enumerate(first)}
    kept = [row for row in rows if row.differs or row.headline]
    return tuple(sorted(kept, key=lambda row: (rank.get(row.name, len(rank)), -abs(row.change or 0), row.name)))


def _op_change(name: str, left: Tally, right: Tally, merged: bool, headline: bool = False) -> Change:
    before, after = ({phase: ops.get(name, 0) for phase, ops in side.phases.items()} for side in (left, right))
    return Change(name, left.ops.get(name, 0), right.ops.get(name, 0), _phase_changes(before, after, merged), headline)


def _total(name: str, left: Tally, right: Tally, merged: bool) -> Change:
    before, after = ({phase: sum(ops.values()) for phase, ops in side.phases.items()} for side in (left, right))
    return Change(name, left.total, right.total, _phase_changes(before, after, merged))


def _phase_changes(before: Mapping[str, int], after: Mapping[str, int], merged: bool) -> dict[str, int]:
    changes: dict[str, int] = {}
    for phase in sorted(before.keys() | after.keys(), key=lambda phase: _ORDER.get(phase, len(_ORDER))):
        shown = Phase.FORWARD.value if merged and phase == Phase.PRIMAL else phase
        changes[shown] = changes.get(shown, 0) + after.get(phase, 0) - before.get(phase, 0)
    return {phase: change for phase, change in changes.items() if change}


def diff_groups(
    left: tuple[Group, ...] | None, right: tuple[Group, ...] | None, merged: bool = False
) -> tuple[GroupChange, ...]:
    """The groups that differ, largest absolute change of the total first, then most operations moved, ties by key."""
    before, after = ({group.key: group.tally for group in groups or ()} for groups in (left, right))
    nothing = Tally()
    made = []
    for key in before.keys() | after.keys():
        sides = (before.get(key, nothing), after.get(key, nothing))
        ops = diff_tallies(*sides, merged)
        if ops:
            made.append(GroupChange(_total(key, *sides, merged), ops))
    return tuple(sorted(made, key=_group_rank))


def _group_rank(group: GroupChange) -> tuple[float, float, str]:
    return -abs(group.total.change or 0), -sum(abs(op.change or 0) for op in group.ops), group.key


def _metrics(baseline: LevelCount, current: LevelCount) -> list[Change]:
    """The figures besides the total that differ, or that one side lacks with the reason why."""
    left, right = figures(baseline), figures(current)
    rows = []
    for name in [*left, *(name for name in right if name not in left)]:
        before, after = _figure(left, name), _figure(right, name)
        if before == after:
            continue
        lacking = baseline if before is None else current if after is None else None
        rows.append(Change(name, before, after, reason=None if lacking is None else reason(lacking, name)))
    return rows


def _figure(found: Figures, name: str) -> Figure:
    """A figure; a kind of collective that a side has none of is 0 there, not unknown."""
    absent = 0 if name.startswith("collectives.") and found.get("collectives") is not None else None
    return found.get(name, absent)


def _held(count: Count) -> str:
    made = [f"{name} ({', '.join(levels)})" for name, levels in count.programs.items()]
    return ", ".join(made) or "no program"


def _left_out(what: str, count: Count, pairs: Iterable[Pair], position: int) -> list[str]:
    """What of a side found nothing to stand against."""
    seen = {(pair.baseline, pair.current)[position]: pair.levels.keys() for pair in pairs}
    notes = []
    for name, levels in count.programs.items():
        missing = [level for level in levels if level not in seen.get(name, ())]
        if missing:
            notes.append(f"only the {what} has {name} at {', '.join(missing)}")
    return notes


def _grouped(baseline: Count, current: Count) -> tuple[str, ...]:
    return baseline.grouped if baseline.grouped == current.grouped else ()


def _unique(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))
