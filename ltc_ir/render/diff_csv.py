"""Prints a diff as CSV: one row a line, a column per phase, nothing that a spreadsheet has to take apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ltc_ir.records.diff import Change, Diff, LevelDiff
from ltc_ir.records.vocabulary import Phase

COLUMNS = (
    "baseline_program", "current_program", "level", "view", "key", "name", "baseline", "current", "change", "ratio", "status",
    *(phase.value for phase in Phase), "reason",
)  # fmt: skip
"""``view`` is ``op``, ``metric``, ``group`` (a group's total) or ``by`` (one operation of a group); ``key`` is the group's."""


def diff_to_csv(diff: Diff) -> str:
    """The diff, every row of every level on a line of its own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for pair in diff.pairs:
        for level, made in pair.levels.items():
            writer.writerows((pair.baseline, pair.current, level, *row) for row in _rows(made))
    return text.getvalue()


def _rows(made: LevelDiff) -> Iterator[tuple[object, ...]]:
    for row in made.metrics:
        yield ("metric", "", *_cells(row, row.name))
    for row in made.ops:
        yield ("op", "", *_cells(row, row.name))
    for group in made.by or ():
        yield ("group", group.key, *_cells(group.total, "total"))
        for row in group.ops:
            yield ("by", group.key, *_cells(row, row.name))


def _cells(row: Change, name: str) -> Iterator[object]:
    ratio = "" if row.ratio is None else round(row.ratio, 6)
    yield from (name, row.baseline, row.current, row.change, ratio, row.status)
    yield from (row.phases.get(phase.value, 0) if row.phases else "" for phase in Phase)
    yield row.reason or ""
