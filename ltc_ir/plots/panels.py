"""Lays out a page of panels alike: title, legend and notes about them, each panel titled and its axes labelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from ltc_ir.plots import style
from ltc_ir.plots.style import BODY, SMALL, TITLE, Look, Picture

SIDE, LEFT, GAP, HEAD_ROOM, FOOT = 0.35, 0.62, 0.26, 0.27, 0.5
"""Inches: the margin, what stands left of a line of panels, between two, above one and below one."""


class Entry(NamedTuple):
    """A legend's entry: how a line is drawn, and what it is."""

    how: Mapping[str, Any]
    words: str


class Sheet(NamedTuple):
    """What stands about panels, and how many of them there are, in which size."""

    title: str
    about: str
    across: int
    down: int
    size: tuple[float, float]
    legend: Sequence[Entry]
    notes: Sequence[str] = ()
    gap: float = GAP


class Cell(NamedTuple):
    """A panel: its title and what its axes are; ``None`` where a neighbour's labels serve."""

    title: str
    along: str
    up: str | None = None


def laid_out(sheet: Sheet, look: Look) -> tuple[Picture, float]:
    """The page with all but its panels, and where these begin."""
    wide, high = sheet.size
    inner = LEFT + sheet.across * (wide + sheet.gap) - sheet.gap
    lines = _flowed(sheet.legend, inner)
    notes = [line for note in sheet.notes for line in style.wrapped(note, inner)]
    top = 0.95 + len(lines) * 0.23
    height = top + sheet.down * (HEAD_ROOM + high + FOOT) + len(notes) * style.line_height(SMALL) + 0.2
    page = Picture(inner + 2 * SIDE, height, look)
    page.write(SIDE, 0.22, style.cut(sheet.title, inner, TITLE, True), TITLE, bold=True)
    page.write(SIDE, 0.52, style.cut(sheet.about, inner, BODY), BODY, color=look.quiet)
    for number, line in enumerate(lines):
        y, x = 0.86 + number * 0.23, SIDE
        for entry in line:
            middle = y + style.line_height(BODY) / 2
            page.mark((x, x + 0.17, x + 0.34), (middle,) * 3, **{"markevery": [1], **entry.how})
            page.write(x + 0.44, y, entry.words, BODY)
            x += _entry_width(entry)
    page.write_lines(SIDE, height - 0.2 - len(notes) * style.line_height(SMALL), notes)
    return page, top


def _flowed(entries: Iterable[Entry], wide: float) -> list[list[Entry]]:
    lines: list[list[Entry]] = []
    for entry in entries:
        if not lines or sum(map(_entry_width, [*lines[-1], entry])) > wide + 0.3:
            lines.append([])
        lines[-1].append(entry)
    return lines


def _entry_width(entry: Entry) -> float:
    return 0.44 + style.width(entry.words, BODY) + 0.3


def panel(page: Picture, sheet: Sheet, top: float, number: int, cell: Cell) -> Axes:
    """The panel of this number, line by line; titled, and with its axes labelled."""
    wide, high = sheet.size
    down, across = divmod(number, sheet.across)
    x, y = SIDE + LEFT + across * (wide + sheet.gap), top + down * (HEAD_ROOM + high + FOOT)
    page.write(x, y, style.cut(cell.title, wide, BODY, True), BODY, bold=True)
    axes = page.axes(x, y + HEAD_ROOM - 0.04, wide, high)
    axes.grid(True, color=page.look.rule, linewidth=0.7)
    axes.set_xlabel(cell.along, fontsize=SMALL, color=page.look.quiet, labelpad=2)
    if cell.up is not None:
        axes.set_ylabel(cell.up, fontsize=SMALL, color=page.look.quiet, labelpad=3)
    else:
        axes.tick_params(labelleft=False)
    return axes
