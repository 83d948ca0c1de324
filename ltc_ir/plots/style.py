"""How every picture looks: paper, ink and colours, light and dark; text placed in inches; the same bytes each time."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from ltc_ir.escape import CELL, capped, escape_message

FORMS = ("svg", "png")
"""The formats of pictures."""
TITLE, HEAD, BODY, SMALL = 13.0, 10.5, 9.0, 8.0
"""Sizes of text, in points."""
LINE = 1.55
"""From one line of text to the next, in sizes of its font."""
MARKERS = ("o", "s", "^", "D", "v")
STROKES: tuple[str | tuple[float, tuple[float, ...]], ...] = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)))
"""Strokes distinguish series, with the markers, in prints without colours."""
MARKER_SIZES = (8.0, 6.4, 6.2, 5.0, 5.8)
"""The first are the largest, so that points which lie on one another are all seen."""
_PNG_DPI = 192
"""Two dots for each of the 96 to the inch that a browser counts."""


@dataclass(frozen=True)
class Look:
    """The colours of a picture. ``series`` are told apart with any of the common kinds of colour blindness.

    They are those of Okabe and Ito ("Color Universal Design", 2008), in each look the ones that stand out from its paper.
    """

    paper: str
    ink: str
    quiet: str
    rule: str
    loud: str
    series: tuple[str, ...]


LIGHT = Look(
    "#ffffff", "#1b1f24", "#59636e", "#dfe3e8", "#b3450a", ("#0072b2", "#d55e00", "#009e73", "#b8568f", "#444444")
)
DARK = Look(
    "#0d1117", "#e6edf3", "#9aa5b1", "#2b323b", "#f0a35e", ("#56b4e9", "#e69f00", "#35c79a", "#dd8fbd", "#f0e442")
)


def draw_picture(draw: Callable[[Look], Figure], form: str, dark: bool) -> bytes:
    """The bytes of the figure that ``draw`` returns for a look; independent of the user's matplotlib settings, which are kept.

    Raises:
        ValueError: a form that is not one of `FORMS`.
    """
    if form not in FORMS:
        raise ValueError(f"a picture can be {' or '.join(FORMS)}, not {form!r}")
    with _settings():
        return _saved(draw(DARK if dark else LIGHT), form)


@contextmanager
def _settings() -> Iterator[None]:
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in a script that the font lacks
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "font.family": "DejaVu Sans",  # comes with matplotlib, so that text is as wide everywhere
                "text.parse_math": False,  # a $ in a name is a $
                "svg.fonttype": "path",
                "svg.hashsalt": "ltc-ir",
            }
        )
        yield


def _saved(figure: Figure, form: str) -> bytes:
    data = io.BytesIO()
    nothing = {"Date": None, "Creator": "ltc-ir"} if form == "svg" else {"Software": None}
    figure.savefig(data, format=form, dpi=72 if form == "svg" else _PNG_DPI, metadata=nothing)
    return _slim(data.getvalue()) if form == "svg" else data.getvalue()


_LONG = re.compile(rb'(?<=[ "(])(?<!scale\()(-?\d+\.\d\d)\d+(?=[ ")])')
_MARK = rb'<use xlink:href="#m\w+" x="[^"]*" y="[^"]*" style="%s"/>\n'
_MARKS = re.compile(_MARK % rb'([^"]*)' + b"(?:" + _MARK % rb"\1" + b")+")


def _slim(svg: bytes) -> bytes:
    """The same picture in fewer bytes: places to a hundredth of a point, and one style for a group of marks."""
    lines = (line.lstrip() for line in svg.split(b"\n"))
    short = b"\n".join(line if line.startswith(b"<!--") else _LONG.sub(rb"\1", line) for line in lines)
    return _MARKS.sub(_grouped, short)


def _grouped(marks: re.Match[bytes]) -> bytes:
    style = b' style="%s"' % marks[1]
    return b"<g%s>\n%s</g>\n" % (style, marks[0].replace(style, b""))


def printable(text: str) -> str:
    """The text as one line that can be drawn, of at most some 500 characters: each is measured."""
    return escape_message(capped(text, CELL))


def width(text: str, size: float = BODY, bold: bool = False) -> float:
    """How wide a line of text is at most, in inches: hinting may make it a little wider than its outlines are."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        return 1.03 * float(text_to_path.get_text_width_height_descent(text, font, False)[0]) / 72


def shorten_middle(text: str, most: float, size: float = BODY, bold: bool = False) -> str:
    """A line at most so many inches wide: a longer one loses its middle, as names differ at their ends."""
    text = printable(text)
    if width(text, size, bold) <= most:
        return text
    fits, too_long = 3, len(text)
    while too_long - fits > 1:
        length = (fits + too_long) // 2
        if width(_without_middle(text, length), size, bold) > most:
            too_long = length
        else:
            fits = length
    return _without_middle(text, fits)


def _without_middle(text: str, length: int) -> str:
    if length >= len(text):
        return text
    front = (length - 1) // 3
    return f"{text[:front]}…{text[len(text) - (length - 1 - front) :]}"


def wrap(text: str, most: float, size: float = SMALL) -> list[str]:
    """A sentence over lines at most so many inches wide."""
    lines: list[str] = []
    for word in printable(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= most:
            lines[-1] = longer
        else:
            lines.append(shorten_middle(word, most, size))
    return lines


def shorten_end(text: str, most: float, size: float = SMALL) -> str:
    """A sentence at most so many inches wide: a longer one loses its end."""
    lines = wrap(text, most - width(" …", size), size)
    return lines[0] if len(lines) == 1 else f"{lines[0]} …"


def line_height(size: float) -> float:
    """The height of a line of text, in inches."""
    return size * LINE / 72


class Picture:
    """A figure on which everything is placed in inches from its upper left corner."""

    def __init__(self, width: float, height: float, look: Look) -> None:
        """An empty sheet of paper."""
        self.width, self.height, self.look = width, height, look
        self.figure = Figure(figsize=(width, height), dpi=_PNG_DPI, facecolor=look.paper)

    def write(
        self, x: float, y: float, text: str, size: float = BODY, *, color: str | None = None, bold: bool = False,
        align: str = "left",
    ) -> None:  # fmt: skip
        """A line of text, the upper end of it at ``y``."""
        self.figure.text(
            x / self.width, 1 - (y + line_height(size) / 2) / self.height, text, fontsize=size, ha=align,
            va="center_baseline", color=color or self.look.ink, fontweight="bold" if bold else "normal",
        )  # fmt: skip

    def write_lines(
        self, x: float, y: float, lines: Sequence[str], size: float = SMALL, color: str | None = None
    ) -> None:
        """Lines of text, one beneath the other."""
        for number, line in enumerate(lines):
            self.write(x, y + number * line_height(size), line, size, color=color or self.look.quiet)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Empty axes, the outer ends of the area that is drawn on."""
        left, bottom = x / self.width, 1 - (y + height) / self.height
        axes = self.figure.add_axes((left, bottom, width / self.width, height / self.height))
        axes.set_facecolor(self.look.paper)
        axes.set_axisbelow(True)
        axes.tick_params(which="both", labelsize=SMALL, colors=self.look.quiet, length=3, width=0.8)
        for side, spine in axes.spines.items():
            spine.set_visible(side in {"left", "bottom"})
            spine.set_color(self.look.quiet)
        return axes

    def sample(self, x: float, y: float, series: int, length: float = 0.34) -> None:
        """How a series is drawn, for a legend: its stroke and its marker."""
        self.mark((x, x + length / 2, x + length), (y, y, y), markevery=[1], **self.series(series))

    def mark(self, across: Sequence[float], along: Sequence[float], **how: Any) -> None:
        """A line or markers outside axes, for a legend."""
        xs, ys = [x / self.width for x in across], [1 - y / self.height for y in along]
        self.figure.add_artist(Line2D(xs, ys, transform=self.figure.transFigure, **how))

    def series(self, number: int) -> dict[str, Any]:
        """The keywords of a line of a series."""
        return {
            "color": self.look.series[number], "linestyle": STROKES[number], "linewidth": 1.1,
            "marker": MARKERS[number], "markersize": MARKER_SIZES[number], "markeredgecolor": self.look.paper,
            "markeredgewidth": 0.7,
        }  # fmt: skip
