"""The record of an experiment, and its JSON: per model, case and metric the values of all seeds and the published value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.codec import SCHEMA, built, dumps, parsed
from ltc_ir.records.environment import Environment
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
    values: tuple[float, ...]
    rollout: str = ""
    selection: str = ""
    variant: str = ""
    published: float | None = None

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
    held: int
    seeds: int
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
    distance: float
    farther: int
    seeds: int
    published: int


@dataclass(frozen=True)
class Experiment:
    """An experiment over seeds."""

    name: str
    about: str
    environment: Environment
    machine: Machine
    settings: Mapping[str, object]
    rows: tuple[Row, ...] = ()
    claims: tuple[Claim, ...] = ()
    seconds: float | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    together: tuple[PooledValues, ...] = ()
    kind: str = "experiment"


def experiment_to_json(experiment: Experiment) -> str:
    """An experiment as JSON text; a value that is not finite becomes ``null``."""
    return dumps(experiment_to_dict(experiment))


def experiments_to_json(experiments: Sequence[Experiment]) -> str:
    """One experiment as a record, several as one record that lists them."""
    return dumps(experiments_to_dict(experiments))


def experiments_to_dict(experiments: Sequence[Experiment]) -> dict[str, Any]:
    """One experiment as JSON holds it, several as one record that lists them."""
    if len(experiments) == 1:
        return experiment_to_dict(experiments[0])
    listed = [experiment_to_dict(experiment) for experiment in experiments]
    return {"schema": SCHEMA, "kind": "experiments", "experiments": listed}


def experiment_to_dict(experiment: Experiment) -> dict[str, Any]:
    """An experiment as JSON holds it: a row for each metric of a model in a case, and the values of its seeds beside it."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": experiment.kind,
        "name": experiment.name,
        "about": experiment.about,
        "environment": asdict(experiment.environment),
        "machine": asdict(experiment.machine),
        "settings": dict(experiment.settings),
        "seconds": experiment.seconds,
        "rows": [row_to_dict(row) for row in experiment.rows],
    }
    optional = {
        "together": [_pooled_to_dict(values) for values in experiment.together],
        "claims": [asdict(claim) for claim in experiment.claims],
        "notes": list(experiment.notes),
    }
    return data | {key: value for key, value in optional.items() if value}


def _pooled_to_dict(values: PooledValues) -> dict[str, Any]:
    return asdict(values) | {"distance": _finite(values.distance)}


def row_to_dict(row: Row) -> dict[str, Any]:
    """A row with what follows from its values."""
    return {
        "model": row.model,
        "case": row.case,
        "variant": row.variant,
        "metric": row.metric,
        "rollout": row.rollout,
        "selection": row.selection,
        "published": row.published,
        "median": _finite(row.median),
        "low": _finite(row.low),
        "high": _finite(row.high),
        "seeds": row.seeds,
        "inside": row.inside,
        "diverged": row.diverged,
        "values": [_finite(value) for value in row.values],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def loads_experiment(text: str, where: str = "the record") -> Experiment:
    """An experiment from its JSON text.

    Raises:
        UsageError: not JSON, no experiment of ours, of a newer schema, or broken; the message names ``where``.
    """
    data = parsed(text, where)
    if not isinstance(data, dict) or data.get("kind") != "experiment":
        raise UsageError(f"{where} is no experiment", "make one with ltc-ir experiment NAME --format json")
    if data.get("schema") != SCHEMA:
        raise UsageError(
            f"{where} has schema {data.get('schema')!r}; this ltc-ir reads {SCHEMA}", "upgrade ltc-ir or run it anew"
        )
    return built(_experiment_from_dict, data, where)


def _experiment_from_dict(data: Mapping[str, Any]) -> Experiment:
    return Experiment(
        name=str(data["name"]),
        about=str(data["about"]),
        environment=Environment(**data["environment"]),
        machine=Machine(**data["machine"]),
        settings=data["settings"],
        rows=tuple(_row_from_dict(row) for row in data["rows"]),
        claims=tuple(Claim(**claim) for claim in data.get("claims", ())),
        seconds=data["seconds"],
        notes=tuple(data.get("notes", ())),
        together=tuple(_pooled_from_dict(each) for each in data.get("together", ())),
    )


def _pooled_from_dict(data: Mapping[str, Any]) -> PooledValues:
    return PooledValues(**{**data, "distance": math.inf if data["distance"] is None else float(data["distance"])})


def _row_from_dict(data: Mapping[str, Any]) -> Row:
    """A row; what follows from its values is computed again."""
    words = {key: str(data[key]) for key in ("model", "case", "metric", "rollout", "selection", "variant")}
    values = tuple(worst_value(words["metric"]) if value is None else float(value) for value in data["values"])
    return Row(**words, values=values, published=data["published"])
