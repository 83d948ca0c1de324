"""Prints timings as CSV: one program a line, the medians of the published table first, then the spread of each stage."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ltc_ir.records.timing import MORE_STAGES, STAGES, ProgramTiming, Timing

ORDER = ("eager", "lower", "compile", "first", "steady", "trace", *MORE_STAGES)
"""The published columns first."""
_OF_STAGE = ("min_s", "max_s", "low_s", "high_s", "runs")


def to_timing_csv(timings: Sequence[Timing]) -> str:
    """A line a program: the medians in seconds, the ratio, the break-even, the spread of each stage, which are first runs."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spread = [f"{stage}_{name}" for stage in (*STAGES, *MORE_STAGES) for name in _OF_STAGE]
    medians = [f"{stage}_s" for stage in ORDER]
    writer.writerow(["target", "program", *medians, "eager_over_steady", "break_even_calls", *spread, "first_only"])
    for timing in timings:
        writer.writerows(_row(timing.target, name, made) for name, made in timing.programs.items())
    return text.getvalue()


def _row(target: str, name: str, made: ProgramTiming) -> list[object]:
    """One program; a figure that could not be had is an empty cell."""
    spread = [
        getattr(made.stages.get(stage), figure, None) for stage in (*STAGES, *MORE_STAGES) for figure in _OF_STAGE
    ]
    medians = [made.seconds(stage) for stage in ORDER]
    first = " ".join(made.first_only)
    return [target, name, *medians, made.eager_over_steady, made.break_even_calls, *spread, first]
