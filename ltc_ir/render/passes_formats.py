"""The formats of a compile by pass by name; a renderer returns text, or renderables for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ltc_ir.records.codec import dumps
from ltc_ir.records.passes import Passes
from ltc_ir.records.passes_codec import passes_to_dict
from ltc_ir.render.chrome_trace import passes_to_chrome_trace
from ltc_ir.render.layouts.passes import passes_sheets
from ltc_ir.render.markdown import to_markdown
from ltc_ir.render.speedscope import passes_to_speedscope

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]


def passes_to_csv(passes: Passes) -> str:
    """A line a node of the tree, then a line a kernel; the seconds of different threads overlap."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([
        "program", "what", "thread", "path", "inclusive_s", "exclusive_s", "count", "kind", "source", "phase", "reason",
    ])  # fmt: skip
    for one in passes.times:
        figures = (one.inclusive_s, one.exclusive_s, one.count, one.kind)
        writer.writerow([passes.program, "pass", one.thread, ";".join(one.path), *figures, None, None, None])
    for kernel in passes.kernels:
        known = (kernel.source, kernel.phase, kernel.reason)
        row = (kernel.thread, kernel.name, kernel.seconds, None, kernel.count, None, *known)
        writer.writerow([passes.program, "kernel", *row])
    return text.getvalue()


def passes_to_folded(passes: Passes) -> str:
    """Folded stacks: the thread, then its passes, and the microseconds that the last took by itself."""
    lines = []
    for one in passes.times:
        spent = round(one.exclusive_s * 1e6)
        if spent:
            path = ";".join(part.replace(";", ",") for part in (one.thread, *one.path))
            lines.append(f"{path.replace(' ', '_')} {spent}\n")
    return "".join(lines)


def _table(passes: Passes, **layout: Any) -> list[RenderableType]:
    from ltc_ir.render.table import to_table

    return [to_table(sheet) for sheet in passes_sheets(passes, **layout)]


PASSES_FORMATS: dict[str, Callable[..., Rendered]] = {
    "table": _table,
    "json": lambda passes, **_: dumps(passes_to_dict(passes)),
    "csv": lambda passes, **_: passes_to_csv(passes),
    "markdown": lambda passes, **layout: to_markdown(passes_sheets(passes, **layout)),
    "folded": lambda passes, **_: passes_to_folded(passes),
    "speedscope": lambda passes, **_: passes_to_speedscope(passes),
    "chrome-trace": lambda passes, **_: passes_to_chrome_trace(passes),
}
"""How one compile can be shown; the last three are for other tools, and of one program."""
