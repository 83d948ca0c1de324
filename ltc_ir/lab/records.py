"""The record of an experiment, and its JSON: per model, case and metric the values of all seeds and the published value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ltc_ir.records import serialization
from ltc_ir.records.environment import Environment
from ltc_ir.records.shape import Natural, Number, Shape, finite
from ltc_ir.records.timing import Machine

DIVERGED = 1.0
"""A mean squared error above which a model has diverged: no state of the data is larger."""


def worst_value(metric: str) -> float:
    """The value that stands for one that is not finite: the worse end of its metric."""
    return -math.inf if metric == "improvement" else math.inf


@dataclass(frozen=True)
class Row:
    """One metric of one model in one case, over seeds.

    ``case`` is a damping ratio, a switch, or where a model was trained and tested; ``variant`` what else was varied.
    ``rollout`` and ``selection`` say how the model ran and how its parameters were chosen. ``values`` are those of each
    seed, in the order of the seeds; one that is no number is infinite, on the worse side. ``published`` is ``None`` where
    the text has none.
    """

    model: str
    case: str
    metric: str
    values: tuple[Number, ...]
    rollout: str = ""
    selection: str = ""
    variant: str = ""
    published: Number | None = None
    SHAPE: ClassVar = Shape(derived=("median", "low", "high", "seeds", "inside", "diverged"))

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With ``null`` for values that are not finite."""
        ends = {key: finite(data[key]) for key in ("median", "low", "high")}
        return data | ends | {"values": list(map(finite, data["values"]))}

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """The inverse: ``null`` is infinite, on the worse side of its metric."""
        return data | {"values": [worst_value(data["metric"]) if value is None else value for value in data["values"]]}

    @property
    def seeds(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def median(self) -> float:
        """The median over seeds."""
        return quantile(self.values, 0.5)

    @property
    def low(self) -> float:
        """The lower end of the interval that holds 90 % of the seeds."""
        return quantile(self.values, 0.05)

    @property
    def high(self) -> float:
        """The upper end of that interval."""
        return quantile(self.values, 0.95)

    @property
    def inside(self) -> bool | None:
        """Whether the published value lies in the interval; ``None`` where there is none."""
        return None if self.published is None else self.low <= self.published <= self.high

    @property
    def diverged(self) -> int:
        """The seeds that diverged: an error above `DIVERGED`, or any figure that is no number."""
        bound = DIVERGED if self.metric.startswith("mse") else math.inf
        return sum(value > bound or not math.isfinite(value) for value in self.values)


def quantile(values: tuple[float, ...], share: float) -> float:
    """The quantile by linear interpolation between order statistics; infinite where one of its neighbours is.

    Source: Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996, definition 7.
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    part = place - math.floor(place)
    return below if part == 0 or below == above or math.isinf(below) else below + part * (above - below)


@dataclass(frozen=True)
class Claim:
    """Something the text says, and how often it holds over seeds.

    ``held`` of ``seeds`` seeds agree with it. ``verdict`` is ``holds``, ``a matter of the seed``, ``does not hold`` or
    ``compares unlike things``; ``why`` says it in figures, those of ``rollout``. ``published`` says whether the published
    figures have it so themselves, ``None`` where they do not say.
    """

    name: str
    says: str
    held: Natural
    seeds: Natural
    verdict: str
    why: str
    rollout: str = ""
    published: bool | None = None


@dataclass(frozen=True)
class PooledValues:
    """The published figures of a model taken together, beside the seeds.

    ``inside`` of ``published`` figures lie in the interval of the seeds. ``distance`` is how far the ``figures`` that can be
    compared lie from the seeds' medians, in units of their deviation; ``farther`` of ``seeds`` seeds lie as far or farther
    from all the others. Where many do, what was published could be one more seed; where none does, it could hardly be.
    """

    model: str
    figures: int
    inside: int
    distance: Number
    farther: Natural
    seeds: Natural
    published: Natural

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With ``null`` for an infinite distance."""
        return data | {"distance": finite(self.distance)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """The inverse."""
        return data | {"distance": math.inf if data["distance"] is None else data["distance"]}


@dataclass(frozen=True)
class Experiment:
    """An experiment over seeds."""

    name: str
    about: str
    environment: Environment
    machine: Machine
    settings: Mapping[str, Any]
    rows: tuple[Row, ...] = ()
    claims: tuple[Claim, ...] = ()
    seconds: Number | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    together: tuple[PooledValues, ...] = ()
    kind: str = "experiment"
    SHAPE: ClassVar = Shape(optional=("together", "claims", "notes"))


serialization.KINDS["experiment"] = (f"{__name__}:{Experiment.__name__}", "experiment NAME --format json")
