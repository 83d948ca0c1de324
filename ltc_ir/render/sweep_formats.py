"""The formats of a sweep by name; a renderer returns text, or renderables for a terminal. Pictures are drawn elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ltc_ir.records.sweep import Sweep
from ltc_ir.records.sweep_codec import sweep_to_json
from ltc_ir.render.layouts.sweep import sweep_sheets
from ltc_ir.render.markdown import to_markdown
from ltc_ir.render.sweep_csv import to_sweep_csv

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]


def _table(sweep: Sweep) -> list[RenderableType]:
    from ltc_ir.render.table import to_table

    return [to_table(sheet) for sheet in sweep_sheets(sweep)]


SWEEP_FORMATS: dict[str, Callable[[Sweep], Rendered]] = {
    "table": _table,
    "json": sweep_to_json,
    "csv": to_sweep_csv,
    "markdown": lambda sweep: to_markdown(sweep_sheets(sweep)),
}
"""How a sweep can be shown in text."""
