"""The formats of a check by name; a renderer returns text, or renderables for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ltc_ir.records.check import Check
from ltc_ir.records.check_codec import check_to_dict
from ltc_ir.records.codec import dumps
from ltc_ir.render.check_csv import check_to_csv
from ltc_ir.render.check_markdown import check_to_markdown
from ltc_ir.render.github import check_to_github
from ltc_ir.render.junit import check_to_junit
from ltc_ir.render.layouts.check import check_to_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]

CHECK_FORMATS: dict[str, Callable[[Check], Rendered]] = {
    "table": check_to_table,
    "json": lambda check: dumps(check_to_dict(check)),
    "csv": check_to_csv,
    "markdown": check_to_markdown,
    "junit": check_to_junit,
    "github": check_to_github,
}
"""How a check can be shown."""
