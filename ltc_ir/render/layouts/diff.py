"""Lays a diff out as sheets: per pair and level the operations, the other figures, and who made the change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ltc_ir.records.diff import Change, Diff, GroupChange, LevelDiff, Pair
from ltc_ir.records.vocabulary import Phase
from ltc_ir.render.layouts.count import Cell, Sheet
from ltc_ir.render.words.diff import phrase, ratio_in_words, signed


def diff_sheets(diff: Diff, *, top: int | None = None) -> list[Sheet]:
    """The sheets of a diff; ``top`` limits the rows of each, headline rows aside. Levels without a change are one line.

    The diff's notes stand under its last sheet, so that a table alone says what it is worth.
    """
    sheets: list[Sheet] = []
    for pair in diff.pairs:
        for made in pair.levels.values():
            sheets += _level_sheets(diff, pair, made, top)
    last = Sheet("notes", ("what to know",), tuple((note,) for note in diff.notes), text=True)
    return [*sheets, last] if diff.notes else sheets


def _level_sheets(diff: Diff, pair: Pair, made: LevelDiff, top: int | None) -> list[Sheet]:
    title = f"{_title(diff, pair)}: {made.level}"
    sheets = [_ops_sheet(title, pair, made, top)]
    if made.metrics[1:]:
        sheets.append(_metrics_sheet(title, pair, made.metrics[1:]))
    if made.by:
        sheets.append(_groups_sheet(f"{title} by {', '.join(diff.grouped)}", made.by, top))
    return sheets


def _title(diff: Diff, pair: Pair) -> str:
    if diff.baseline.target == diff.current.target and pair.baseline != pair.current:
        return f"{diff.baseline.target}: {pair.baseline} -> {pair.current}"
    sides = (f"{side.target} {name}" for side, name in ((diff.baseline, pair.baseline), (diff.current, pair.current)))
    return (
        " -> ".join(sides) if diff.baseline.target != diff.current.target else f"{diff.baseline.target} {pair.baseline}"
    )


def _heads(pair: Pair) -> tuple[str, str]:
    return (pair.baseline, pair.current) if pair.baseline != pair.current else ("baseline", "current")


def _ops_sheet(title: str, pair: Pair, made: LevelDiff, top: int | None) -> Sheet:
    """Total, headline primitives, then the others; a column per phase that changed."""
    total, headline = made.metrics[0], [row for row in made.ops if row.headline]
    others, notes = _cut([row for row in made.ops if not row.headline], top)
    phases = _phases([total, *made.ops])
    rows = [total, *headline, *others]
    rules = frozenset({1, 1 + len(headline)} if len(rows) > 1 else ())
    said = notes if made.ops else ("no operation differs",)
    columns = ("op", *_heads(pair), "change", "ratio", *(f"Δ {phase}" for phase in phases))
    return Sheet(title, columns, tuple(_row(row, phases) for row in rows), said, rules)


def _row(row: Change, phases: Sequence[str]) -> tuple[Cell, ...]:
    split = (signed(row.phases[phase]) if phase in row.phases else None for phase in phases)
    return (row.name, row.baseline, row.current, signed(row.change), ratio_in_words(row), *split)


def _metrics_sheet(title: str, pair: Pair, metrics: Sequence[Change]) -> Sheet:
    reasons = dict.fromkeys(f"{row.name}: {row.reason}" for row in metrics if row.reason)
    columns = ("figure", *_heads(pair), "change", "ratio")
    return Sheet(f"{title}: other figures", columns, tuple(_row(row, ()) for row in metrics), tuple(reasons))


def _groups_sheet(title: str, groups: Sequence[GroupChange], top: int | None) -> Sheet:
    """Each group's total, and its changes as phrases, largest first."""
    lines: list[tuple[int, tuple[Cell, ...]]] = []
    for group in groups:
        lines += [(abs(int(op.change or 0)), (phrase(op, group.key),)) for op in group.ops]
    ordered = [cells for _, cells in sorted(lines, key=lambda line: -line[0])]
    shown = ordered[:top] if top else ordered
    more = () if len(shown) == len(ordered) else (_more(len(ordered) - len(shown), top),)
    return Sheet(title, ("change",), tuple(shown), more, text=True)


def _cut(rows: list[Change], top: int | None) -> tuple[list[Change], tuple[str, ...]]:
    if not top or len(rows) <= top:
        return rows, ()
    return rows[:top], (_more(len(rows) - top, top),)


def _more(number: int, top: int | None) -> str:
    return f"{number} more rows not shown (--top {top})"


def _phases(rows: Iterable[Change]) -> tuple[str, ...]:
    seen = {phase for row in rows for phase in row.phases}
    return tuple(phase.value for phase in Phase if phase.value in seen)
