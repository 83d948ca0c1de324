"""Timings and sweeps as a notebook shows them: `to_pandas` and an HTML view, kept out of `records` so that those stay cold."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ltc_ir.records.serialization import to_data
from ltc_ir.records.sweep import Sweep
from ltc_ir.records.timing import MORE_STAGES, STAGES, ProgramTiming, Timing
from ltc_ir.render.formats import renderer
from ltc_ir.render.html import to_html
from ltc_ir.render.layouts.sweep import sweep_sheets
from ltc_ir.render.layouts.timing import timing_sheets

if TYPE_CHECKING:
    import pandas as pd


_NUMBERS = ("value", "figure", "low", "high", "runs")
"""The columns of a sweep that hold numbers."""


@dataclass(frozen=True)
class ShownSweep(Sweep):
    """A sweep with the views that notebooks and scripts ask for."""

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return dict(to_data(self))

    def to_pandas(self) -> pd.DataFrame:
        """One row per figure: target, program, parameter, value, metric, unit, figure, low, high, runs, first_only."""
        import pandas as pd

        header, *rows = csv.reader(io.StringIO(renderer("sweep", "csv")(self)))
        frame = pd.DataFrame(rows, columns=header)
        return frame.assign(**{name: pd.to_numeric(frame[name]) for name in _NUMBERS})

    def _repr_html_(self) -> str:
        return to_html(sweep_sheets(self))


@dataclass(frozen=True, repr=False)
class ShownTiming(Timing):
    """A timing with the views that notebooks and scripts ask for."""

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return dict(to_data(self))

    def to_pandas(self) -> pd.DataFrame:
        """One row per program and stage: its median and spread in seconds, and its runs; of one not measured, the reason."""
        import pandas as pd

        rows = [
            {"target": self.target, "program": name, "stage": stage, **_figures(made, stage)}
            for name, made in self.programs.items()
            for stage in (*STAGES, *(more for more in MORE_STAGES if more in made.stages))
        ]
        return pd.DataFrame(rows, columns=["target", "program", "stage", *_FIGURES, "reason"])

    def _repr_html_(self) -> str:
        return to_html(timing_sheets([self]))

    def __repr__(self) -> str:
        return f"<timing of {self.target}: {', '.join(self.programs) or 'nothing'}>"


_FIGURES = ("median_s", "min_s", "max_s", "low_s", "high_s", "runs")


def _figures(made: ProgramTiming, stage: str) -> dict[str, object]:
    measured = made.stages.get(stage)
    if measured is None:
        return {"reason": made.reasons.get(stage)}
    return {name: getattr(measured, name) for name in _FIGURES}


def shown_timing(timing: Timing) -> ShownTiming:
    """The same timing, with its notebook views."""
    return ShownTiming(**{field.name: getattr(timing, field.name) for field in fields(timing)})


def shown_sweep(sweep: Sweep) -> ShownSweep:
    """The same sweep, with its notebook views."""
    return ShownSweep(**{field.name: getattr(sweep, field.name) for field in fields(sweep)})
