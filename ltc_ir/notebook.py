"""Records as a notebook shows them: `to_pandas` and an HTML view, kept out of `records` so that those stay cold."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ltc_ir.records.codec import count_to_dict
from ltc_ir.records.count import Count
from ltc_ir.records.sweep import Sweep
from ltc_ir.records.sweep_codec import sweep_to_dict
from ltc_ir.render.sheets import count_sheets
from ltc_ir.render.sweep_csv import to_sweep_csv
from ltc_ir.render.sweep_sheets import sweep_sheets
from ltc_ir.render.to_csv import to_csv
from ltc_ir.render.to_html import to_html

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ShownCount(Count):
    """A count with the views that notebooks and scripts ask for."""

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return count_to_dict(self)

    def to_pandas(self) -> pd.DataFrame:
        """One row per figure: target, program, level, view, key, op, phase, count."""
        import pandas as pd

        header, *rows = csv.reader(io.StringIO(to_csv(self)))
        frame = pd.DataFrame(rows, columns=header)
        return frame.assign(count=pd.to_numeric(frame["count"]))

    def _repr_html_(self) -> str:
        return to_html(count_sheets(self, grad=set(self.programs) == {"forward", "grad"}))


@dataclass(frozen=True)
class ShownSweep(Sweep):
    """A sweep with the views that notebooks and scripts ask for."""

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return sweep_to_dict(self)

    def to_pandas(self) -> pd.DataFrame:
        """One row per figure: target, program, parameter, value, metric, unit, figure, low, high."""
        import pandas as pd

        header, *rows = csv.reader(io.StringIO(to_sweep_csv(self)))
        frame = pd.DataFrame(rows, columns=header)
        return frame.assign(**{name: pd.to_numeric(frame[name]) for name in ("value", "figure", "low", "high")})

    def _repr_html_(self) -> str:
        return to_html(sweep_sheets(self))


def shown_sweep(sweep: Sweep) -> ShownSweep:
    """The same sweep, with its notebook views."""
    return ShownSweep(**{field.name: getattr(sweep, field.name) for field in fields(sweep)})


def shown(count: Count) -> ShownCount:
    """The same count, with its notebook views."""
    return ShownCount(**{field.name: getattr(count, field.name) for field in fields(count)})
