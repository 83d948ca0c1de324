"""Plans of the published experiments: the trainings each needs, what it measures on one, and how seeds become rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ltc_ir.lab import measurements, published
from ltc_ir.lab.data import SWITCHES, ZETAS
from ltc_ir.lab.measurements import LAMBDAS, NO_OMEGA, TEACHER_FORCED, TWO_PASS, ZERO, Measurement, adaptive_weight
from ltc_ir.lab.models import MODELS
from ltc_ir.lab.records import Row, worst_value
from ltc_ir.lab.training import EPOCHS, EVERY, EVERY_MDL, Recipe, Trained

MODEL_ORDER = (*published.MODELS, ZERO)
"""The models of a case, below each other."""
ANOTHER_SEED = "no Omega, another seed"
"""The control of an improvement: what a change of the initial values alone does."""


@dataclass(frozen=True)
class Settings:
    """How experiments are run: the seeds, the epochs, and how many seeds train with Omega along the trajectory."""

    seeds: tuple[int, ...]
    epochs: int = EPOCHS
    trajectory_seeds: int = 5
    noisy: bool = False

    def recipe(self, model: str, zeta: float, seed: int, omega: str | None = None, weight: float = 0.0) -> Recipe:
        """The training of a model on one damping ratio; evaluated as often as published, or once where that does not fit."""
        every = EVERY if omega is None else EVERY_MDL
        every = every if self.epochs % every == 0 else self.epochs
        return Recipe(model, f"{zeta:g}", seed, self.epochs, every, omega, weight, self.noisy)


def _unchanged(seed_values: Sequence[Measurement]) -> Iterable[Measurement]:
    return seed_values


@dataclass(frozen=True)
class Plan:
    """An experiment: its name and what it is about, the trainings it needs, what it measures on one.

    ``combine`` makes further measurements of those of all trainings; only what it returns is shown.
    ``rollout`` is the one that was published.
    """

    name: str
    about: str
    recipes: Callable[[Settings], Iterable[Recipe]]
    measure: Callable[[Trained], Iterable[Measurement]]
    combine: Callable[[Sequence[Measurement]], Iterable[Measurement]] = _unchanged
    rollout: str = TWO_PASS

    def as_published(self, row: Row) -> bool:
        """Whether a row is run and selected as published."""
        return row.rollout == self.rollout and row.selection == "test"


def _recipes_for(
    zetas: Iterable[float], models: Iterable[str] = tuple(MODELS)
) -> Callable[[Settings], Iterator[Recipe]]:
    def recipes(settings: Settings) -> Iterator[Recipe]:
        return (settings.recipe(model, zeta, seed) for model in models for zeta in zetas for seed in settings.seeds)

    return recipes


def _with_zero_model(
    error: Callable[[Measurement], float], seed_values: Iterable[Measurement]
) -> Iterator[Measurement]:
    """The measurements, and after those of one model the ones of the model that predicts 0, which are equal for all seeds."""
    for measurement in seed_values:
        yield measurement
        if measurement.model == published.MODELS[0]:
            yield measurement._replace(model=ZERO, value=error(measurement))


def _transfer(seed_values: Sequence[Measurement]) -> Iterator[Measurement]:
    return _with_zero_model(measurements.zero_base_error, _mean_over_others(seed_values))


def _mean_over_others(seed_values: Sequence[Measurement]) -> Iterator[Measurement]:
    """The mean over the ratios trained on, by the ratio tested on."""
    groups: dict[Measurement, list[float]] = defaultdict(list)
    for measurement in seed_values:
        tested = measurement.case.rpartition(" on ")[2]
        groups[measurement._replace(case=f"others on {tested}", value=0.0)].append(measurement.value)
    return (measurement._replace(value=float(np.mean(values))) for measurement, values in groups.items())


def _mdl_recipes(settings: Settings) -> Iterator[Recipe]:
    for before, _ in SWITCHES:
        for number, seed in enumerate(settings.seeds):
            yield settings.recipe("ltc", before, seed)
            for omega in ("static", "trajectory"):
                if omega == "static" or number < settings.trajectory_seeds:
                    for weight in dict.fromkeys((*LAMBDAS, adaptive_weight(before))):
                        yield settings.recipe("ltc", before, seed, omega, weight)


def _with_improvement(seed_values: Sequence[Measurement]) -> Iterator[Measurement]:
    """The errors, and by how much Omega lowers them from the same start, in percent.

    Also by how much another start lowers them without Omega: each seed's error compared with the next one's.
    """
    without_omega = {_comparison_key(each): each for each in seed_values if each.variant == NO_OMEGA}
    next_seeds = dict(_pairs_of_seeds(without_omega.values()))
    for measurement in seed_values:
        yield measurement
        before = without_omega.get(_comparison_key(measurement))
        if measurement.variant == NO_OMEGA:
            if measurement in next_seeds:
                yield _improvement(measurement, next_seeds[measurement].value, ANOTHER_SEED)
        elif before is not None:
            yield _improvement(before, measurement.value, measurement.variant)


def _comparison_key(measurement: Measurement) -> tuple[object, ...]:
    """What two measurements that are compared have in common."""
    return measurement._replace(variant="", value=0.0)


def _improvement(before: Measurement, after: float, variant: str) -> Measurement:
    """The improvement in percent; minus infinity where the run diverged before, so that it is counted."""
    with np.errstate(invalid="ignore"):
        value = 100 * (before.value - after) / before.value if np.isfinite(before.value) else worst_value("improvement")
    return before._replace(metric="improvement", variant=variant, value=value)


def _pairs_of_seeds(seed_values: Iterable[Measurement]) -> Iterator[tuple[Measurement, Measurement]]:
    """Each measurement and that of the next seed; after the last comes the first."""
    groups: dict[Measurement, list[Measurement]] = defaultdict(list)
    for measurement in seed_values:
        groups[measurement._replace(seed=0, value=0.0)].append(measurement)
    for group in groups.values():
        ordered = sorted(group, key=lambda measurement: measurement.seed)
        yield from zip(ordered, [*ordered[1:], ordered[0]], strict=True) if len(ordered) > 1 else ()


_ALL = _recipes_for(ZETAS)
_SWITCHED = tuple(before for before, _ in SWITCHES)
_WITH_ZERO_BASE = partial(_with_zero_model, measurements.zero_base_error)
PLANS = {
    plan.name: plan
    for plan in (
        Plan("base", "the error of each model on its own damping ratio", _ALL, measurements.measure_base, _WITH_ZERO_BASE),
        Plan(
            "switch", "the error before and after the damping ratio changes at t = 10", _recipes_for(_SWITCHED),
            measurements.measure_switch, partial(_with_zero_model, measurements.zero_switch_error),
        ),
        Plan("transfer", "the error on a ratio, over those trained on others", _ALL, measurements.measure_transfer, _transfer),
        Plan(
            "extrapolation", "the error on ratio 1.2, trained on smaller ones", _recipes_for(ZETAS[:-1]),
            measurements.measure_extrapolation, _WITH_ZERO_BASE,
        ),
        Plan("noise", "how much noise on the first observation raises the error", _ALL, measurements.measure_noise),
        Plan(
            "tau", "the LTC's mean time constant from the switch on", _recipes_for(published.TAU_CASES, ("ltc",)),
            measurements.measure_tau,
        ),
        Plan(
            "mdl", "the error after a switch with Omega, from the same start", _mdl_recipes, measurements.measure_mdl,
            _with_improvement,
        ),
        Plan(
            "attractor", "how far the orbits of a model lie from the true ones", _recipes_for((0.3,)),
            measurements.measure_attractor, partial(_with_zero_model, measurements.zero_attractor_value), TEACHER_FORCED,
        ),
    )
}  # fmt: skip
"""The experiments by name; base and switch first, because most claims depend on them."""


def build_rows(plan: Plan, seed_values: Sequence[Measurement]) -> tuple[Row, ...]:
    """The rows of an experiment: measurements that differ in their seed alone are one row."""
    published_values = published.PUBLISHED[plan.name]
    groups: dict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
    for measurement in plan.combine(seed_values):
        groups[measurement[:6]][measurement.seed] = measurement.value
    rows = []
    for model, case, variant, metric, rollout, selection in _order_keys(groups, published_values):
        by_seed = groups[model, case, variant, metric, rollout, selection]
        row = Row(model, case, metric, tuple(by_seed[seed] for seed in sorted(by_seed)), rollout, selection, variant)
        value = published_values.get((model, case, variant, metric)) if plan.as_published(row) else None
        rows.append(replace(row, published=value))
    return tuple(rows)


def _order_keys(keys: Iterable[tuple[str, ...]], published_first: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Keys in the order of the table: cases as published, then as they came, the models of a case below each other."""
    listed = list(keys)
    ranks = [list(dict.fromkeys(key[part] for key in listed)) for part in range(6)]
    ranks[1] = list(dict.fromkeys([*(key[1] for key in published_first), *ranks[1]]))

    def rank(key: tuple[str, ...]) -> tuple[int, ...]:
        model, case, variant, metric, rollout, selection = key
        ways = ranks[4].index(rollout), ranks[5].index(selection)
        return (ranks[3].index(metric), ranks[1].index(case), ranks[2].index(variant), MODEL_ORDER.index(model), *ways)

    return sorted(listed, key=rank)


def unmatched_values(plan: Plan, rows: Iterable[Row]) -> set[tuple[str, str, str, str]]:
    """The published values that no row is compared with."""
    return set(published.PUBLISHED[plan.name]) - {(row.model, row.case, row.variant, row.metric) for row in rows}
