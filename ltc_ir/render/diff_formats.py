"""The formats of a diff by name; a renderer returns text, or renderables for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ltc_ir.records.codec import dumps
from ltc_ir.records.diff import Diff
from ltc_ir.records.diff_codec import diff_to_dict
from ltc_ir.render.diff_csv import diff_to_csv
from ltc_ir.render.layouts.diff import diff_sheets
from ltc_ir.render.markdown import to_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]


def diff_to_table(diff: Diff, **layout: Any) -> list[RenderableType]:
    """The diff as rich renderables, one a sheet."""
    from ltc_ir.render.table import to_table

    return [to_table(sheet) for sheet in diff_sheets(diff, **layout)]


def diff_to_json(diff: Diff) -> str:
    """The diff as JSON text."""
    return dumps(diff_to_dict(diff))


def diff_to_markdown(diff: Diff, **layout: Any) -> str:
    """The diff as Markdown tables, one a sheet."""
    return to_markdown(diff_sheets(diff, **layout))


DIFF_FORMATS: dict[str, Callable[..., Rendered]] = {
    "table": diff_to_table,
    "json": lambda diff, **_: diff_to_json(diff),
    "csv": lambda diff, **_: diff_to_csv(diff),
    "markdown": diff_to_markdown,
}
"""How a diff can be shown."""
