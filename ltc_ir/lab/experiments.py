"""The published experiments: which trainings each needs, what it measures on one, and how seeds become a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from ltc_ir.lab import published
from ltc_ir.lab.data import SWITCHES, ZETAS, Series, oscillator_set, switch_name, switch_set
from ltc_ir.lab.evaluating import ROLL, Floats, hausdorff, mean_tau, mse, switch_errors, teacher_forced, two_pass
from ltc_ir.lab.models import MODELS
from ltc_ir.lab.physics import oscillator
from ltc_ir.lab.training import EPOCHS, EVERY, EVERY_MDL, Recipe, Trained
from ltc_ir.records.experiment import Row

LAMBDAS = (0.001, 0.01, 0.1)
"""The fixed sweep of lambda."""
ADAPTIVE = 0.01
"""Lambda of the adaptive rule is this times the damping ratio."""
REPEATS = 20
"""Draws of the noise on the first observation."""
STARTS, SPREAD, DRAW = 100, 2.0, 42
"""Initial conditions of the attractor experiment: how many, how far from 0 in each component, and their seed."""
SELECTIONS = ("test", "validation")
"""By which split the best parameters are chosen; the published choice leaks the test split."""


@dataclass(frozen=True)
class Setup:
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


class Raw(NamedTuple):
    """One figure of one seed."""

    model: str
    case: str
    variant: str
    metric: str
    rollout: str
    selection: str
    seed: int
    value: float


@dataclass(frozen=True)
class Plan:
    """An experiment: its name and what it is about, the trainings it needs, what it measures on one.

    ``combine`` makes further figures of those of all trainings; what it is given and does not give is not shown.
    """

    name: str
    about: str
    recipes: Callable[[Setup], Iterable[Recipe]]
    measure: Callable[[Trained], Iterable[Raw]]
    combine: Callable[[Sequence[Raw]], Iterable[Raw]] = lambda raws: raws


@cache
def oscillators() -> dict[str, Series]:
    """The published oscillator series."""
    return oscillator_set()


@cache
def switches() -> dict[str, Series]:
    """The published switch series."""
    return switch_set()


def _all(setup: Setup) -> Iterator[Recipe]:
    return (setup.recipe(model, zeta, seed) for model in MODELS for zeta in ZETAS for seed in setup.seeds)


def _of(zetas: Iterable[float], models: Iterable[str] = tuple(MODELS)) -> Callable[[Setup], Iterator[Recipe]]:
    def recipes(setup: Setup) -> Iterator[Recipe]:
        return (setup.recipe(model, zeta, seed) for model in models for zeta in zetas for seed in setup.seeds)

    return recipes


def _raw(trained: Trained, case: str, metric: str, value: float, how: tuple[str, str] = ("", "test")) -> Raw:
    recipe = trained.recipe
    return Raw(recipe.model, case, "", metric, *how, recipe.seed, float(value))


def _variants(recipe: Recipe) -> tuple[str, ...]:
    """How a training with Omega is called: by its lambda, by the adaptive rule, or by both where they are the same."""
    if recipe.omega is None:
        return ("no Omega",)
    names = [f"{weight:g}" for weight in LAMBDAS if weight == recipe.weight]
    names += ["adaptive"] if recipe.weight == _adaptive(float(recipe.series)) else []
    return tuple(f"{recipe.omega}, {name}" for name in names)


def _adaptive(zeta: float) -> float:
    """Lambda by the adaptive rule, rounded as it is written, so that one training serves both where the sweep has it too."""
    return round(ADAPTIVE * zeta, 6)


def _ways(trained: Trained) -> Iterator[tuple[tuple[str, str], Callable[[Series], Floats]]]:
    """Each rollout with each selection: its name, and what runs a series' test split so."""
    for selection in SELECTIONS:
        params = getattr(trained, selection)
        for name, roll in ROLL.items():

            def run(series: Series, roll: Callable[..., Floats] = roll, params: Floats = params) -> Floats:
                return roll(trained.recipe.model, params, series.test.times, series.test.clean[0])

            yield (name, selection), run


def _base(trained: Trained) -> Iterator[Raw]:
    series = oscillators()[trained.recipe.series]
    for how, run in _ways(trained):
        yield _raw(trained, series.name, "mse", mse(run(series), series.test.clean), how)


def _transfer(trained: Trained) -> Iterator[Raw]:
    own = trained.recipe.series
    for how, run in _ways(trained):
        for name, series in oscillators().items():
            if name != own:
                yield _raw(trained, f"{own} on {name}", "mse", mse(run(series), series.test.clean), how)


def _mean_over_others(raws: Sequence[Raw]) -> Iterator[Raw]:
    """The mean over the ratios trained on, by the ratio tested on."""
    groups: dict[Raw, list[float]] = defaultdict(list)
    for raw in raws:
        tested = raw.case.rpartition(" on ")[2]
        groups[raw._replace(case=f"others on {tested}", value=0.0)].append(raw.value)
    return (raw._replace(value=float(np.mean(values))) for raw, values in groups.items())


def _extrapolation(trained: Trained) -> Iterator[Raw]:
    return (raw for raw in _transfer(trained) if raw.case.endswith(" on 1.2"))


def _noise(trained: Trained) -> Iterator[Raw]:
    recipe, split = trained.recipe, oscillators()[trained.recipe.series].test

    def error(first: Floats) -> float:
        return mse(two_pass(recipe.model, trained.test, split.times, first), split.clean)

    clean = error(split.clean[0])
    for sigma in published.SIGMAS:
        draw = np.random.default_rng([recipe.seed, round(1000 * float(recipe.series)), round(1000 * sigma)])
        firsts = split.clean[0] + sigma * draw.standard_normal((REPEATS, 2)).astype(np.float32)
        noisy = [error(first.astype(np.float32)) for first in firsts]
        ratio = float(np.mean(noisy)) / clean if np.isfinite(clean) else float("inf")
        yield _raw(trained, recipe.series, "ratio", ratio, ("two-pass", "test"))._replace(variant=f"sigma {sigma:g}")


def _switch(trained: Trained) -> Iterator[Raw]:
    for series in _switches_from(trained.recipe.series):
        for how, run in _ways(trained):
            errors = switch_errors(run(series), series.test)
            for metric, value in zip(published.SWITCH_METRICS, errors.values(), strict=True):
                yield _raw(trained, series.name, metric, value, how)


def _switches_from(own: str) -> list[Series]:
    return [series for series in switches().values() if f"{series.zetas[0]:g}" == own]


def _tau(trained: Trained) -> Iterator[Raw]:
    """Time constants from the switch on; a ratio that no switch starts from goes on as it is."""
    series = (_switches_from(trained.recipe.series) or [oscillators()[trained.recipe.series]])[0]
    taus = mean_tau(trained.test, series.test)[series.test.times >= 10.0]
    case, how = trained.recipe.series, ("two-pass", "test")
    yield _raw(trained, case, "tau at the switch", taus[0], how)
    yield _raw(trained, case, "tau at the end", taus[-1], how)
    yield _raw(trained, case, "rise", taus[-1] - taus[0], how)
    yield _raw(trained, case, "share of steps up", float(np.mean(np.diff(taus) > 0)), how)


def _mdl_recipes(setup: Setup) -> Iterator[Recipe]:
    for before, _ in SWITCHES:
        for number, seed in enumerate(setup.seeds):
            yield setup.recipe("ltc", before, seed)
            for omega in ("static", "trajectory"):
                if omega == "static" or number < setup.trajectory_seeds:
                    for weight in dict.fromkeys((*LAMBDAS, _adaptive(before))):
                        yield setup.recipe("ltc", before, seed, omega, weight)


def _mdl(trained: Trained) -> Iterator[Raw]:
    for raw in _switch(trained):
        if raw.metric == "mse after" and raw.selection == "test":
            yield from (raw._replace(variant=variant) for variant in _variants(trained.recipe))


def _with_improvement(raws: Sequence[Raw]) -> Iterator[Raw]:
    """The errors, and by how much Omega lowers them from the same start, in percent."""
    plain = {raw[:2] + raw[3:7]: raw.value for raw in raws if raw.variant == "no Omega"}
    for raw in raws:
        yield raw
        before = plain.get(raw[:2] + raw[3:7])
        if raw.variant != "no Omega" and before is not None and np.isfinite(before):
            yield raw._replace(metric="improvement", value=100 * (before - raw.value) / before)


def _attractor(trained: Trained) -> Iterator[Raw]:
    times = np.linspace(0.0, 20.0, STARTS)
    starts = np.random.default_rng(DRAW).uniform(-SPREAD, SPREAD, (STARTS, 2))
    zeta = float(trained.recipe.series)
    truths = [oscillator(times, zeta, (u, v)).astype(np.float32) for u, v in starts]
    at = times.astype(np.float32)
    said = [teacher_forced(trained.recipe.model, trained.test, at, truth)[:, :2] for truth in truths]
    apart = np.array([hausdorff(one, truth) for one, truth in zip(said, truths, strict=True)])
    figures = (
        apart.mean(), np.median(apart), apart.std(ddof=1), apart.min(), apart.max(),
        hausdorff(np.concatenate(said), np.concatenate(truths)), mse(np.stack(said), np.stack(truths)),
    )  # fmt: skip
    for metric, value in zip(published.ATTRACTOR_METRICS, figures, strict=True):
        yield _raw(trained, trained.recipe.series, metric, float(value), ("teacher-forced", "test"))


_SWITCHED = tuple(before for before, _ in SWITCHES)
PLANS = {
    plan.name: plan
    for plan in (
        Plan("base", "the error of each model on its own damping ratio", _all, _base),
        Plan("switch", "the error before and after the damping ratio changes at t = 10", _of(_SWITCHED), _switch),
        Plan("transfer", "the error on a ratio, over those trained on others", _all, _transfer, _mean_over_others),
        Plan("extrapolation", "the error on ratio 1.2, trained on smaller ones", _of(ZETAS[:-1]), _extrapolation),
        Plan("noise", "how much noise on the first observation raises the error", _all, _noise),
        Plan("tau", "the LTC's mean time constant from the switch on", _of(published.TAU_CASES, ("ltc",)), _tau),
        Plan("mdl", "the error after a switch with Omega, from the same start", _mdl_recipes, _mdl, _with_improvement),
        Plan(
            "attractor", "how far the orbit of a teacher-forced model lies from the true one", _of((0.3,)), _attractor
        ),
    )
}
"""The experiments by name; base and switch first, as most hangs on them."""


def rows_of(plan: Plan, raws: Sequence[Raw]) -> tuple[Row, ...]:
    """The table of an experiment: figures that differ in their seed alone are one row."""
    known = published.PUBLISHED[plan.name]
    groups: dict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
    for raw in plan.combine(raws):
        groups[raw[:6]][raw.seed] = raw.value
    rows = []
    for model, case, variant, metric, rollout, selection in _ordered(groups):
        by_seed = groups[model, case, variant, metric, rollout, selection]
        as_published = selection == "test" and rollout != "closed loop"
        value = known.get((model, case, variant, metric)) if as_published else None
        values = tuple(by_seed[seed] for seed in sorted(by_seed))
        rows.append(Row(model, case, metric, values, rollout, selection, variant, value))
    return tuple(rows)


def _ordered(keys: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows in the order they are read in: metrics and cases as they first came, the models of a case below each other."""
    known = list(keys)
    ranks = [list(dict.fromkeys(key[place] for key in known)) for place in range(6)]
    models = [*published.MODELS]

    def place(key: tuple[str, ...]) -> tuple[int, ...]:
        model, case, variant, metric, rollout, selection = key
        ways = ranks[4].index(rollout), ranks[5].index(selection)
        return (ranks[3].index(metric), ranks[1].index(case), ranks[2].index(variant), models.index(model), *ways)

    return sorted(known, key=place)


def unmatched(plan: Plan, rows: Iterable[Row]) -> set[tuple[str, str, str, str]]:
    """The published figures that no row stands beside."""
    return set(published.PUBLISHED[plan.name]) - {(row.model, row.case, row.variant, row.metric) for row in rows}


__all__ = ["PLANS", "Plan", "Raw", "Setup", "rows_of", "switch_name", "unmatched"]
