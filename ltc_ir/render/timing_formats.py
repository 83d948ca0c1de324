"""The formats of timings by name; a renderer returns text, or renderables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ltc_ir.records.timing import Timing
from ltc_ir.records.timing_codec import timings_to_json
from ltc_ir.render.timing_csv import to_timing_csv
from ltc_ir.render.timing_sheets import timing_sheets
from ltc_ir.render.to_markdown import to_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]


def as_table(timings: Sequence[Timing]) -> list[RenderableType]:
    """Timings as rich renderables."""
    from ltc_ir.render.to_table import to_table

    return [to_table(sheet) for sheet in timing_sheets(timings)]


TIMING_FORMATS: dict[str, Callable[[Sequence[Timing]], Rendered]] = {
    "table": as_table,
    "json": timings_to_json,
    "csv": to_timing_csv,
    "markdown": lambda timings: to_markdown(timing_sheets(timings)),
}
"""How timings can be shown."""
