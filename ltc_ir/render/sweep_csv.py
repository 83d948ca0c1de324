"""Prints a sweep as CSV, in tidy form: one figure a line, with the interval and the runs of a timed one."""

from __future__ import annotations

import csv
import io

from ltc_ir.records.sweep import Sweep, SweepPoint

HEADER = ("target", "program", "parameter", "value", "metric", "unit", "figure", "low", "high", "runs", "first_only")


def to_sweep_csv(sweep: Sweep) -> str:
    """A line a figure, by program, metric and size; a figure that could not be had is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for name, made in sweep.programs.items():
        for metric in made.metrics():
            for point in made.points:
                figure = point.metrics.get(metric.name)
                shown = (
                    int(figure) if figure is not None and figure.is_integer() and metric.unit != "seconds" else figure
                )
                span = point.spans.get(metric.name, (None, None))
                which = (sweep.target, name, sweep.parameter, point.value, metric.name, metric.unit)
                writer.writerow([*which, shown, *span, *_runs(point, metric.name)])
    return text.getvalue()


def _runs(point: SweepPoint, metric: str) -> list[object]:
    """How many runs a timed figure is of, and whether that is the first alone; empty for what was counted."""
    if metric not in point.runs:
        return [None, None]
    return [point.runs[metric], "yes" if metric in point.first_only else "no"]
