"""Prints a count as tidy CSV: one figure a line, nothing that a spreadsheet has to take apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ltc_ir.records.count import Count, LevelCount, Tally
from ltc_ir.records.executed import Executed
from ltc_ir.records.vocabulary import NO_SOURCE

COLUMNS = ("target", "program", "level", "view", "key", "op", "phase", "count")
"""``view`` is ``module`` (as it stands), ``expanded``, ``executed`` (as it ran), ``by``, ``expanded_by``, ``executed_by``,
``region`` (``key`` its kind, source and path, ``op`` the figure) or ``fact``."""


def to_csv(count: Count) -> str:
    """The count, with every figure of every level on a line of its own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for program, levels in count.programs.items():
        for level, made in levels.items():
            writer.writerows((count.target, program, level, *row) for row in _rows(made))
    return text.getvalue()


def _rows(made: LevelCount) -> Iterator[tuple[object, ...]]:
    yield from _tally_rows("module", "", made.tally)
    if made.expanded is not None:
        yield from _tally_rows("expanded", "", made.expanded)
    if made.executed is not None:
        yield from _executed_rows(made.executed)
    for view, groups in (("by", made.by), ("expanded_by", made.expanded_by)):
        for group in groups or ():
            yield from _tally_rows(view, group.key, group.tally)
    for name in ("max_depth", "lines", "bytes", "private_functions", "fusions", "flops", "bytes_accessed"):
        if getattr(made, name) is not None:
            yield ("fact", "", name, "", getattr(made, name))
    for prefix, facts in (("constants", made.constants), ("memory", made.memory)):
        for name, value in (facts or {}).items():
            yield ("fact", prefix, name, "", value)
    for name, entry in (made.collectives or {}).items():
        for key, value in entry.items():
            yield ("fact", name, key, "", value)


def _executed_rows(ran: Executed) -> Iterator[tuple[object, ...]]:
    yield from _tally_rows("executed", "", ran.tally)
    for group in ran.by or ():
        yield from _tally_rows("executed_by", group.key, group.tally)
    for one in ran.regions:
        key = f"{one.kind} | {one.source or NO_SOURCE} | {one.region}"
        figures = {"entered": one.entered, "iterations": one.iterations, "least": one.least, "most": one.most}
        yield from (("region", key, name, one.phase, value) for name, value in figures.items() if value is not None)
    yield ("fact", "executed", "measured", "", int(ran.how == "measured"))  # numbers alone, 1 for yes
    if ran.identical is not None:
        yield ("fact", "executed", "identical", "", int(ran.identical))
    if ran.work is not None:
        yield from (("fact", "executed flops", kind, "", number) for kind, number in ran.work.flops.items())
        yield from (("fact", "executed in no flops", op, "", number) for op, number in ran.work.in_no_flops.items())
        yield ("fact", "executed", "bytes", "", ran.work.bytes)


def _tally_rows(view: str, key: str, tally: Tally) -> Iterator[tuple[object, ...]]:
    for phase, ops in tally.phases.items():
        for op, number in ops.items():
            yield (view, key, op, phase, number)
