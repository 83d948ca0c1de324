"""Lays a diff out: per pair and level the operations, the other figures, and where the change is; and rows for CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from ltc_ir.records.diff import Change, Diff, GroupChange, LevelDiff, Pair
from ltc_ir.records.vocabulary import Phase
from ltc_ir.render.sheet import Row, Sheet
from ltc_ir.render.words.text import signed

Item = TypeVar("Item")
COLUMNS = (
    "baseline_program", "current_program", "level", "view", "key", "name", "baseline", "current", "change", "ratio", "status",
    *(phase.value for phase in Phase), "reason",
)  # fmt: skip
"""The columns of CSV. ``view`` is ``op``, ``metric``, ``signature`` (a sentence), ``group`` (a group's total) or ``by`` (one
operation of a group); ``key`` is the group's, or the kind of a sentence."""


REWIRED = "the same operations with other operands, types or parameters: the fingerprints differ"


def diff_sheets(diff: Diff, *, top: int | None = None) -> list[Sheet]:
    """The sheets of a diff; ``top`` limits the rows of each, headline rows excepted. Levels without a change are one line.

    The diff's notes are its last sheet, so that a table alone shows them.
    """
    sheets: list[Sheet] = []
    for pair in diff.pairs:
        if pair.signature:
            rows = tuple((change.words,) for change in pair.signature)
            shown, more = _cut(rows, top)
            sheets.append(Sheet(f"{_title(diff, pair)}: arguments, results and types", ("change",), tuple(shown), more))
        for level in pair.levels.values():
            sheets += _level_sheets(diff, pair, level, top)
    notes = Sheet("notes", ("what to know",), tuple((note,) for note in diff.notes))
    return [*sheets, notes] if diff.notes else sheets


def _level_sheets(diff: Diff, pair: Pair, level: LevelDiff, top: int | None) -> Iterator[Sheet]:
    title = f"{_title(diff, pair)}: {level.level}"
    yield _ops_sheet(title, pair, level, top)
    if level.metrics[1:]:
        yield _metrics_sheet(title, pair, level.metrics[1:])
    if level.by:
        yield _groups_sheet(f"{title} by {', '.join(diff.grouped)}", level.by, top)


def _title(diff: Diff, pair: Pair) -> str:
    before, after = diff.baseline.target, diff.current.target
    if before != after:
        return f"{before} {pair.baseline} -> {after} {pair.current}"
    return (
        f"{before} {pair.baseline}" if pair.baseline == pair.current else f"{before}: {pair.baseline} -> {pair.current}"
    )


def _side_names(pair: Pair) -> tuple[str, str]:
    return (pair.baseline, pair.current) if pair.baseline != pair.current else ("baseline", "current")


def _ops_sheet(title: str, pair: Pair, level: LevelDiff, top: int | None) -> Sheet:
    """Total, headline operations, then the others; a column per phase that changed."""
    total, headline = level.metrics[0], [row for row in level.ops if row.headline]
    others, more = _cut([row for row in level.ops if not row.headline], top)
    present = {phase for row in (total, *level.ops) for phase in row.phases}
    phases = tuple(phase.value for phase in Phase if phase.value in present)
    rows = [total, *headline, *others]
    rules = frozenset({1, 1 + len(headline)} if len(rows) > 1 else ())
    notes = (*more, *([REWIRED] if level.rewired else [] if level.ops else ["no operation differs"]))
    columns = ("op", *_side_names(pair), "change", "ratio", *(f"Δ {phase}" for phase in phases))
    return Sheet(title, columns, tuple(_change_row(row, phases) for row in rows), notes, rules)


def _change_row(change: Change, phases: Sequence[str]) -> Row:
    split = (signed(change.phases[phase]) if phase in change.phases else None for phase in phases)
    return (change.name, change.baseline, change.current, signed(change.change), ratio_in_words(change), *split)


def ratio_in_words(change: Change) -> str:
    """``3.44x``; ``new`` or ``gone`` where one side is 0; empty where there is no ratio."""
    if change.status in {"new", "gone"}:
        return change.status
    return "" if change.ratio is None else f"{change.ratio:.2f}x"


def _metrics_sheet(title: str, pair: Pair, metrics: Sequence[Change]) -> Sheet:
    reasons = dict.fromkeys(f"{row.name}: {row.reason}" for row in metrics if row.reason)
    columns = ("figure", *_side_names(pair), "change", "ratio")
    return Sheet(f"{title}: other figures", columns, tuple(_change_row(row, ()) for row in metrics), tuple(reasons))


def _groups_sheet(title: str, groups: Sequence[GroupChange], top: int | None) -> Sheet:
    """The changes of all groups as phrases, largest first."""
    changes = [(op, group.key) for group in groups for op in group.ops]
    shown, more = _cut(sorted(changes, key=lambda change: -abs(int(change[0].change or 0))), top)
    return Sheet(title, ("change",), tuple((phrase(op, key),) for op, key in shown), more)


def phrase(change: Change, key: str | None = None) -> str:
    """``+39 dot_general, all backward, models/ltc.py:57``: the change, the operation, its phases and where it is."""
    split = _phases_in_words(change)
    words = f", {split}" if split.startswith("all ") else f" ({split})" if split else ""
    return f"{signed(change.change)} {change.name}{words}" + (f", {key}" if key else "")


def _phases_in_words(change: Change) -> str:
    """``all backward`` if one phase holds all of a change, else each phase, largest first; empty without phases."""
    phases = change.phases
    if len(phases) == 1 and change.change in phases.values():
        return f"all {next(iter(phases))}"
    ordered = sorted(phases.items(), key=lambda item: (-abs(item[1]), item[0]))
    return ", ".join(f"{phase} {signed(number)}" for phase, number in ordered)


def _cut(rows: Sequence[Item], top: int | None) -> tuple[Sequence[Item], tuple[str, ...]]:
    if not top or len(rows) <= top:
        return rows, ()
    return rows[:top], (f"{len(rows) - top} more rows not shown (--top {top})",)


def diff_rows(diff: Diff) -> Iterator[Row]:
    """CSV: every row of every level, with a column per phase."""
    yield COLUMNS
    for pair in diff.pairs:
        for one in pair.signature:
            change = Change(one.words, one.baseline, one.current)
            *figures, _ = _cells(change, one.words)[:6]
            status = "grown" if one.grown else "changed"
            phases = ("" for _ in Phase)
            yield (pair.baseline, pair.current, one.level, "signature", one.metric, *figures, status, *phases, "")
        for level_name, level in pair.levels.items():
            yield from ((pair.baseline, pair.current, level_name, *row) for row in _level_rows(level))


def _level_rows(level: LevelDiff) -> Iterator[Row]:
    yield from (("metric", "", *_cells(change, change.name)) for change in level.metrics)
    yield from (("op", "", *_cells(change, change.name)) for change in level.ops)
    if level.rewired:
        cells = _cells(Change("fingerprint", None, None), "fingerprint")
        yield ("metric", "", *cells[:5], "changed", *cells[6:-1], REWIRED)
    for group in level.by or ():
        yield ("group", group.key, *_cells(group.total, "total"))
        yield from (("by", group.key, *_cells(change, change.name)) for change in group.ops)


def _cells(change: Change, name: str) -> Row:
    ratio = "" if change.ratio is None else round(change.ratio, 6)
    phases = (change.phases.get(phase.value, 0) if change.phases else "" for phase in Phase)
    return (name, change.baseline, change.current, change.change, ratio, change.status, *phases, change.reason or "")
