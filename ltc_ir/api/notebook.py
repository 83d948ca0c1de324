"""A count as a notebook shows it: `to_pandas` and an HTML view; what they need is imported when they are asked for."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ltc_ir.records.count import Count

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ShownCount(Count):
    """A count with the views that notebooks and scripts ask for."""

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        from ltc_ir.records.serialization import to_data

        return dict(to_data(self))

    def to_pandas(self) -> pd.DataFrame:
        """One row per figure: target, program, level, view, key, op, phase, count."""
        import pandas as pd

        from ltc_ir.render.formats import renderer

        header, *rows = csv.reader(io.StringIO(renderer("count", "csv")(self)))
        frame = pd.DataFrame(rows, columns=header)
        return frame.assign(count=pd.to_numeric(frame["count"]))

    def _repr_html_(self) -> str:
        from ltc_ir.render.html import to_html
        from ltc_ir.render.layouts.count import count_sheets

        return to_html(count_sheets(self, grad=set(self.programs) == {"forward", "grad"}))


def shown(count: Count) -> ShownCount:
    """The same count, with its notebook views."""
    return ShownCount(**{field.name: getattr(count, field.name) for field in fields(count)})
