"""The formats that are pictures, by name; what draws them is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ltc_ir_cli.options import known_format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltc_ir.records.sweep import Sweep
    from ltc_ir.records.timing import Timing

PICTURES = ("svg", "png")
"""Pictures for a page, and for print."""


def renderer(format: str, formats: Mapping[str, Callable[..., Any]], draw: Callable[..., bytes]) -> Callable[..., Any]:
    """What renders this format: one of ``formats``, or ``draw`` for a picture."""
    known_format(format, _with_pictures(formats))
    return formats[format] if format in formats else lambda record, **_: draw(record, format)


def _with_pictures(formats: Iterable[str]) -> list[str]:
    return [*formats, *PICTURES]


def draw_sweep(sweep: Sweep, format: str) -> bytes:
    """A sweep over logarithmic axes."""
    from ltc_ir.plots.sweep_plot import sweep_picture

    return sweep_picture(sweep, format)


def draw_timings(timings: Sequence[Timing], format: str) -> bytes:
    """The profiling table as bars."""
    from ltc_ir.plots.timing_plot import timing_picture

    return timing_picture(timings, format)
