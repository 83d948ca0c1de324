"""The formats of timings by name; a renderer returns text, or renderables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ltc_ir.errors import UsageError
from ltc_ir.records.timing import Timing
from ltc_ir.records.timing_codec import timings_to_json
from ltc_ir.render.layouts.timing import timing_sheets
from ltc_ir.render.markdown import to_markdown
from ltc_ir.render.passes_formats import PASSES_FORMATS
from ltc_ir.render.timing_csv import to_timing_csv

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]


OF_PASSES = ("folded", "speedscope", "chrome-trace")
"""The formats for other tools, which hold one compile by pass and nothing else."""


def as_table(timings: Sequence[Timing], **layout: Any) -> list[RenderableType]:
    """Timings as rich renderables."""
    from ltc_ir.render.table import to_table

    return [to_table(sheet) for sheet in timing_sheets(timings, **layout)]


def _of_passes(format: str) -> Callable[..., Rendered]:
    """The renderer of a format of `OF_PASSES`: of the one program that was timed."""

    def render(timings: Sequence[Timing], **_: Any) -> Rendered:
        made = [one for timing in timings for one in timing.programs.values()]
        if len(made) != 1:
            raise UsageError(f"{format} holds the compile of one program, not of {len(made)}", ONE_PROGRAM)
        if made[0].passes is None:
            why = made[0].reasons.get("passes", "it was not looked into")
            raise UsageError(f"no compile by pass: {why}", "the other formats hold what was measured")
        return PASSES_FORMATS[format](made[0].passes)

    return render


ONE_PROGRAM = "name one target, and one program with --program"
TIMING_FORMATS: dict[str, Callable[..., Rendered]] = {
    "table": as_table,
    "json": lambda timings, **_: timings_to_json(timings),
    "csv": lambda timings, **_: to_timing_csv(timings),
    "markdown": lambda timings, **layout: to_markdown(timing_sheets(timings, **layout)),
    **{format: _of_passes(format) for format in OF_PASSES},
}
"""How timings can be shown; the last three show one compile by pass, to other tools."""
