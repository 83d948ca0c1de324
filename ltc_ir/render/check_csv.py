"""Prints a check as CSV: one change a line; a program without changes has one line, so that none is missing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ltc_ir.records.check import Check, CheckChange, ProgramCheck

COLUMNS = (
    "target", "program", "status", "level", "metric", "phase", "function", "source", "baseline", "current", "change",
    "rule", "where", "waived", "file", "reason",
)  # fmt: skip
_NOTHING = CheckChange("", "", None, None)


def check_to_csv(check: Check) -> str:
    """The check, a change a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in check.checks:
        writer.writerows(_rows(one))
    return text.getvalue()


def _rows(one: ProgramCheck) -> Iterator[tuple[object, ...]]:
    for change in one.changes or (_NOTHING,):
        where = (change.level, change.metric, change.phase, change.function, " ".join(change.sources))
        figures = (change.baseline, change.current, change.change)
        told = (change.rule, change.where, change.waived, one.file, one.reason)
        yield (one.target, one.program, one.status.value, *where, *figures, *told)
