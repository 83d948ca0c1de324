"""Lays out a page of panels alike: title, legend, labels, and logarithmic axes with few, readable ticks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from ltc_ir.plots import style
from ltc_ir.plots.style import BODY, SMALL, TITLE, Look, Picture
from ltc_ir.records.sweep import BYTES, SECONDS

SIDE, LEFT, GAP, HEAD_ROOM, FOOT = 0.35, 0.62, 0.26, 0.27, 0.5
"""Inches: the margin, and the room left of a row of panels, between two, above one and below one."""


class Entry(NamedTuple):
    """An entry of the legend: the style of a line, and its meaning."""

    how: Mapping[str, Any]
    words: str


class Sheet(NamedTuple):
    """The texts around panels, and their number and size."""

    title: str
    about: str
    across: int
    down: int
    size: tuple[float, float]
    legend: Sequence[Entry]
    notes: Sequence[str] = ()
    gap: float = GAP


class Cell(NamedTuple):
    """A panel: its title and the labels of its axes; ``None`` where it shares its neighbour's."""

    title: str
    along: str
    up: str | None = None


def lay_out(sheet: Sheet, look: Look) -> tuple[Picture, float]:
    """The page without its panels, and the height at which these begin."""
    wide, high = sheet.size
    inner = LEFT + sheet.across * (wide + sheet.gap) - sheet.gap
    lines = _wrapped_entries(sheet.legend, inner)
    notes = [line for note in sheet.notes for line in style.wrap(note, inner)]
    top = 0.95 + len(lines) * 0.23
    height = top + sheet.down * (HEAD_ROOM + high + FOOT) + len(notes) * style.line_height(SMALL) + 0.2
    page = Picture(inner + 2 * SIDE, height, look)
    page.write(SIDE, 0.22, style.shorten_middle(sheet.title, inner, TITLE, True), TITLE, bold=True)
    page.write(SIDE, 0.52, style.shorten_middle(sheet.about, inner, BODY), BODY, color=look.quiet)
    for number, line in enumerate(lines):
        y, x = 0.86 + number * 0.23, SIDE
        for entry in line:
            middle = y + style.line_height(BODY) / 2
            page.mark((x, x + 0.17, x + 0.34), (middle,) * 3, **{"markevery": [1], **entry.how})
            page.write(x + 0.44, y, entry.words, BODY)
            x += _entry_width(entry)
    page.write_lines(SIDE, height - 0.2 - len(notes) * style.line_height(SMALL), notes)
    return page, top


def _wrapped_entries(entries: Iterable[Entry], wide: float) -> list[list[Entry]]:
    lines: list[list[Entry]] = []
    for entry in entries:
        if not lines or sum(map(_entry_width, [*lines[-1], entry])) > wide + 0.3:
            lines.append([])
        lines[-1].append(entry)
    return lines


def _entry_width(entry: Entry) -> float:
    return 0.44 + style.width(entry.words, BODY) + 0.3


def draw_panel(page: Picture, sheet: Sheet, top: float, number: int, cell: Cell) -> Axes:
    """The panel of this number, row by row, with its title and the labels of its axes."""
    wide, high = sheet.size
    down, across = divmod(number, sheet.across)
    x, y = SIDE + LEFT + across * (wide + sheet.gap), top + down * (HEAD_ROOM + high + FOOT)
    page.write(x, y, style.shorten_middle(cell.title, wide, BODY, True), BODY, bold=True)
    axes = page.axes(x, y + HEAD_ROOM - 0.04, wide, high)
    axes.grid(True, color=page.look.rule, linewidth=0.7)
    axes.set_xlabel(cell.along, fontsize=SMALL, color=page.look.quiet, labelpad=2)
    if cell.up is not None:
        axes.set_ylabel(cell.up, fontsize=SMALL, color=page.look.quiet, labelpad=3)
    else:
        axes.tick_params(labelleft=False)
    return axes


MOST = 7
"""The most ticks of an axis, where its range allows."""
NARROWEST = 4.0
"""The least ratio of an axis' ends, so that the noise of a level line does not fill it."""
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((2**50, "PiB"), (2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def axis_limits(figures: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that shows all of these, with some room about them."""
    low, high = min(figures), max(figures)
    room = max((high / low) ** 0.08, 1.12)
    short = math.sqrt(max(1.0, NARROWEST / (high / low * room * room)))
    return low / room / short, high * room * short


def choose_ticks(low: float, high: float, unit: str) -> list[float]:
    """The densest row of round numbers that is not too many."""
    rows = _binary if unit == BYTES else _decimal
    visible: list[float] = []
    for row in rows(low, high):
        visible = [tick for tick in row if low <= tick <= high]
        if len(visible) <= MOST:
            break
    return visible


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


def tick_label(tick: float, unit: str) -> str:
    """A tick in words: ``1,000``, ``10 ms``, ``64 KiB``."""
    if unit == SECONDS:
        return _in_units(tick, _SECONDS)
    if unit == BYTES:
        return _in_units(tick, _BYTES) if tick >= 1024 else f"{tick:g} B"
    return _number(tick)


def _in_units(tick: float, units: Sequence[tuple[float, str]]) -> str:
    size, unit = next((entry for entry in units if tick >= entry[0] * 0.999), units[-1])
    return f"{_number(tick / size)} {unit}"


def _number(number: float) -> str:
    """With thousands separators below ten million; above, and far below 1, as a power of ten."""
    if 9.99 <= number < 1e7:
        return f"{number:,.0f}"
    if 1e-3 <= number < 9.99:
        return f"{number:.3g}"
    power = math.floor(math.log10(number) + 1e-9)
    ten = "10" + str(power).translate(_RAISED)
    first = f"{number / 10.0**power:.2g}"
    return ten if first == "1" else f"{first}·{ten}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def labels_that_fit(values: Sequence[int], place: Callable[[float], float], size: float) -> list[int]:
    """Of these values the ones whose labels have room next to each other, both ends first; ``place`` is in inches."""
    labelled: list[int] = []
    for value in dict.fromkeys((values[-1], values[0], *values)):
        needed = [(style.width(f"{other:,}", size) + style.width(f"{value:,}", size)) / 2 + 0.08 for other in labelled]
        if all(abs(place(other) - place(value)) >= need for other, need in zip(labelled, needed, strict=True)):
            labelled.append(value)
    return sorted(labelled)


def set_ticks(axes: Axes, which: str, at: Sequence[float], labels: Sequence[str]) -> None:
    """Give an axis these ticks and no others."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(at)))
    axis.set_major_formatter(FixedFormatter(list(labels)))
    axis.set_minor_locator(NullLocator())
