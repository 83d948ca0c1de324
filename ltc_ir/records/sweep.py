"""The record of a sweep: what a program's IR and its stages cost at each size of one parameter, and how fast each grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ltc_ir.records.environment import Environment
from ltc_ir.records.shape import Natural, Number, Shape
from ltc_ir.records.timing import Ended, Machine, Settings

OPERATIONS, LINES, FLOPS, BYTES, SECONDS = "operations", "lines", "flops", "bytes", "seconds"
"""The units of metrics."""


@dataclass(frozen=True)
class Metric:
    """What is followed over a parameter: its name in JSON and CSV, the words of tables, and its unit."""

    name: str
    words: str
    unit: str

    @property
    def measured(self) -> bool:
        """Whether it was measured, and so is noisy; other figures are exact."""
        return self.unit == SECONDS or self.name in {"compile_peak_bytes", "run_peak_bytes"}


METRICS = (
    Metric("jaxpr", "jaxpr", OPERATIONS),
    Metric("stablehlo", "stablehlo", OPERATIONS),
    Metric("hlo", "hlo", OPERATIONS),
    Metric("lines", "stablehlo lines", LINES),
    Metric("flops", "flops by XLA", FLOPS),
    Metric("temporary_bytes", "temporary memory by XLA", BYTES),
    Metric("argument_bytes", "argument memory by XLA", BYTES),
    Metric("trace_s", "trace", SECONDS),
    Metric("lower_s", "lower", SECONDS),
    Metric("compile_s", "compile", SECONDS),
    Metric("steady_s", "step", SECONDS),
    Metric("eager_s", "eager", SECONDS),
    Metric("compile_peak_bytes", "memory the compile added", BYTES),
    Metric("run_peak_bytes", "memory the first call added", BYTES),
)
"""All metrics, in the order they are shown."""
CHAIN = ("jaxpr", "stablehlo", "hlo", "compile_s")
"""What is made of what: each is said to grow faster than the one before it where it does."""


@dataclass(frozen=True)
class SweepPoint:
    """The figures of a program at one size.

    ``spans`` are the intervals of timed medians, at the confidence of the settings. ``reasons`` says why a metric that
    was asked for is not there. ``runs`` is how many runs stand behind each timed one, and ``first_only`` names those that
    only a first run was had of, which may hold what is done once.
    """

    value: int
    metrics: Mapping[str, Number] = field(default_factory=dict)
    spans: Mapping[str, tuple[Number, Number]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, Natural] = field(default_factory=dict)
    first_only: frozenset[str] = frozenset()

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """Without the metrics that are ``null``."""
        return data | {"metrics": {name: value for name, value in data["metrics"].items() if value is not None}}


@dataclass(frozen=True)
class Growth:
    """How a metric y grows with the size n, as a least-squares fit of relative differences over the points.

    ``form`` is ``constant`` (y is the same at each point), ``power`` (y = scale * n ** exponent) or ``offset`` (y = fixed +
    scale * n ** exponent, where ``fixed`` is what a program costs at any size). ``low`` and ``high`` are the ends of the
    exponent's interval at the sweep's confidence; ``None`` where the points leave that end open, and both with fewer than four
    points. Without ``exponent``, ``reason`` says why there is none. ``grows`` says that y rises for sure: an exact figure at
    no size falls, and the slope of a measured one's logarithms is above 0.
    """

    form: str | None = None
    exponent: Number | None = None
    low: Number | None = None
    high: Number | None = None
    scale: Number | None = None
    fixed: Number | None = None
    grows: bool = False
    reason: str | None = None

    def at(self, value: float) -> float | None:
        """The fitted value at a size; ``None`` where there is no fit."""
        if self.exponent is None or self.scale is None:
            return None
        return (self.fixed or 0.0) + float(self.scale * value**self.exponent)


@dataclass(frozen=True)
class Faster:
    """A metric that grows faster than the one it is made from: the interval of its exponent lies above the other's."""

    metric: str
    than: str


@dataclass(frozen=True)
class ProgramSweep:
    """A program over the sizes: its points in increasing order, the growth of each metric, and what outgrows what."""

    points: tuple[SweepPoint, ...] = ()
    growth: Mapping[str, Growth] = field(default_factory=dict)
    faster: tuple[Faster, ...] = ()

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With every metric of the program at each point, ``null`` where it is missing for a reason."""
        names = [metric.name for metric in self.metrics()]
        for point in data["points"]:
            point["metrics"] = {name: point["metrics"].get(name) for name in names}
        return data

    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that any point has or says why not, in the order they are shown."""
        known = {name for point in self.points for name in (*point.metrics, *point.reasons)}
        return tuple(metric for metric in METRICS if metric.name in known)

    def without_interval(self) -> dict[str, int]:
        """The timed metrics that have an interval at no size, in words, each with the most runs it has."""
        timed = [metric for metric in self.metrics() if metric.unit == SECONDS]
        known = {metric: [point for point in self.points if metric.name in point.metrics] for metric in timed}
        return {
            metric.words: max(point.runs.get(metric.name, 0) for point in points)
            for metric, points in known.items()
            if points and not any(metric.name in point.spans for point in points)
        }


@dataclass(frozen=True)
class Sweep:
    """The sweep of a target's programs over one parameter.

    ``values`` are the sizes asked for, increasing. ``machine`` and ``settings`` are there where stages were timed.
    ``filters`` are the operations and phases the sizes were narrowed to. ``ended`` says what cut the sweep short.
    """

    target: str
    parameter: str
    values: tuple[int, ...]
    environment: Environment
    programs: Mapping[str, ProgramSweep] = field(default_factory=dict)
    machine: Machine | None = None
    settings: Settings | None = None
    confidence: Number = 0.9
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)
    ended: Ended | None = None
    notes: tuple[str, ...] = ()
    kind: str = "sweep"
    SHAPE: ClassVar = Shape(optional=("machine", "settings", "filters", "unavailable", "ended", "notes"))

    def with_point(self, program: str, point: SweepPoint) -> Sweep:
        """The same sweep with one more point of a program."""
        before = self.programs.get(program, ProgramSweep())
        return replace(self, programs={**self.programs, program: replace(before, points=(*before.points, point))})
