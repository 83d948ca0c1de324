"""Prints a sweep as CSV, in tidy form: one figure a line, with the interval of a timed one."""

from __future__ import annotations

import csv
import io

from ltc_ir.records.sweep import Sweep

HEADER = ("target", "program", "parameter", "value", "metric", "unit", "figure", "low", "high")


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
                writer.writerow(
                    [sweep.target, name, sweep.parameter, point.value, metric.name, metric.unit, shown, *span]
                )
    return text.getvalue()
