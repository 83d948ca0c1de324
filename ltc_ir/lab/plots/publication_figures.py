"""Draws the figures of the text that no table holds: data, switches, time constants, phase portraits, losses, over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ltc_ir.errors import UsageError
from ltc_ir.lab import published
from ltc_ir.lab.data import (
    NOISE,
    SEED,
    SWITCH_TIME,
    SWITCHES,
    ZETAS,
    Series,
    oscillator_set,
    oscillators,
    switch_name,
    switches,
)
from ltc_ir.lab.evaluation import ROLLOUTS, Floats, mean_tau, teacher_forced_states, two_pass_rollout
from ltc_ir.lab.physics import oscillator
from ltc_ir.lab.plans import Settings
from ltc_ir.lab.plots.panels import MODEL_WORDS, MODELS
from ltc_ir.lab.published import STARTS
from ltc_ir.lab.training import Recipe, Trained, train
from ltc_ir.lab.training_pool import TRAINED
from ltc_ir.plots import style
from ltc_ir.plots.panels import (
    Cell,
    Entry,
    Sheet,
    axis_limits,
    choose_ticks,
    draw_panel,
    lay_out,
    set_ticks,
    tick_label,
)
from ltc_ir.plots.style import SMALL, STROKES, Look, Picture

TIME = "time, in units of 1/ω₀"
FAR = 1.45
"""The end of the axis of states, which lie within 1; rollouts that leave it are counted."""
ORBITS = 6
"""Initial conditions of the phase portraits: the first of the published ones."""
PORTRAIT, EDGE = 0.3, 2.75
"""The damping ratio of the phase portraits, and where their axes end."""
MAGNIFIED = (0.1, 2.0, 4.0)
"""The damping ratio and the times of the panel in which single points can be seen."""

LEAVE = "where a number stands in a corner, so many of all leave the axis"
BOUND = 1e9
"""More than any time constant or loss is, unless it has run away."""
Many = NDArray[np.float64]
How = dict[str, Any]
"""How a line is drawn: keywords of matplotlib's."""


def _load_or_train(folder: Path, settings: Settings, model: str, zeta: float) -> list[Trained]:
    """The training of each seed: a kept one, or a new one that is kept."""
    if not settings.seeds:
        raise UsageError("no seeds", "give one or more")
    recipes = [settings.recipe(model, zeta, seed) for seed in settings.seeds]
    return [train(recipe, oscillators()[recipe.series], folder / TRAINED) for recipe in recipes]


def _caption(settings: Settings) -> str:
    seeds = "seed" if len(settings.seeds) == 1 else "seeds"
    return f"{len(settings.seeds)} {seeds} from {settings.seeds[0]}, {settings.epochs} epochs" if settings.seeds else ""


def _quantiles(curves: Sequence[Any]) -> tuple[Many, Many, Many]:
    """The ends of the interval of 90 % of the seeds and between them the median, at each time; what is no number is huge."""
    finite = np.nan_to_num(np.asarray(curves, np.float64), nan=1e30, posinf=1e30, neginf=-1e30)
    low, middle, high = np.quantile(np.clip(finite, -1e30, 1e30), (0.05, 0.5, 0.95), axis=0)
    return low, middle, high


def _band(axes: Axes, times: Any, curves: Sequence[Any], number: int, look: Look, *, stroke: Any = "-") -> None:
    """The median over seeds and the interval about it, which has an edge, to be seen where bands lie on one another."""
    low, middle, high = _quantiles(curves)
    color = look.series[number]
    axes.fill_between(
        times, low, high, facecolor=(color, 0.2), edgecolor=(color, 0.7), linewidth=0.5, label="interval"
    )  # fmt: skip
    axes.plot(times, middle, color=color, linewidth=1.7, linestyle=stroke, label="median")


def _model_entries(look: Look, apart: bool) -> list[Entry]:
    """The models' medians in a legend, each with a stroke of its own where they share axes; and their interval."""
    lines = [
        Entry(
            {"color": look.series[number], "linewidth": 1.7, "linestyle": STROKES[number] if apart else "-"},
            MODEL_WORDS[name],
        )
        for number, name in enumerate(MODELS)
    ]
    return [*lines, _interval_entry(look.quiet)]


def _interval_entry(color: str) -> Entry:
    return Entry({"color": color, "linewidth": 8.0, "alpha": 0.3, "solid_capstyle": "butt"}, "90 % of the seeds")


def data_picture(_folder: Path, settings: Settings, form: str = "svg", dark: bool = False) -> bytes:
    """The series of the five damping ratios, and of one a part so large that training, test and noisy points are seen."""
    return style.draw_picture(lambda look: _data(settings, look), form, dark)


def _data(settings: Settings, look: Look) -> Figure:
    lines: list[How] = [
        {"color": look.series[number], "linestyle": STROKES[number], "linewidth": 1.5} for number in (0, 1)
    ]
    points: list[How] = [
        {"linestyle": "none", "marker": "o", "markersize": 4.6, "color": look.series[0], "markeredgewidth": 0},
        {"linestyle": "none", "marker": "o", "markersize": 4.6, "markerfacecolor": look.paper, "color": look.series[0]},
        {"linestyle": "none", "marker": "x", "markersize": 4.2, "color": look.ink, "markeredgewidth": 0.9},
    ]
    words = ("u", "u'", "training points", "test points", f"noisy copy, standard deviation {NOISE:g}")
    legend = [Entry(how, text) for how, text in zip([*lines, *points], words, strict=True)]
    trained = "the noisy copy is trained on" if settings.noisy else "the clean points are trained on"
    sheet = Sheet(
        "data: the damped oscillator from rest at u = 1", "u'' + 2 ζ u' + u = 0, exact; every other point is a training "
        f"point, the others test; {trained}", 3, 2, (2.55, 1.55), legend, gap=0.5,
    )  # fmt: skip
    page, top = lay_out(sheet, look)
    series_by_ratio = oscillator_set(SEED)
    for number, zeta in enumerate(ZETAS):
        series = series_by_ratio[f"{zeta:g}"]
        axes = draw_panel(
            page, sheet, top, number, Cell(_damping_label(zeta), TIME, None if number % 3 else "u and u'")
        )
        axes.set_ylim(-1.1, 1.1)
        axes.set_xlim(0, 20)
        for part, how in enumerate(lines):
            axes.plot(series.times, series.clean[:, part], **how)
        if zeta == MAGNIFIED[0]:
            _magnified(page, sheet, top, axes, series, hows=(lines[0], points))
    return page.figure


def _damping_label(zeta: float) -> str:
    kind = "underdamped" if zeta < 1 else "overdamped"
    return f"damping ratio {zeta:g}, {kind}"


def _magnified(
    page: Picture, sheet: Sheet, top: float, around: Axes, series: Series, *,
    hows: tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]],
) -> None:  # fmt: skip
    """A part of a series in the last panel, and its frame in its own."""
    zeta, first, last = MAGNIFIED
    axes = draw_panel(page, sheet, top, len(ZETAS), Cell(f"damping ratio {zeta:g}, magnified", TIME))
    axes.tick_params(labelleft=True)
    inside = (series.times >= first) & (series.times <= last)
    shown = np.concatenate([series.clean[inside, 0], series.noisy[inside, 0]])
    low, high = float(shown.min()) - 0.02, float(shown.max()) + 0.02
    axes.set_xlim(first - 0.04, last + 0.04)
    axes.set_xticks([first, (first + last) / 2, last])
    axes.set_ylim(low, high)
    axes.plot(series.times, series.clean[:, 0], **hows[0])
    axes.plot(series.times[inside], series.noisy[inside, 0], **hows[1][2])
    for split, how in zip((series.train, series.test), hows[1], strict=False):
        mine = (split.times >= first) & (split.times <= last)
        axes.plot(split.times[mine], split.clean[mine, 0], **how)
    frame = Rectangle((first, low), last - first, high - low, fill=False, edgecolor=page.look.ink, linewidth=0.9)
    around.add_patch(frame)


def switches_picture(folder: Path, settings: Settings, form: str = "svg", dark: bool = False) -> bytes:
    """The four switches: the truth, and each model's published rollout as median and interval over seeds."""
    return style.draw_picture(lambda look: _switches(folder, settings, look), form, dark)


def _switches(folder: Path, settings: Settings, look: Look) -> Figure:
    truth: How = {"color": look.ink, "linestyle": (0, (4, 2)), "linewidth": 1.1}
    legend = [Entry(truth, "truth"), *_model_entries(look, apart=False)]
    sheet = Sheet(
        "switch: the damping ratio changes at t = 10", f"two-pass rollouts, medians at each time; {_caption(settings)}", 3,
        len(SWITCHES), (2.55, 1.2), legend, ("upright line: the switch", LEAVE),
    )  # fmt: skip
    page, top = lay_out(sheet, look)
    for down, zetas in enumerate(SWITCHES):
        split = switches()[switch_name(*zetas)].test
        for across, model in enumerate(MODELS):
            cell = Cell(f"{MODEL_WORDS[model]}, {zetas[0]:g} → {zetas[1]:g}", TIME, None if across else "u")
            axes = draw_panel(page, sheet, top, down * 3 + across, cell)
            trainings = _load_or_train(folder, settings, model, zetas[0])
            predicted = [
                two_pass_rollout(model, trained.test, split.times, split.clean[0])[:, 0] for trained in trainings
            ]
            axes.set_xlim(0, 20)
            axes.set_ylim(-FAR, FAR)
            axes.axvline(SWITCH_TIME, color=look.quiet, linewidth=1.0)
            _band(axes, split.times, predicted, across, look)
            axes.plot(split.times, split.clean[:, 0], **truth)
            _count_gone(axes, predicted, FAR, look)
    return page.figure


def _count_gone(axes: Axes, predicted: Sequence[Floats], edge: float, look: Look) -> None:
    """How many rollouts leave the axis, where any do."""
    gone = sum(not bool((np.abs(rollout) <= edge).all()) for rollout in predicted)
    if gone:
        axes.text(
            0.985, 0.97, f"{gone} of {len(predicted)}", transform=axes.transAxes, ha="right", va="top", fontsize=SMALL,
            color=look.loud,
        )  # fmt: skip


def tau_picture(folder: Path, settings: Settings, form: str = "svg", dark: bool = False) -> bytes:
    """The LTC's mean time constant from the switch on: every seed, median and interval, and the published levels."""
    return style.draw_picture(lambda look: _tau(folder, settings, look), form, dark)


def _tau(folder: Path, settings: Settings, look: Look) -> Figure:
    mark: How = {
        "linestyle": "none",
        "marker": "D",
        "markersize": 6.0,
        "color": look.ink,
        "markeredgecolor": look.paper,
    }
    each: How = {"color": look.series[0], "linewidth": 0.6, "alpha": 0.6}
    legend = [
        Entry(each, "a seed"), Entry({"color": look.series[0], "linewidth": 1.7}, "median"),
        _interval_entry(look.series[0]), Entry(mark, "published"),
    ]  # fmt: skip
    sheet = Sheet(
        "tau: the LTC's mean time constant from the switch on",
        f"mean over the neurons, along the two-pass rollout; {_caption(settings)}", len(published.TAU_CASES), 1, (2.55, 2.5),
        legend, (LEAVE,),
    )  # fmt: skip
    page, top = lay_out(sheet, look)
    ends: list[float] = []
    shown = []
    for number, zeta in enumerate(published.TAU_CASES):
        series = _from_switch(zeta)
        after = series.test.times >= SWITCH_TIME
        curves = [
            mean_tau(trained.test, series.test)[after] for trained in _load_or_train(folder, settings, "ltc", zeta)
        ]
        going = f"switch {series.name.replace('->', '→')}" if len(series.zetas) == 2 else f"{series.name}, no switch"
        axes = draw_panel(page, sheet, top, number, Cell(going, TIME, None if number else "mean tau, in units of 1/ω₀"))
        for curve in curves:
            axes.plot(series.test.times[after], curve, **each)
        _count_gone(axes, curves, BOUND, look)
        _band(axes, series.test.times[after], curves, 0, look)
        levels = [published.PUBLISHED["tau"]["ltc", f"{zeta:g}", "", f"tau at the {at}"] for at in ("switch", "end")]
        axes.plot((SWITCH_TIME, 20.0), levels, **mark, clip_on=False, zorder=5, label="published")
        axes.set_xlim(SWITCH_TIME, 20)
        ends += [*levels, *(float(at) for curve in curves for at in curve if at <= BOUND)]
        shown.append(axes)
    room = 0.07 * (max(ends) - min(ends))
    for axes in shown:
        axes.set_ylim(min(ends) - room, max(ends) + room)
    return page.figure


def _from_switch(zeta: float) -> Series:
    """The switch that starts from a ratio; where there is none, its own series goes on."""
    return next((series for series in switches().values() if series.zetas[0] == zeta), oscillators()[f"{zeta:g}"])


def phase_picture(folder: Path, settings: Settings, form: str = "svg", dark: bool = False) -> bytes:
    """Phase portraits of the first seed: some orbits of the attractor experiment, teacher-forced and in a closed loop."""
    return style.draw_picture(lambda look: _phase(folder, settings, look), form, dark)


def _phase(folder: Path, settings: Settings, look: Look) -> Figure:
    starts = np.array(STARTS[:ORBITS])
    times = np.linspace(0.0, 20.0, len(STARTS))
    truths = [oscillator(times, PORTRAIT, (u, v)).astype(np.float32) for u, v in starts]
    fine = [oscillator(np.linspace(0.0, 20.0, 1000), PORTRAIT, (u, v)) for u, v in starts]
    truth: How = {"color": look.ink, "linestyle": (0, (4, 2)), "linewidth": 0.9}
    start: How = {
        "linestyle": "none",
        "marker": "o",
        "markersize": 4.5,
        "markerfacecolor": look.paper,
        "color": look.ink,
    }
    models = _model_entries(look, apart=False)[:-1]
    sheet = Sheet(
        f"phase portraits: damping ratio {PORTRAIT:g}, {ORBITS} initial conditions",
        f"seed {settings.seeds[0] if settings.seeds else '?'}, {settings.epochs} epochs", 3, 2, (2.5, 2.5),
        [*models, Entry(truth, "truth"), Entry(start, "its start")],
        ("teacher-forced, as published: a model starts at rest, in the origin, and its input is the truth",
         "closed loop: it starts where the truth does, and its input is its own state", LEAVE),
    )  # fmt: skip
    page, top = lay_out(sheet, look)
    at = times.astype(np.float32)
    for across, model in enumerate(MODELS):
        flat = _load_or_train(
            folder, Settings(settings.seeds[:1], settings.epochs, 0, settings.noisy), model, PORTRAIT
        )[0].test
        forced = [teacher_forced_states(model, flat, at, truth)[:, :2] for truth in truths]
        alone: list[Floats] = [ROLLOUTS["closed loop"](model, flat, at, truth[0]) for truth in truths]
        for down, (way, orbits) in enumerate((("teacher-forced", forced), ("closed loop", alone))):
            cell = Cell(f"{MODEL_WORDS[model]}, {way}", "u", None if across else "u'")
            axes = draw_panel(page, sheet, top, down * 3 + across, cell)
            axes.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xticks=range(-2, 3), yticks=range(-2, 3))
            for orbit in orbits:
                axes.plot(*np.where(np.isfinite(orbit), orbit, np.nan).T, **models[across].how, label="model")
            for true in fine:
                axes.plot(*true.T, **truth, label="truth")
            axes.plot(*starts.T, **start)
            _count_gone(axes, orbits, EDGE, look)
    return page.figure


def losses_picture(folder: Path, settings: Settings, form: str = "svg", dark: bool = False) -> bytes:
    """The training loss of each model on each damping ratio, over epochs: median and interval over seeds."""
    return style.draw_picture(lambda look: _losses(folder, settings, look), form, dark)


def _losses(folder: Path, settings: Settings, look: Look) -> Figure:
    legend = _model_entries(look, apart=True)
    sheet = Sheet(
        "losses: the training loss before each step",
        f"mean squared error on the training points, teacher-forced; {_caption(settings)}",
        3, 2, (2.55, 1.75), legend, (LEAVE,),
    )  # fmt: skip
    page, top = lay_out(sheet, look)
    losses = {
        zeta: [[trained.losses for trained in _load_or_train(folder, settings, model, zeta)] for model in MODELS]
        for zeta in ZETAS
    }
    drawable = np.concatenate([curve for models in losses.values() for curves in models for curve in curves])
    drawable = drawable[(drawable > 0) & (drawable <= BOUND)]
    low, high = axis_limits([float(drawable.min()), float(drawable.max())]) if drawable.size else (0.01, 1.0)
    for number, (zeta, models) in enumerate(losses.items()):
        up = None if number % 3 else "mean squared error, log scale"
        axes = draw_panel(page, sheet, top, number, Cell(f"damping ratio {zeta:g}", "epochs done", up))
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        axes.set_xlim(0, settings.epochs)
        at = choose_ticks(low, high, "")
        set_ticks(axes, "y", at, ["" if number % 3 else tick_label(tick, "") for tick in at])
        for series, curves in enumerate(models):
            _band(axes, range(settings.epochs), curves, series, look, stroke=STROKES[series])
        _count_gone(axes, [curve for curves in models for curve in curves], BOUND, look)
    return page.figure


def untrained(settings: Settings, folder: Path) -> list[Recipe]:
    """The trainings that the figures need and the folder does not hold; alike programs in a row."""
    needed = [settings.recipe(model, zeta, seed) for model in MODELS for zeta in ZETAS for seed in settings.seeds]
    return [recipe for recipe in needed if not (folder / TRAINED / f"{recipe.name}.npz").is_file()]


FIGURES: dict[str, Callable[[Path, Settings, str, bool], bytes]] = {
    "data": data_picture,
    "switches": switches_picture,
    "tau": tau_picture,
    "phase": phase_picture,
    "losses": losses_picture,
}
"""The figures by name; each takes the folder of results, the setup, the form, and whether the paper is dark.

Trainings kept in the folder are loaded; missing ones are done, and kept there.
"""
ABOUT = {
    "data": "the series of the five damping ratios",
    "switches": "what the models say over the four switches",
    "tau": "the LTC's time constant from the switch on",
    "phase": "phase portraits of the first seed",
    "losses": "the training losses over epochs",
}
"""What each figure shows, for a list of them."""
