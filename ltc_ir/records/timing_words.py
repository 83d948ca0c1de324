"""A timing in words, the same in every format: seconds as people read them, and the one sentence that names the cause."""

from __future__ import annotations

from ltc_ir.records.timing import Cause

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def seconds(value: float | None) -> str:
    """Seconds with three digits that count and a unit that suits them; nothing for what is not there."""
    if value is None:
        return ""
    for size, unit in _UNITS:
        if value >= size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{value / 1e-9:.2f} ns" if value else "0 s"


def _three_digits(number: float) -> str:
    if number >= 999.5:
        return f"{number:,.0f}"
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}"


def sentence(cause: Cause) -> str:
    """The cause in one sentence, drawn from its figures alone."""
    stage = {"first": "first call"}.get(cause.stage, cause.stage)
    text = f"{stage} {seconds(cause.stage_s)} of {seconds(cause.cold_s)}"
    if cause.number is not None:
        text += f": {cause.number:,} {cause.unit}"
    if cause.source is not None and cause.source_number is not None:
        text += f", most from {cause.source} ({cause.source_number:,})"
    return text
