"""Draws an experiment: every seed, the median and the interval of 90 % of them, and the published value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ltc_ir.lab.plots.panels import (
    BASELINE,
    MODELS,
    Panel,
    Place,
    axis_limits,
    axis_position,
    axis_ticks,
    panel_lines,
    series_label,
    series_number,
    series_order,
    slot_label,
)
from ltc_ir.lab.records import DIVERGED, Experiment, Row
from ltc_ir.plots import style
from ltc_ir.plots.panels import set_ticks
from ltc_ir.plots.style import BODY, MARKER_SIZES, MARKERS, SMALL, TITLE, Look, Picture
from ltc_ir.render.words.timing import load_in_words, machine_in_words, versions_in_words

SIDE, LEFT, GAP = 0.35, 0.72, 0.22
"""Inches: the margin, what stands left of a line of panels, and what lies between two of them."""
HEAD_ROOM, HEIGHT, FOOT, STRIP = 0.3, 1.95, 0.56, 0.34
"""Inches: the title of a panel, its axes, their labels, and of the axes what is kept for seeds that lie beyond them."""
_WIDTHS = {1: 6.6, 2: 3.9, 3: 2.9}
"""How wide each of so many panels beside one another is; more are as wide as `_NARROW`."""
_NARROW, _TURN = 2.5, 3
"""Inches; and panels of one line that are broken into several, as many of each."""
SELECTION = "test"
"""The selection that is drawn, as published; the table has the other as well."""


@dataclass(frozen=True)
class _Axis:
    """The axis that panels share: its ends, and the one beyond which seeds are drawn in a strip."""

    low: float
    high: float
    scale: str
    strip: bool

    @property
    def worse(self) -> int:
        return -1 if self.scale == "improvement" else 1

    @property
    def edge(self) -> float:
        return self.high if self.worse > 0 else self.low

    def inside(self, value: float) -> float:
        """Where a figure is drawn: in its place, or at the end that it lies beyond."""
        return min(max(axis_position(value, self.scale), self.low), self.high)

    def off(self, value: float) -> bool:
        """Whether a figure lies beyond the worse end."""
        at = axis_position(value, self.scale)
        return at > self.high if self.worse > 0 else at < self.low

    def beyond(self, inches: float) -> float:
        """So many inches beyond the worse end."""
        return self.edge + self.worse * inches * (self.high - self.low) / (HEIGHT - STRIP)


def experiment_picture(experiment: Experiment, form: str = "svg", dark: bool = False) -> bytes:
    """An experiment over seeds: each case with its models side by side, and what was published of them.

    Raises:
        ValueError: ``form`` is neither svg nor png.
    """
    return style.draw_picture(lambda look: experiment_figure(experiment, look), form, dark)


def experiment_figure(experiment: Experiment, look: Look) -> Figure:
    """The same as a figure; to be called within `style.draw_picture`."""
    rows = [row for row in experiment.rows if row.values and row.selection in {"", SELECTION}]
    lines = [part for line in panel_lines(rows) for part in _broken(line)] if rows else []
    across = max((len(line) for line in lines), default=1)
    wide = _WIDTHS.get(across, _NARROW)
    apart = GAP if all(_shared(line) for line in lines) else LEFT
    inner = LEFT + across * (wide + apart) - apart
    series = series_order(rows)
    legend = _legend(rows, series, inner)
    notes = [line for note in _notes(experiment, rows) for line in style.wrap(note, inner)]
    top = 0.92 + len(legend) * 0.23
    height = top + len(lines) * (HEAD_ROOM + HEIGHT + FOOT) + len(notes) * style.line_height(SMALL) + 0.25
    page = Picture(inner + 2 * SIDE, height, look)
    page.write(
        SIDE, 0.22, style.shorten_middle(f"{experiment.name}: {experiment.about}", inner, TITLE, True), TITLE, bold=True
    )
    page.write(SIDE, 0.52, style.shorten_middle(_outcome(experiment, rows), inner, BODY), BODY, color=look.quiet)
    for number, entries in enumerate(legend):
        _draw_legend(page, entries, series, 0.86 + number * 0.23)
    for number, line in enumerate(lines):
        _line(page, line, series, top + number * (HEAD_ROOM + HEIGHT + FOOT), wide)
    page.write_lines(SIDE, height - 0.2 - len(notes) * style.line_height(SMALL), notes)
    return page.figure


def _shared(line: Sequence[tuple[Panel, _Axis]]) -> bool:
    """Whether the panels of a line have one axis, whose labels stand at the first."""
    return len({panel.metric for panel, _ in line}) == 1


def _broken(line: list[Panel]) -> Iterator[list[tuple[Panel, _Axis]]]:
    """A line of the sheet as it fits the paper: different metrics in pairs, many facets in threes, four stay together."""
    several = len({panel.metric for panel in line}) > 1
    each = 2 if several else len(line) if len(line) <= _TURN + 1 else _TURN
    on = [(panel, _axis([panel] if several else line)) for panel in line]
    yield from (on[first : first + each] for first in range(0, len(line), each))


def _outcome(experiment: Experiment, rows: Sequence[Row]) -> str:
    """The seeds, the epochs, and how many published values the intervals hold."""
    counts = sorted({row.seeds for row in rows})
    seeds = (
        "no seeds" if not counts else f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else f"{counts[0]} seeds"
    )
    epochs = f", {experiment.settings['epochs']} epochs" if "epochs" in experiment.settings else ""
    flags = [row.inside for row in rows if row.inside is not None]
    inside = f"; {sum(flags)} of {len(flags)} published values lie in the interval" if flags else ""
    return f"{seeds}{epochs}{inside}"


def _line(page: Picture, line: Sequence[tuple[Panel, _Axis]], series: Sequence[str], y: float, wide: float) -> None:
    """Panels beside one another."""
    shared, x = _shared(line), SIDE + LEFT
    for number, (panel, axis) in enumerate(line):
        page.write(x, y, style.shorten_middle(_title(panel), wide, BODY, True), BODY, bold=True)
        axes = page.axes(x, y + HEAD_ROOM - 0.06, wide, HEIGHT)
        _scale(axes, panel, axis, not shared or number == 0, look=page.look, wide=wide)
        for at, row in panel.rows:
            if row.model == BASELINE:
                _baseline(axes, panel.slots.index(at.slot), row, axis, page.look)
            else:
                _row(axes, panel, (at, row), axis, series=series, page=page)
        x += wide + (GAP if shared else LEFT)


def _title(panel: Panel) -> str:
    parts = [panel.rollout] if panel.rollout else []
    if panel.facet:
        facet = slot_label(panel.facet)
        ratio = facet.replace(".", "").isdigit()
        parts.insert(0, f"switch {facet}" if "→" in facet else f"damping ratio {facet}" if ratio else facet)
    return ", ".join(parts)


def _axis(panels: Sequence[Panel]) -> _Axis:
    low, high = axis_limits(panels)
    axis = _Axis(low, high, panels[0].scale, False)
    rows = [row for panel in panels for _, row in panel.rows]
    return _Axis(low, high, axis.scale, any(row.diverged or any(map(axis.off, row.values)) for row in rows))


def _scale(axes: Axes, panel: Panel, axis: _Axis, labelled: bool, *, look: Look, wide: float) -> None:
    """The frame of a panel: slots apart, ticks, where nothing changes, and the strip beyond."""
    far = axis.beyond(STRIP) if axis.strip else axis.edge
    axes.set_ylim(min(axis.low, far), max(axis.high, far))
    axes.set_xlim(-0.5, len(panel.slots) - 0.5)
    at = axis_ticks(axis.low, axis.high, axis.scale)
    set_ticks(axes, "y", [tick for tick, _ in at], [text if labelled else "" for _, text in at])
    set_ticks(axes, "x", range(len(panel.slots)), _slot_labels(panel, wide / len(panel.slots)))
    axes.tick_params(axis="x", length=0)
    axes.grid(True, axis="y", color=look.rule, linewidth=0.7)
    for slot in range(1, len(panel.slots)):
        axes.axvline(slot - 0.5, color=look.rule, linewidth=0.7)
    reference = panel.reference if not panel.metric.startswith("mse") else axis_position(DIVERGED, axis.scale)
    if reference is not None and axis.low < reference < axis.high:
        axes.axhline(reference, color=look.quiet, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    if axis.strip:
        axes.axhline(axis.edge, color=look.quiet, linewidth=0.8, linestyle=":", zorder=1)
    axes.set_xlabel(panel.along, fontsize=SMALL, color=look.quiet, labelpad=3)
    if labelled:
        axes.set_ylabel(panel.words, fontsize=SMALL, color=look.quiet, labelpad=4)


def _slot_labels(panel: Panel, room: float) -> list[str]:
    """What the slots are called; cut to their width where neighbours would lie on one another."""
    labels = [slot_label(slot) for slot in panel.slots]
    widths = [style.width(label, SMALL) for label in labels]
    if any((width + after) / 2 > room for width, after in pairwise(widths)):
        return [style.shorten_middle(label, 0.95 * room, SMALL) for label in labels]
    return labels


def _row(
    axes: Axes, panel: Panel, placed: tuple[Place, Row], axis: _Axis, *, series: Sequence[str], page: Picture
) -> None:
    """A row: each seed, the interval, the median, the published value, and what lies beyond."""
    at, row = placed
    neighbours = [name for name in series if any(other[:4] == (*at[:3], name) for other, _ in panel.rows)]
    inch = len(panel.slots) / (axes.get_position().width * page.width)
    room = min(0.86 / len(neighbours), 0.5 * inch)
    x = panel.slots.index(at.slot) + (neighbours.index(at.series) - (len(neighbours) - 1) / 2) * room
    number = series_number(at.series, series)
    color = page.look.series[number]
    values = [value for value in row.values if not axis.off(value)]
    across = [x + ((0.618 * seed) % 1 - 0.5) * 0.66 * room for seed in range(len(values))]
    axes.plot(
        across, [axis.inside(value) for value in values], linestyle="none", marker=MARKERS[number], markersize=3.0,
        color=color, alpha=0.45, markeredgewidth=0, zorder=2, label="seeds",
    )  # fmt: skip
    ends = axis.inside(row.low), axis.inside(row.high)
    axes.plot((x, x), ends, color=color, linewidth=2.0, solid_capstyle="butt", zorder=3, label="interval")
    middle = axis.beyond(0.1) if axis.off(row.median) else axis.inside(row.median)
    size = min(0.92 * MARKER_SIZES[number], 0.6 * 72 * room / inch)  # the published value beneath it is longer
    axes.plot(
        (x,), (middle,), linestyle="none", marker=MARKERS[number], markersize=size, color=color,
        markeredgecolor=page.look.paper, markeredgewidth=0.8, zorder=6, label="median",
    )  # fmt: skip
    _published(axes, x, row, axis, room=min(room, 0.36 * inch), look=page.look)
    _beyond(axes, x, row, axis, color=color, look=page.look)


def _baseline(axes: Axes, slot: int, row: Row, axis: _Axis, look: Look) -> None:
    """What learning nothing gives, a line through the slot."""
    at = axis.inside(row.median)
    axes.plot((slot - 0.5, slot + 0.5), (at, at), **_no_learning(look), zorder=1.5, label="baseline")


def _no_learning(look: Look) -> dict[str, Any]:
    return {"color": look.series[len(MODELS)], "linewidth": 1.5, "linestyle": (0, (1.2, 1.0))}


def _published(axes: Axes, x: float, row: Row, axis: _Axis, *, room: float, look: Look) -> None:
    """The published value as a bar across, with paper about it."""
    if row.published is not None:
        ends, at = (x - 0.44 * room, x + 0.44 * room), axis.inside(row.published)
        for color, thick in ((look.paper, 3.4), (look.ink, 1.7)):
            axes.plot(ends, (at, at), color=color, linewidth=thick, solid_capstyle="butt", zorder=5, label="published")


def _beyond(axes: Axes, x: float, row: Row, axis: _Axis, *, color: str, look: Look) -> None:
    """How many seeds diverged or lie beyond the end, in the strip there; an arrowhead where any lie beyond."""
    off = sum(map(axis.off, row.values))
    if off and not axis.off(row.median):
        axes.plot(
            (x,), (axis.beyond(0.1),), linestyle="none", marker="^" if axis.worse > 0 else "v", markersize=5.0,
            markerfacecolor=look.paper, markeredgecolor=color, markeredgewidth=1.1, zorder=4, label="beyond",
        )  # fmt: skip
    if off or row.diverged:
        axes.text(
            x, axis.beyond(0.23), f"{max(off, row.diverged)}", fontsize=7, ha="center", va="center_baseline",
            color=look.ink,
        )  # fmt: skip


_SEED, _MEDIAN, _PUBLISHED = "a seed", "median and interval of 90 % of the seeds", "published"
"""Entries of the legend beside the series and the baseline."""


def _legend(rows: Sequence[Row], series: Sequence[str], wide: float) -> list[list[str]]:
    """What the legend holds, line by line: the series, then the marks."""
    if not rows:
        return []
    entries = [*series, _SEED, _MEDIAN]
    entries += [_PUBLISHED] if any(row.published is not None for row in rows) else []
    entries += [BASELINE] if any(row.model == BASELINE for row in rows) else []
    lines: list[list[str]] = [[]]
    used = 0.0
    for entry in entries:
        needed = _entry_width(entry)
        if lines[-1] and (used + needed > wide or entry == _SEED):
            lines.append([])
            used = 0.0
        lines[-1].append(entry)
        used += needed
    return lines


def _entry_width(entry: str) -> float:
    return 0.3 + style.width(series_label(entry), BODY) + 0.3


def _draw_legend(page: Picture, entries: Sequence[str], series: Sequence[str], y: float) -> None:
    x, look = SIDE, page.look
    for entry in entries:
        at, middle = x + 0.1, y + style.line_height(BODY) / 2
        if entry in series:
            number = series_number(entry, series)
            color = look.series[number]
            page.mark((at, at), (middle - 0.1, middle + 0.1), color=color, linewidth=2.0, solid_capstyle="butt")
            page.mark((at,), (middle,), **{**page.series(number), "linestyle": "none"})
        elif entry == _SEED:
            for across, height in ((at - 0.05, -0.03), (at, 0.04), (at + 0.05, -0.01)):
                page.mark(
                    (across,), (middle + height,), linestyle="none", marker="o", markersize=3.0, color=look.ink, alpha=0.45,
                    markeredgewidth=0,
                )  # fmt: skip
        elif entry == _MEDIAN:
            page.mark((at, at), (middle - 0.1, middle + 0.1), color=look.quiet, linewidth=2.0, solid_capstyle="butt")
            page.mark((at,), (middle,), marker="o", markersize=6.5, color=look.quiet, markeredgecolor=look.paper)
        elif entry == BASELINE:
            page.mark((at - 0.12, at + 0.12), (middle, middle), **_no_learning(look))
        else:
            page.mark((at - 0.1, at + 0.1), (middle, middle), color=look.ink, linewidth=1.7, solid_capstyle="butt")
        page.write(x + 0.3, y, series_label(entry), BODY)
        x += _entry_width(entry)


def _notes(experiment: Experiment, rows: Sequence[Row]) -> Iterator[str]:
    """What the marks mean, what is not there, and the machine."""
    if not rows:
        yield "there is no figure that could be drawn"
    errors = [row for row in rows if row.metric.startswith("mse")]
    if any(row.diverged or (row.published or 0.0) > DIVERGED for row in errors):
        yield f"dashed at {DIVERGED:g}: a seed whose error lies above has diverged, as no state of the data is larger"
    if any(row.diverged or not math.isfinite(row.high) for row in rows):
        yield "numbers beyond the axis: so many seeds diverged or lie beyond it; an arrowhead: some lie beyond it"
    yield from _diverged(rows)
    empty = [row for row in experiment.rows if not row.values]
    if empty:
        yield f"rows without seeds, which are not drawn: {len(empty)}"
    if any(row.selection not in {"", SELECTION} for row in experiment.rows):
        yield f"parameters chosen on the {SELECTION} split, as published; those chosen otherwise stand in the table"
    if any(row.metric == "improvement" for row in rows):
        yield "an improvement stands where the ratio of the errors does: equal steps are equal ratios"
    for variant in dict.fromkeys(row.variant for row in rows if row.variant.startswith("no Omega, ")):
        yield f"an improvement at none is a control: {variant}"
    yield from experiment.notes
    parts = (
        machine_in_words(experiment.machine),
        versions_in_words(experiment.environment),
        load_in_words(experiment.machine),
    )
    yield "; ".join(part for part in parts if part)


def _diverged(rows: Sequence[Row]) -> Iterator[str]:
    """How many seeds diverged, by rollout and model."""
    by_series: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        counts = by_series.setdefault((row.rollout, row.model), [0, 0])
        counts[0] += row.diverged
        counts[1] += row.seeds
    shares = [
        f"{series_label(model)}{f' {rollout}' if rollout else ''} {diverged} of {of}"
        for (rollout, model), (diverged, of) in by_series.items()
        if diverged
    ]
    if shares:
        yield f"figures of seeds that diverged: {', '.join(shares)}"
