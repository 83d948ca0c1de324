"""Arranges an experiment for its picture: which rows share axes, their labels, and the position of a value on its axis."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib.ticker import MaxNLocator

from ltc_ir.lab.records import DIVERGED, Row
from ltc_ir.plots.panels import choose_ticks, tick_label
from ltc_ir.plots.style import MARKERS

MODELS = ("ltc", "ctrnn", "node")
"""In the order of the colours, which are those of every picture of the models."""
MODEL_WORDS = {"ltc": "LTC", "ctrnn": "CTRNN", "node": "Neural ODE"}
BASELINE = "zero"
"""The model that learns nothing, which a line stands for."""
_OMEGAS = {
    "none": "no Omega",
    "static": "Omega of tau0 alone, as the code has it",
    "trajectory": "Omega along the trajectory, as the text has it",
}
BEYOND_ERROR, BEYOND, BEYOND_DISTANCE = 1.0, 1.0, 3.0
"""What is not drawn in its place: an error above this power of ten, another ratio above this power of ten times all medians
and published values, a distance above so many times these."""
_METRICS = {
    "mse": ("mean squared error", "log"),
    "mse overall": ("error over all points", "log"),
    "mse before": ("error before the switch", "log"),
    "mse after": ("error from the switch on", "log"),
    "recovery points": ("points until recovery", "linear"),
    "ratio": ("error with noise / without", "log"),
    "tau at the switch": ("mean tau at the switch", "linear"),
    "tau at the end": ("mean tau at the end, t = 20", "linear"),
    "softplus at the switch": ("mean softplus in tau at the switch", "linear"),
    "softplus at the end": ("mean softplus in tau at the end", "linear"),
    "rise": ("rise of mean tau to the end", "linear"),
    "share of steps up": ("share of steps in which tau rises", "linear"),
    "improvement": ("improvement, %", "improvement"),
    "hausdorff": ("Hausdorff distance", "linear"),
}
"""What a metric is called on its axis, and how that axis runs."""
_REFERENCE = {"ratio": 1.0, "improvement": 0.0, "rise": 0.0}
"""Where nothing changes."""


class Place(NamedTuple):
    """Where a row is drawn: a panel by metric and facet, in it a slot along the axis, and in that one of the series."""

    metric: str
    facet: str
    slot: str
    series: str


@dataclass(frozen=True)
class Panel:
    """Rows that share axes; ``slots`` and ``facet`` are as the record has them."""

    metric: str
    facet: str
    rollout: str
    slots: tuple[str, ...]
    rows: tuple[tuple[Place, Row], ...]

    @property
    def scale(self) -> str:
        """``log``, ``linear`` or ``improvement``."""
        return _METRICS.get(self.metric, ("", "linear"))[1]

    @property
    def words(self) -> str:
        """What its figures are."""
        words = _METRICS.get(self.metric, (self.metric, ""))[0]
        return f"{words}, log scale" if self.scale == "log" else words

    @property
    def reference(self) -> float | None:
        """The place of no change; ``None`` where there is none."""
        value = _REFERENCE.get(self.metric)
        return None if value is None else axis_position(value, self.scale)

    @property
    def along(self) -> str:
        """What stands along it."""
        row = self.rows[0][1]
        if self.metric == "hausdorff":
            return "of the distances of each orbit; of all points at once"
        if row.variant.startswith("sigma "):
            return "sigma, the noise on the first observation"
        if _omega(row.variant) is not None:
            return "lambda, the weight of Omega"
        return _along(row.case)


def _along(case: str) -> str:
    if case.startswith("others on "):
        return "damping ratio tested on, trained on each other one"
    if " on " in case:
        return f"damping ratio trained on, tested on {case.rpartition(' on ')[2]}"
    return "damping ratio before → after the switch" if " -> " in case else "damping ratio"


def slot_label(slot: str) -> str:
    """A slot as its tick has it: what the words along the axis say already is left out."""
    return slot.removeprefix("others on ").partition(" on ")[0].replace(" -> ", " → ")


def series_label(series: str) -> str:
    """A series as the legend has it."""
    return {**MODEL_WORDS, **_OMEGAS, BASELINE: "always says 0"}.get(series, series)


def series_order(rows: Iterable[Row]) -> list[str]:
    """All the series that have a colour, in the order of these."""
    present = dict.fromkeys(place_row(row).series for row in rows if row.model != BASELINE)
    ordered = [name for name in (*MODELS, *_OMEGAS) if name in present]
    return [*ordered, *(name for name in present if name not in ordered)]


def series_number(name: str, series: Sequence[str]) -> int:
    """The number of a series' colour and marker: a model has the same whatever stands beside it, and no other has that."""
    group = next((names for names in (MODELS, tuple(_OMEGAS)) if name in names), None)
    if group is not None:
        return group.index(name)
    others = [other for other in series if other not in MODELS and other not in _OMEGAS]
    return (len(MODELS) + others.index(name)) % len(MARKERS)


def place_row(row: Row) -> Place:
    """Where a row is drawn."""
    metric = "hausdorff" if row.metric.startswith("hausdorff ") else row.metric
    if metric == "hausdorff":
        return Place(metric, row.variant, row.metric.removeprefix("hausdorff ").removeprefix("of "), row.model)
    if row.variant.startswith("sigma "):
        return Place(metric, row.case, row.variant.removeprefix("sigma "), row.model)
    if (omega := _omega(row.variant)) is not None:
        weight = "none" if omega == "none" else row.variant.partition(", ")[2]
        return Place(metric, row.case, weight, omega)
    return Place(metric, "", f"{row.case}, {row.variant}" if row.variant else row.case, row.model)


def _omega(variant: str) -> str | None:
    """Which Omega a variant names; ``None`` where it names none of them."""
    name = variant.partition(", ")[0]
    name = "none" if name == "no Omega" else name
    return name if name in _OMEGAS else None


def panel_lines(rows: Sequence[Row]) -> list[list[Panel]]:
    """The panels, line by line: those of a line show the same metric, but for metrics of a single panel, which fill lines."""
    placed = [(place_row(row), row) for row in rows]
    lines = [line for metric in dict.fromkeys(at.metric for at, _ in placed) for line in _lines(placed, metric)]
    single = all(len(line) == 1 for line in lines)
    return [[panel for line in lines for panel in line]] if single else lines


def _lines(placed: Sequence[tuple[Place, Row]], metric: str) -> Iterator[list[Panel]]:
    """The panels of a metric: one line, or one for each rollout where every rollout has several facets."""
    mine = [(at, row) for at, row in placed if at.metric == metric]
    rollouts = list(dict.fromkeys(row.rollout for _, row in mine))
    facets = sorted(dict.fromkeys(at.facet for at, _ in mine), key=_facet_order)
    present = {(at.facet, row.rollout) for at, row in mine}
    keys = [[(facet, roll) for facet in facets if (facet, roll) in present] for roll in rollouts]
    if any(len(line) == 1 for line in keys):
        keys = [[key for line in keys for key in line]]
    return ([_panel(mine, *key) for key in line] for line in keys)


def _facet_order(facet: str) -> float:
    return _first_number(facet) if facet else -1.0


def _panel(rows: Sequence[tuple[Place, Row]], facet: str, rollout: str) -> Panel:
    mine = [(at, row) for at, row in rows if (at.facet, row.rollout) == (facet, rollout)]
    slots = list(dict.fromkeys(at.slot for at, _ in mine))
    metric = mine[0][0].metric
    ordered = slots if metric == "hausdorff" else sorted(slots, key=_first_number)
    return Panel(metric, facet, rollout, tuple(ordered), tuple(mine))


def _first_number(text: str) -> float:
    """Slots in the order of their numbers; ``none`` first, other words last."""
    number = re.search(r"\d+(\.\d+)?", text)
    return -1.0 if text == "none" else math.inf if number is None else float(number[0])


def axis_position(value: float, scale: str) -> float:
    """Where a figure lies along its axis; what no axis reaches is infinite.

    An improvement lies where the ratio of the errors does: as 100 % is a ratio of 0, and what is worse has no bound.
    """
    if math.isnan(value):
        return math.inf if scale != "improvement" else -math.inf
    if scale == "linear":
        return value
    ratio = value if scale == "log" else 1 - value / 100
    power = math.inf if ratio == math.inf else math.log10(ratio) if ratio > 0 else -math.inf
    return power if scale == "log" else -power


def axis_limits(panels: Iterable[Panel]) -> tuple[float, float]:
    """The ends of an axis for all of these: around the values, without those that are far off."""
    shown = list(panels)
    positions = [at for panel in shown for at in _near_positions(panel) if math.isfinite(at)]
    positions += [panel.reference for panel in shown if panel.reference is not None]
    low, high = (min(positions), max(positions)) if positions else (0.0, 1.0)
    least = 0.02 if shown[0].scale != "linear" else 0.02 * max(abs(low), abs(high), 0.05)
    room = max(0.06 * (high - low), least)
    return low - room, high + room


def _near_positions(panel: Panel) -> list[float]:
    scale, rows = panel.scale, [row for _, row in panel.rows]
    published = [axis_position(row.published, scale) for row in rows if row.published is not None]
    values = [axis_position(value, scale) for row in rows for value in row.values]
    middles = [at for row in rows if math.isfinite(at := axis_position(row.median, scale))] + published
    if panel.metric.startswith("mse"):
        diverged = [axis_position(DIVERGED, scale)] if any(row.diverged for row in rows) else []
        return [at for at in values if at <= BEYOND_ERROR] + published + diverged
    if scale == "improvement":
        return [at for at in values if at >= min(middles, default=0.0) - BEYOND] + published
    bound = math.inf
    if scale == "log":
        bound = max(middles, default=0.0) + BEYOND
    elif panel.metric == "hausdorff":
        bound = max(middles, default=1.0) * BEYOND_DISTANCE
    return [at for at in values if at <= bound] + published


def axis_ticks(low: float, high: float, scale: str) -> list[tuple[float, str]]:
    """The ticks of an axis with these ends: their places and labels."""
    if scale == "improvement":
        every = 1 if high - low < 8 else 3
        percents = [100 - 100 * 10.0**power for power in range(-12, 13, every)] + [50.0, -100.0] * (high - low < 3.5)
        return [
            (at, _signed(round(value, 10))) for value in percents if low <= (at := axis_position(value, scale)) <= high
        ]
    if scale == "linear" or high - low < math.log10(4):
        ends = (low, high) if scale == "linear" else (10**low, 10**high)
        steps = [float(f"{step:.6g}") for step in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(*ends)]
        return [(at, _signed(step)) for step in steps if low <= (at := axis_position(step, scale)) <= high]
    return [(math.log10(tick), tick_label(tick, "")) for tick in choose_ticks(10**low, 10**high, "")]


def _signed(value: float) -> str:
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.12g}"
    return shown.replace("-", "\N{MINUS SIGN}")
