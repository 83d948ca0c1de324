"""The formats of experiments by name; a renderer returns text, or renderables for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ltc_ir.lab.layouts import experiment_sheets
from ltc_ir.lab.record_codec import experiments_to_json, row_to_dict
from ltc_ir.lab.records import Experiment
from ltc_ir.render.markdown import to_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]

COLUMNS = (
    "model", "case", "variant", "metric", "rollout", "selection", "published", "median", "low", "high", "seeds",
    "inside", "diverged",
)  # fmt: skip


def to_experiment_csv(made: Sequence[Experiment]) -> str:
    """A line a row; what could not be had, or is no number, is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["experiment", *COLUMNS])
    for one in made:
        rows = (row_to_dict(row) for row in one.rows)
        writer.writerows([one.name, *(row[column] for column in COLUMNS)] for row in rows)
    return text.getvalue()


def _table(made: Sequence[Experiment]) -> list[RenderableType]:
    from ltc_ir.render.table import to_table

    return [to_table(sheet) for sheet in experiment_sheets(made)]


EXPERIMENT_FORMATS: dict[str, Callable[[Sequence[Experiment]], Rendered]] = {
    "table": _table,
    "json": lambda made: experiments_to_json(list(made)),
    "csv": to_experiment_csv,
    "markdown": lambda made: to_markdown(experiment_sheets(made)),
}
"""How experiments can be shown in text."""
