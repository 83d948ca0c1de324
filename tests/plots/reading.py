"""What a reader sees of a figure: its texts, and whether they stand on the paper and apart from one another."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ltc_ir.plots import style


def figure_of(draw: Callable[[style.Look], Figure]) -> Figure:
    """The figure as it is drawn, before it is bytes."""
    made: list[Figure] = []

    def keep(look: style.Look) -> Figure:
        made.append(draw(look))
        return made[0]

    style.draw_picture(keep, "png", False)
    return made[0]


def texts(figure: Figure) -> list[str]:
    """Every text that is not empty, in the order it was placed."""
    return [one.get_text() for one in placed(figure)]


def placed(figure: Figure) -> list[Text]:
    return [one for one in figure.findobj(Text) if one.get_visible() and one.get_text().strip()]


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Where each text stands, in dots."""
    canvas = FigureCanvasAgg(figure)
    canvas.print_png(io.BytesIO())
    renderer = canvas.get_renderer()
    return [(one.get_text(), one.get_window_extent(renderer)) for one in placed(figure)]


def faults(figure: Figure) -> list[str]:
    """Texts that leave the paper or lie on one another."""
    found = boxes(figure)
    paper = figure.bbox
    outside = [text for text, box in found if box.x0 < 0 or box.y0 < 0 or box.x1 > paper.x1 or box.y1 > paper.y1]
    overlapping = [f"{a} / {b}" for (a, one), (b, two) in combinations(found, 2) if _cross(one, two)]
    return [*outside, *overlapping]


def _cross(one: Bbox, two: Bbox) -> bool:
    across = min(one.x1, two.x1) - max(one.x0, two.x0)
    along = min(one.y1, two.y1) - max(one.y0, two.y0)
    return across > 1 and along > 1.5  # boxes of neighbouring lines touch
