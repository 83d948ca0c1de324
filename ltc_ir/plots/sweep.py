"""Draws a sweep: per program a row of logarithmic panels, sizes, times and memory, each figure with its fitted growth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ltc_ir.plots import style
from ltc_ir.plots.panels import axis_limits, choose_ticks, labels_that_fit, set_ticks, tick_label
from ltc_ir.plots.style import BODY, HEAD, MARKER_SIZES, MARKERS, SMALL, STROKES, TITLE, Look, Picture
from ltc_ir.records.sweep import BYTES, METRICS, OPERATIONS, SECONDS, Growth, Metric, ProgramSweep, Sweep
from ltc_ir.render.words.timing import (
    FIRST_ONLY,
    NOTHING,
    between,
    grows_as,
    load_in_words,
    machine_in_words,
    too_few,
    versions_in_words,
)

MOST = 6
"""The most programs of a picture."""
MOST_NOTES = 14
"""The most lines of notes of a picture; the table has them all."""
SIDE, LEFT, RIGHT = 0.35, 0.66, 0.2
"""Inches: the margin, and the room left and right of the axes of a panel."""
HEAD_ROOM, HEIGHT, FOOT, ENTRY = 0.34, 2.35, 0.58, 0.185
"""Inches: the title of a panel, its axes, their labels, and a line of its legend."""
_WIDTHS = {1: 6.0, 2: 4.3, 3: 3.85}
"""The width of each panel by the number of panels, in inches."""


@dataclass(frozen=True)
class _Panel:
    """Metrics of one unit that share axes."""

    title: str
    metrics: tuple[Metric, ...]

    @property
    def unit(self) -> str:
        return self.metrics[0].unit

    def points(self, program: ProgramSweep, metric: Metric) -> list[tuple[int, float]]:
        """The sizes and figures that logarithmic axes can show."""
        points = [(point.value, point.metrics.get(metric.name, 0.0)) for point in program.points]
        return [(value, figure) for value, figure in points if value > 0 and figure > 0]

    def drawn(self, program: ProgramSweep) -> list[tuple[int, Metric]]:
        """The metrics that a program has a figure of, each with the number of its colour."""
        return [(number, metric) for number, metric in enumerate(self.metrics) if self.points(program, metric)]


def _metrics_of(unit: str) -> tuple[Metric, ...]:
    return tuple(metric for metric in METRICS if metric.unit == unit)


PANELS = (
    _Panel("size: operations in the IR", _metrics_of(OPERATIONS)),
    _Panel("time", _metrics_of(SECONDS)),
    _Panel("memory", _metrics_of(BYTES)),
)


def sweep_picture(sweep: Sweep, form: str = "svg", dark: bool = False) -> bytes:
    """The figures of each program over the parameter, both axes logarithmic, each with its fitted growth.

    Raises:
        ValueError: ``form`` is neither svg nor png.
    """
    return style.draw_picture(lambda look: sweep_figure(sweep, look), form, dark)


def sweep_figure(sweep: Sweep, look: Look) -> Figure:
    """The same as a figure; to be called within `style.draw_picture`."""
    programs = dict(list(sweep.programs.items())[:MOST])
    panels = [panel for panel in PANELS if any(panel.drawn(program) for program in programs.values())]
    wide = _WIDTHS[max(len(panels), 1)]
    inner = wide * max(len(panels), 1)
    notes = _fitting_notes(sweep, panels, inner)
    rows = [_row_height(panels, program, wide) for program in programs.values()] if panels else []
    top = 0.75
    height = top + sum(rows) + len(notes) * style.line_height(SMALL) + 0.3
    page = Picture(inner + 2 * SIDE, height, look)
    title = style.shorten_middle(f"{sweep.target} over {sweep.parameter}", inner, TITLE, True)
    page.write(SIDE, 0.22, title, TITLE, bold=True)
    y = top
    for (name, program), row in zip(programs.items(), rows, strict=bool(rows)):
        page.write(SIDE, y - 0.08, style.shorten_middle(name, inner, HEAD, True), HEAD, bold=True)
        for number, panel in enumerate(panels):
            _draw_panel(page, sweep, program, panel, (SIDE + number * wide, y + 0.22, wide))
        y += row
    page.write_lines(SIDE, y + 0.05, notes)
    return page.figure


def _row_height(panels: Sequence[_Panel], program: ProgramSweep, wide: float) -> float:
    entries = max(len(panel.drawn(program)) for panel in panels)
    lines = max(len(_faster_lines(panel, program, wide)) for panel in panels)
    return 0.22 + HEAD_ROOM + lines * style.line_height(SMALL) + HEIGHT + FOOT + entries * ENTRY + 0.28


def _faster_lines(panel: _Panel, program: ProgramSweep, wide: float) -> list[str]:
    """The metrics of a panel that grow faster than the metric they come from, in words."""
    words = {metric.name: metric.words for metric in METRICS}
    named = {metric.name for metric in panel.metrics}
    faster = (comparison for comparison in program.faster if comparison.metric in named)
    sentences = (f"▲ {words[comparison.metric]} grows faster than {words[comparison.than]}" for comparison in faster)
    return [line for sentence in sentences for line in style.wrap(sentence, wide - RIGHT)]


def _draw_panel(
    page: Picture, sweep: Sweep, program: ProgramSweep, panel: _Panel, where: tuple[float, float, float]
) -> None:
    """One panel: title, the metrics that grow faster, axes with curves and points, legend."""
    x, y, wide = where
    lines = _faster_lines(panel, program, wide)
    below = max(len(_faster_lines(other, program, wide)) for other in PANELS) * style.line_height(SMALL)
    page.write(x, y, panel.title, BODY)
    page.write_lines(x, y + 0.2, lines, color=page.look.loud)
    drawn = panel.drawn(program)
    top = y + HEAD_ROOM + below
    if not drawn:
        page.write(x, top, "no figures", SMALL, color=page.look.quiet)
        return
    axes = page.axes(x + LEFT, top, wide - LEFT - RIGHT, HEIGHT)
    _scale(axes, sweep, program, panel, page.look)
    for number, metric in drawn:
        _curve(axes, panel.points(program, metric), program.growth.get(metric.name, Growth()), number, page.look)
        _spans(axes, program, metric, number, page.look)
        _first_runs(axes, program, metric, number, page.look)
    _legend(page, program, drawn, (x, top + HEIGHT + FOOT, wide))


def _scale(axes: Axes, sweep: Sweep, program: ProgramSweep, panel: _Panel, look: Look) -> None:
    """Logarithmic axes around all points, with a tick at every size that has room for its label."""
    figures = [figure for metric in panel.metrics for _, figure in panel.points(program, metric)]
    figures += [end for metric in panel.metrics for _, span in _known_spans(program, metric) for end in span]
    sizes = sorted(
        {value for metric in panel.metrics for value, _ in panel.points(program, metric)} | _requested_sizes(sweep)
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    left, right = axis_limits(sizes) if len(sizes) == 1 else _with_room(sizes[0], sizes[-1])
    axes.set_xlim(left, right)
    axes.set_ylim(*axis_limits(figures))
    inches = axes.get_position().width * axes.figure.get_figwidth() / np.log10(right / left)  # type: ignore[union-attr]
    at = labels_that_fit(sizes, lambda value: float(np.log10(value) * inches), SMALL)
    set_ticks(axes, "x", at, [f"{value:,}" for value in at])
    rows = choose_ticks(*axes.get_ylim(), panel.unit)
    set_ticks(axes, "y", rows, [tick_label(tick, panel.unit) for tick in rows])
    axes.grid(True, color=look.rule, linewidth=0.7)
    axes.set_xlabel(style.shorten_middle(sweep.parameter, 2.6, SMALL), fontsize=SMALL, color=look.quiet, labelpad=2)


def _requested_sizes(sweep: Sweep) -> set[int]:
    return {value for value in sweep.values if value > 0}


def _with_room(low: float, high: float) -> tuple[float, float]:
    room = (high / low) ** 0.06
    return low / room, high * room


def _curve(axes: Axes, points: Sequence[tuple[int, float]], growth: Growth, number: int, look: Look) -> None:
    """The points, and the fitted growth through them; without a fit a faint line from point to point."""
    sizes, figures = zip(*points, strict=True)
    color = look.series[number]
    fitted = [(at, growth.at(float(at))) for at in np.geomspace(sizes[0], sizes[-1], 60)]
    curve = [(at, figure) for at, figure in fitted if figure is not None and figure > 0]
    if curve:
        axes.plot(*zip(*curve, strict=True), color=color, linewidth=1.1, linestyle=STROKES[number], zorder=2)
    else:
        axes.plot(sizes, figures, color=color, linewidth=0.6, zorder=2)
    axes.plot(
        sizes, figures, linestyle="none", marker=MARKERS[number], markersize=MARKER_SIZES[number], color=color,
        markeredgecolor=look.paper, markeredgewidth=0.7, zorder=3 + number, clip_on=False,
    )  # fmt: skip


def _first_runs(axes: Axes, program: ProgramSweep, metric: Metric, number: int, look: Look) -> None:
    """Draw figures of a first run alone again, as hollow points."""
    points = [point for point in program.points if metric.name in point.first_only and point.value > 0]
    at = [(point.value, point.metrics[metric.name]) for point in points if point.metrics.get(metric.name, 0.0) > 0]
    if at:
        axes.plot(
            *zip(*at, strict=True), linestyle="none", marker=MARKERS[number], markersize=MARKER_SIZES[number],
            markerfacecolor=look.paper, markeredgecolor=look.series[number], markeredgewidth=1.0, zorder=3.5 + number,
            clip_on=False,
        )  # fmt: skip


def _spans(axes: Axes, program: ProgramSweep, metric: Metric, number: int, look: Look) -> None:
    """The intervals of timed medians as bars."""
    for value, span in _known_spans(program, metric):
        axes.plot(
            (value, value), span, color=look.series[number], linewidth=0.9, marker="_", markersize=5, zorder=2.5,
        )  # fmt: skip


def _known_spans(program: ProgramSweep, metric: Metric) -> Iterator[tuple[int, tuple[float, float]]]:
    for point in program.points:
        span = point.spans.get(metric.name)
        if span is not None and span[0] > 0 and point.value > 0 and metric.name in point.metrics:
            yield point.value, span


def _legend(
    page: Picture, program: ProgramSweep, drawn: Sequence[tuple[int, Metric]], where: tuple[float, float, float]
) -> None:
    """A line for each series beneath its panel: how it is drawn, what it is, and how it grows."""
    x, y, wide = where
    named = x + 0.42
    grows = named + max(style.width(metric.words, SMALL) for _, metric in drawn) + 0.12
    for row, (number, metric) in enumerate(drawn):
        at = y + row * ENTRY
        page.sample(x, at + style.line_height(SMALL) / 2, number)
        page.write(named, at, metric.words, SMALL)
        loud = any(comparison.metric == metric.name for comparison in program.faster)
        text = style.shorten_middle(
            growth_words(program.growth.get(metric.name, Growth())), x + wide - grows, SMALL, loud
        )
        page.write(grows, at, text, SMALL, bold=loud, color=page.look.ink if loud else page.look.quiet)


def growth_words(growth: Growth) -> str:
    """``n^2.00 (1.99 to 2.01)``, or the words for no fit."""
    grows, interval = grows_as(growth), between(growth)
    if grows == NOTHING:
        return "no growth fitted"
    return f"{grows} ({interval})" if interval else grows


def _fitting_notes(sweep: Sweep, panels: Sequence[_Panel], wide: float) -> list[str]:
    lines = [line for note in _notes(sweep, panels) for line in style.wrap(note, wide)]
    if len(lines) <= MOST_NOTES:
        return lines
    return [*lines[: MOST_NOTES - 1], f"{len(lines) - MOST_NOTES + 1:,} more lines of notes stand in the table"]


def _notes(sweep: Sweep, panels: Sequence[_Panel]) -> Iterator[str]:
    """The meaning of the marks, the figures that could not be drawn and why, and the machine."""
    if panels:
        yield from _notes_on_marks(sweep)
        yield from _notes_on_runs(sweep)
    else:
        yield "there is no figure that could be drawn"
    if len(sweep.programs) > MOST:
        yield f"{len(sweep.programs) - MOST:,} more programs are not drawn"
    yield from _notes_on_missing(sweep)
    narrowed = [name for names in sweep.filters.values() for name in names]
    if narrowed:
        yield f"operations counted: {', '.join(narrowed)}"
    if sweep.ended is not None:
        yield f"cut short: {sweep.ended.message}"
    yield from (f"{name} left out: {why}" for name, why in sweep.unavailable.items())
    yield from _notes_on_machine(sweep)


def _notes_on_marks(sweep: Sweep) -> Iterator[str]:
    growths = [growth for program in sweep.programs.values() for growth in program.growth.values()]
    n = "" if sweep.parameter == "n" else f", n being {sweep.parameter}"
    fixed = "a fixed part and a power of n" if any(growth.form == "offset" for growth in growths) else "a power of n"
    if any(growth.exponent is not None for growth in growths):
        yield f"lines: fitted growth, {fixed}{n}; in brackets the {sweep.confidence:.0%} interval of the exponent"
    if any(point.spans for program in sweep.programs.values() for point in program.points):
        confidence = sweep.confidence if sweep.settings is None else sweep.settings.confidence
        yield f"bars at points: the {confidence:.0%} interval of the median"
    if any(point.first_only for program in sweep.programs.values() for point in program.points):
        yield f"hollow points: {FIRST_ONLY}; growth is fitted through them all the same"


def _notes_on_runs(sweep: Sweep) -> Iterator[str]:
    """The times without an interval at any size."""
    for name, program in sweep.programs.items():
        if sweep.settings is not None:
            of = f"{name}: " if len(sweep.programs) > 1 else ""
            yield from (f"{of}{note}" for note in too_few(program.without_interval(), sweep.settings))


def _notes_on_missing(sweep: Sweep) -> Iterator[str]:
    """Zeros, which a logarithmic axis cannot show, and missing figures."""
    several = len(sweep.programs) > 1
    words_by_metric = {metric.name: metric.words for panel in PANELS for metric in panel.metrics}
    for name, program in list(sweep.programs.items())[:MOST]:
        of = f"{name}: " if several else ""
        for key, words in words_by_metric.items():
            zeros = [point.value for point in program.points if point.metrics.get(key, 1.0) <= 0]
            if zeros:
                yield f"{of}{words} is 0 at {_listed(zeros)}, and not drawn: a logarithmic axis has no 0"
            missing: dict[str, list[int]] = {}
            for point in program.points:
                if key in point.reasons:
                    missing.setdefault(point.reasons[key], []).append(point.value)
            yield from (f"{of}{words}: missing at {_listed(values)}: {why}" for why, values in missing.items())


def _listed(values: Sequence[int]) -> str:
    return ", ".join(f"{value:,}" for value in values)


def _notes_on_machine(sweep: Sweep) -> Iterator[str]:
    versions = versions_in_words(sweep.environment)
    if sweep.machine is None:
        if versions:
            yield versions if sweep.environment.platform is None else f"{versions}, for {sweep.environment.platform}"
        return
    parts = (machine_in_words(sweep.machine), versions, load_in_words(sweep.machine))
    yield "; ".join(part for part in parts if part)
