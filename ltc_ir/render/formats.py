"""The formats of a count by name; a renderer returns text, or renderables for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ltc_ir.records.codec import count_to_dict, dumps
from ltc_ir.records.count import Count
from ltc_ir.render.csv import to_csv
from ltc_ir.render.folded import to_folded
from ltc_ir.render.layouts.count import count_sheets
from ltc_ir.render.markdown import to_markdown
from ltc_ir.render.pprof import stacks_to_pprof
from ltc_ir.render.speedscope import stacks_to_speedscope

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | bytes | list[RenderableType]


def _table(count: Count, **layout: Any) -> list[RenderableType]:
    from ltc_ir.render.table import to_table

    return [to_table(sheet) for sheet in count_sheets(count, **layout)]


STACK_FORMATS = {"folded": "folded stacks", "speedscope": "speedscope's stacks", "pprof": "pprof's stacks"}
"""The formats that need a count by stack, and how messages call what they hold."""
COUNT_FORMATS: dict[str, Callable[..., Rendered]] = {
    "table": _table,
    "json": lambda count, **_: dumps(count_to_dict(count)),
    "csv": lambda count, **_: to_csv(count),
    "markdown": lambda count, **layout: to_markdown(count_sheets(count, **layout)),
    "folded": lambda count, **_: to_folded(count),
    "speedscope": lambda count, **_: stacks_to_speedscope(count),
    "pprof": lambda count, **_: stacks_to_pprof(count),
}
"""How a count can be shown: as table, JSON, CSV or Markdown; a count by stack also folded, for speedscope or for pprof."""
