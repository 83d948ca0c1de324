"""The verbs as a notebook uses them: their records with an HTML view, `to_dict` and `to_pandas`.

What a view needs is imported when it is asked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ltc_ir.api.count import count as count_record
from ltc_ir.api.sweep import sweep as sweep_record
from ltc_ir.api.time import time as time_record
from ltc_ir.records.count import Count
from ltc_ir.records.sweep import Sweep
from ltc_ir.records.timing import MORE_STAGES, STAGES, ProgramTiming, Timing

if TYPE_CHECKING:
    import pandas as pd

Arguments = ParamSpec("Arguments")
Shown = TypeVar("Shown")


class _Views:
    """What every record can be shown as."""

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        from ltc_ir.records.serialization import to_data

        return dict(to_data(self))

    def _frame_of_csv(self, kind: str, numbers: tuple[str, ...]) -> pd.DataFrame:
        """The lines of the record's CSV, these columns as numbers."""
        import pandas as pd

        from ltc_ir.render.formats import renderer

        header, *rows = csv.reader(io.StringIO(renderer(kind, "csv")(self).exact, newline=""))
        frame = pd.DataFrame(rows, columns=header)
        return frame.assign(**{name: pd.to_numeric(frame[name]) for name in numbers})


@dataclass(frozen=True)
class ShownCount(_Views, Count):
    """A count with the views that notebooks and scripts ask for."""

    def to_pandas(self) -> pd.DataFrame:
        """One row per figure: target, program, level, view, key, op, phase, count."""
        return self._frame_of_csv("count", ("count",))

    def _repr_html_(self) -> str:
        from ltc_ir.render.layouts.count import count_sheets
        from ltc_ir.render.tabular import to_html

        return to_html(count_sheets(self, grad=set(self.programs) == {"forward", "grad"}))


@dataclass(frozen=True)
class ShownSweep(_Views, Sweep):
    """A sweep with the views that notebooks and scripts ask for."""

    def to_pandas(self) -> pd.DataFrame:
        """One row per figure: target, program, parameter, value, metric, unit, figure, low, high, runs, first_only."""
        return self._frame_of_csv("sweep", ("value", "figure", "low", "high", "runs"))

    def _repr_html_(self) -> str:
        from ltc_ir.render.layouts.sweep import sweep_sheets
        from ltc_ir.render.tabular import to_html

        return to_html(sweep_sheets(self))


@dataclass(frozen=True, repr=False)
class ShownTiming(_Views, Timing):
    """A timing with the views that notebooks and scripts ask for."""

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
        from ltc_ir.render.layouts.timing import timing_sheets
        from ltc_ir.render.tabular import to_html

        return to_html(timing_sheets([self]))

    def __repr__(self) -> str:
        return f"<timing of {self.target}: {', '.join(self.programs) or 'nothing'}>"


_FIGURES = ("median_s", "min_s", "max_s", "low_s", "high_s", "runs")


def _figures(made: ProgramTiming, stage: str) -> dict[str, object]:
    measured = made.stages.get(stage)
    if measured is None:
        return {"reason": made.reasons.get(stage)}
    return {name: getattr(measured, name) for name in _FIGURES}


def show(record: Any, kind: type[Shown]) -> Shown:
    """The same record, with its views."""
    return kind(**{field.name: getattr(record, field.name) for field in fields(record)})


def _shown(verb: Callable[Arguments, Any], kind: type[Shown]) -> Callable[Arguments, Shown]:
    """The verb, returning its record with the record's views."""

    @wraps(verb)
    def shown_verb(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Shown:
        return show(verb(*args, **kwargs), kind)

    return shown_verb


count = _shown(count_record, ShownCount)
time = _shown(time_record, ShownTiming)
sweep = _shown(sweep_record, ShownSweep)
