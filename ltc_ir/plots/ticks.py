"""Where a logarithmic axis has its ticks, and how they are labelled: few enough to be read, in units that people use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from ltc_ir.plots import style
from ltc_ir.records.sweep import BYTES, SECONDS

MOST = 7
"""Ticks an axis has at most, where its range allows."""
NARROWEST = 4.0
"""The least ratio of an axis' ends, so that the noise of a level line does not fill it."""
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((2**50, "PiB"), (2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def limits(figures: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that shows all of these, with some room about them."""
    low, high = min(figures), max(figures)
    room = max((high / low) ** 0.08, 1.12)
    short = math.sqrt(max(1.0, NARROWEST / (high / low * room * room)))
    return low / room / short, high * room * short


def ticks(low: float, high: float, unit: str) -> list[float]:
    """The densest row of round numbers that is not too many."""
    rows = _binary if unit == BYTES else _decimal
    shown: list[float] = []
    for row in rows(low, high):
        shown = [tick for tick in row if low <= tick <= high]
        if len(shown) <= MOST:
            break
    return shown


def _decimal(low: float, high: float) -> Iterator[list[float]]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        yield [step * 10.0**power for power in range(first, last + 1) for step in steps]
    for every in (2, 3, 6, 12, 24):
        yield [10.0**power for power in range(first, last + 1) if power % every == 0]


def _binary(low: float, high: float) -> Iterator[list[float]]:
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    for every in (1, 2, 5, 10, 20):
        yield [2.0**power for power in range(first, last + 1) if power % every == 0]


def label(tick: float, unit: str) -> str:
    """A tick in words: ``1,000``, ``10 ms``, ``64 KiB``."""
    if unit == SECONDS:
        return _in_units(tick, _SECONDS)
    if unit == BYTES:
        return _in_units(tick, _BYTES) if tick >= 1024 else f"{tick:g} B"
    return _number(tick)


def _in_units(tick: float, units: Sequence[tuple[float, str]]) -> str:
    size, unit = next((one for one in units if tick >= one[0] * 0.999), units[-1])
    return f"{_number(tick / size)} {unit}"


def _number(number: float) -> str:
    """With thousands apart as long as that can be read at a glance; then, and far below 1, as a power of ten."""
    if 9.99 <= number < 1e7:
        return f"{number:,.0f}"
    if 1e-3 <= number < 9.99:
        return f"{number:.3g}"
    power = math.floor(math.log10(number) + 1e-9)
    ten = "10" + str(power).translate(_RAISED)
    first = f"{number / 10.0**power:.2g}"
    return ten if first == "1" else f"{first}·{ten}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def spread_out(values: Sequence[int], place: Callable[[float], float], size: float) -> list[int]:
    """Of these values the ones whose labels have room beside one another, both ends first; ``place`` is in inches."""
    kept: list[int] = []
    for value in dict.fromkeys((values[-1], values[0], *values)):
        needed = [(style.width(f"{one:,}", size) + style.width(f"{value:,}", size)) / 2 + 0.08 for one in kept]
        if all(abs(place(one) - place(value)) >= need for one, need in zip(kept, needed, strict=True)):
            kept.append(value)
    return sorted(kept)


def label_axis(axes: Axes, which: str, at: Sequence[float], labels: Sequence[str]) -> None:
    """Give an axis these ticks and no others."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(at)))
    axis.set_major_formatter(FixedFormatter(list(labels)))
    axis.set_minor_locator(NullLocator())
