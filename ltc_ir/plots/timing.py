"""Draws timings: the profiling table as a picture, a bar for each stage of each program on one logarithmic axis of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ltc_ir.plots import style
from ltc_ir.plots.panels import choose_ticks, set_ticks, tick_label
from ltc_ir.plots.style import BODY, HEAD, SMALL, TITLE, Look, Picture
from ltc_ir.records.sweep import SECONDS
from ltc_ir.records.timing import MORE_STAGES, ProgramTiming, Stage, Timing, seconds
from ltc_ir.render.words.timing import (
    FIRST_ONLY,
    MARK,
    load_in_words,
    machine_in_words,
    marked,
    versions_in_words,
)

ORDER = ("eager", *MORE_STAGES[1:], "trace", "lower", "compile", *MORE_STAGES[:1], "first", "steady")
"""From the call that pays no compiler to the one that no longer does."""
KINDS = ("each call without jax.jit", "paid once", "each compiled call")
_KIND = {"eager": 0, "op_by_op": 0, "first": 2, "steady": 2}
_COLORS = (1, 0, 2)
MOST = 24
"""Programs a picture holds at most."""
WIDTH, SIDE, NAMES, BAR, GAP = 8.6, 0.35, 1.05, 0.19, 0.54
"""Inches: the picture, its margin, the names of stages, a bar with the room around it, the room above a program's bars."""
_NONE = (1e-3, 1.0)
"""The ends of the axis where nothing was measured."""


@dataclass(frozen=True)
class _Group:
    """A program: its name, and its bars from ``top`` on, in inches below the upper end of the axes."""

    name: str
    program: ProgramTiming
    top: float

    @property
    def stages(self) -> list[str]:
        return [stage for stage in ORDER if stage in self.program.stages or stage not in MORE_STAGES]


def timing_picture(timings: Sequence[Timing], form: str = "svg", dark: bool = False) -> bytes:
    """The stages of every program as bars, with the ratio of eager to steady and the break-even at each.

    Raises:
        ValueError: ``form`` is neither svg nor png.
    """
    return style.draw_picture(lambda look: timing_figure(timings, look), form, dark)


def timing_figure(timings: Sequence[Timing], look: Look) -> Figure:
    """The same as a figure; to be called within `style.draw_picture`."""
    groups = _groups(timings)
    inner = WIDTH - 2 * SIDE
    notes = [line for note in _notes(timings) for line in style.wrap(note, inner)]
    height = (groups[-1].top + len(groups[-1].stages) * BAR if groups else 0.0) + 0.08
    top = 0.95
    page = Picture(WIDTH, top + height + 0.42 + len(notes) * style.line_height(SMALL) + 0.25, look)
    page.write(SIDE, 0.22, style.shorten_middle(_title(timings), inner, TITLE, True), TITLE, bold=True)
    _legend(page, 0.6)
    if groups:
        axes = page.axes(SIDE + NAMES, top, inner - NAMES, height)
        _scale(axes, groups, height, inner - NAMES, look)
        for group in groups:
            _draw(page, axes, group, top)
    page.write_lines(SIDE, top + height + 0.42, notes)
    return page.figure


def _groups(timings: Sequence[Timing]) -> list[_Group]:
    groups: list[_Group] = []
    top = 0.0
    for timing in timings:
        for name, program in timing.programs.items():
            group = _Group(f"{timing.target} {name}", program, top + GAP - (0.2 if not groups else 0))
            top = group.top + len(group.stages) * BAR
            groups.append(group)
    return groups[:MOST]


def _title(timings: Sequence[Timing]) -> str:
    named = ", ".join(timing.target for timing in timings) or "nothing was timed"
    return f"{named}: time of each stage"


def _legend(page: Picture, y: float) -> None:
    x = SIDE
    for kind, color in zip(KINDS, _COLORS, strict=True):
        patch = Rectangle(
            (x / page.width, 1 - (y + 0.14) / page.height), 0.16 / page.width, 0.11 / page.height,
            facecolor=page.look.series[color], transform=page.figure.transFigure,
        )  # fmt: skip
        page.figure.add_artist(patch)
        page.write(x + 0.23, y, kind, BODY)
        x += 0.23 + style.width(kind, BODY) + 0.35


def _scale(axes: Axes, groups: Sequence[_Group], height: float, width: float, look: Look) -> None:
    """A logarithmic axis from below the least figure to where the labels of the longest bar end."""
    stages = [(stage, group.program.stages.get(stage)) for group in groups for stage in group.stages]
    ends = [end for _, stage in stages if stage is not None for end in _ends(stage) if end > 0]
    low, high = (min(ends) / 2, max(ends) * 1.02) if ends else _NONE
    label_room = (
        max((style.width(_bar_label(stage), SMALL) for _, stage in stages if stage is not None), default=0.0) + 0.2
    )
    decades = np.log10(max(high / low, 10.0)) * width / (width - label_room)
    axes.set_xscale("log")
    axes.set_xlim(low, low * 10**decades)
    axes.set_ylim(height, 0)
    at = choose_ticks(low, low * 10**decades, SECONDS)
    set_ticks(axes, "x", at, [tick_label(tick, SECONDS) for tick in at])
    set_ticks(axes, "y", [], [])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("time, logarithmic", fontsize=SMALL, labelpad=2, color=look.quiet)


def _draw(page: Picture, axes: Axes, group: _Group, top: float) -> None:
    """A program: its name and what follows from its stages, then its bars."""
    look, inner = page.look, WIDTH - 2 * SIDE
    right = style.shorten_middle(outcome(group.program), inner * 0.6, BODY)
    name = style.shorten_middle(group.name, inner - style.width(right, BODY) - 0.3, HEAD, True)
    y = top + group.top - 0.29
    page.write(SIDE, y, name, HEAD, bold=True)
    page.write(WIDTH - SIDE, y + 0.015, right, BODY, align="right")
    for at in axes.xaxis.get_major_locator()():
        axes.plot([at, at], [group.top, group.top + len(group.stages) * BAR], color=look.rule, linewidth=0.8, zorder=0)
    for number, stage in enumerate(group.stages):
        middle = group.top + (number + 0.5) * BAR
        page.write(SIDE + NAMES - 0.1, top + middle - style.line_height(SMALL) / 2, _named(stage), SMALL, align="right")
        measured = group.program.stages.get(stage)
        if measured is None:
            _missing(axes, group.program.reasons.get(stage, "no reason is known"), middle, look)
        else:
            _bar(axes, stage, measured, middle, look)


def outcome(program: ProgramTiming) -> str:
    """The ratio and the break-even in words."""
    ratio = program.eager_over_steady
    calls = program.break_even_calls
    pays = "no break-even" if calls is None else f"pays after {_counted(calls, 'call')}"
    return pays if ratio is None else f"eager/steady {ratio:,.{0 if ratio >= 100 else 1}f}x, {pays}"


def _named(stage: str) -> str:
    return {"op_by_op": "op by op", "compile_warm": "compile, warm", "first": "first call"}.get(stage, stage)


def _bar(axes: Axes, stage: str, measured: Stage, middle: float, look: Look) -> None:
    left = axes.get_xlim()[0]
    color = look.series[_COLORS[_KIND.get(stage, 1)]]
    axes.barh(middle, max(measured.median_s - left, 0), BAR * 0.72, left, color=color, linewidth=0)
    if measured.low_s is not None and measured.high_s is not None:
        between = (max(measured.low_s, left), measured.high_s)
        axes.plot(between, (middle, middle), color=look.ink, linewidth=1.0, solid_capstyle="butt")
        axes.plot(between, (middle, middle), color=look.ink, linestyle="none", marker="|", markersize=5.5)
    axes.annotate(
        _bar_label(measured), (max(left, *_ends(measured)), middle), (5, 0), textcoords="offset points", va="center_baseline",
        fontsize=SMALL, color=look.ink,
    )  # fmt: skip


def _ends(stage: Stage) -> tuple[float, ...]:
    return tuple(end for end in (stage.median_s, stage.low_s, stage.high_s) if end is not None)


def _bar_label(stage: Stage) -> str:
    if stage.low_s is not None:
        return seconds(stage.median_s)
    return f"{marked(stage)}  ({_counted(stage.runs, 'run')}, {'the first' if stage.first_only else 'no interval'})"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _missing(axes: Axes, why: str, middle: float, look: Look) -> None:
    axes.annotate(
        style.shorten_end(f"none: {why}", WIDTH - 2 * SIDE - NAMES - 0.1, SMALL), (0, middle), (3, 0),
        ("axes fraction", "data"), textcoords="offset points", va="center_baseline", fontsize=SMALL, color=look.loud,
        fontstyle="italic",
    )  # fmt: skip


def _notes(timings: Sequence[Timing]) -> Iterator[str]:
    """What the marks mean, what is not there, and the machine."""
    if not any(timing.programs for timing in timings):
        yield "no program was timed"
    confident = ", ".join(dict.fromkeys(f"{timing.settings.confidence:.0%}" for timing in timings))
    yield f"bars: medians, with their values; whiskers: the {confident} interval of each median"
    if any(program.first_only for timing in timings for program in timing.programs.values()):
        yield f"{MARK} {FIRST_ONLY}"
    drawn = sum(len(timing.programs) for timing in timings)
    if drawn > MOST:
        yield f"{drawn - MOST:,} more programs are not drawn"
    for timing in timings:
        yield from (f"{timing.target} {name} left out: {why}" for name, why in timing.unavailable.items())
        for name, program in timing.programs.items():
            if program.why_no_break_even is not None:
                yield f"{timing.target} {name}: no break-even: {program.why_no_break_even}"
        if timing.ended is not None:
            yield f"{timing.target}: cut short: {timing.ended.message}"
    machines = (
        f"{machine_in_words(timing.machine)}; {versions_in_words(timing.environment)}".rstrip("; ")
        for timing in timings
    )
    yield from dict.fromkeys(machines)
    loads = [f"{timing.target}: {load}" for timing in timings if (load := load_in_words(timing.machine))]
    if loads:
        yield "; ".join(loads)
