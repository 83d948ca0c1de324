"""Measures one trained model for each experiment, and the model that always predicts 0, with which errors are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltc_ir.lab import published
from ltc_ir.lab.data import Split, oscillators, switches, switches_from
from ltc_ir.lab.evaluation import (
    ROLLOUTS,
    Floats,
    closed_loop_rollout,
    hausdorff_distance,
    mean_squared_error,
    mean_tau,
    mean_tau0,
    switch_errors,
    teacher_forced_states,
    two_pass_rollout,
)
from ltc_ir.lab.models.common import INPUT_SIZE
from ltc_ir.lab.physics import oscillator
from ltc_ir.lab.published import STARTS
from ltc_ir.lab.training import Recipe, Trained

LAMBDAS = (0.001, 0.01, 0.1)
"""The fixed sweep of lambda."""
ADAPTIVE = 0.01
"""Lambda of the adaptive rule is this times the damping ratio."""
REPEATS = 20
"""Draws of the noise on the first observation."""
SPREAD, DRAW = 2.0, 42
"""How far from 0, in each component, orbits start that are not the published ones, and the seed they are drawn with."""
SELECTIONS = ("test", "validation")
"""By which split the best parameters are chosen; the published choice leaks the test split."""
TWO_PASS, CLOSED_LOOP, TEACHER_FORCED = "two-pass", "closed loop", "teacher-forced"
"""How a model runs; the last is fed the truth at every time, as in training."""
ZERO = "zero"
"""The name of the model that always predicts 0."""
NO_OMEGA = "no Omega"
"""The variant trained on the loss alone."""
DRAWN = "drawn starts"
"""The variant of the attractor whose initial conditions are drawn here."""

Way = tuple[str, str]
"""A rollout and a selection."""


class Measurement(NamedTuple):
    """One figure of one seed."""

    model: str
    case: str
    variant: str
    metric: str
    rollout: str
    selection: str
    seed: int
    value: float


def _measurement(trained: Trained, case: str, metric: str, value: float, way: Way = (TWO_PASS, "test")) -> Measurement:
    recipe = trained.recipe
    return Measurement(recipe.model, case, "", metric, *way, recipe.seed, float(value))


def _rollouts_by_way(trained: Trained, *, with_truth: bool = False) -> Iterator[tuple[Way, Callable[[Split], Floats]]]:
    """Each rollout with each selection, and what predicts a split so; ``with_truth`` adds the model that is fed the truth."""
    model = trained.recipe.model
    for selection in SELECTIONS:
        params = getattr(trained, selection)
        for name, roll in ROLLOUTS.items():
            yield (name, selection), partial(_roll_out, roll, model, params)
        if with_truth:
            yield (TEACHER_FORCED, selection), partial(_follow_truth, model, params)


def _roll_out(roll: Callable[..., Floats], model: str, params: Floats, split: Split) -> Floats:
    return roll(model, params, split.times, split.clean[0])


def _follow_truth(model: str, params: Floats, split: Split) -> Floats:
    return teacher_forced_states(model, params, split.times, split.clean)[:, :INPUT_SIZE]


def measure_base(trained: Trained) -> Iterator[Measurement]:
    """The error on the ratio trained on."""
    series = oscillators()[trained.recipe.series]
    for way, predict in _rollouts_by_way(trained):
        error = mean_squared_error(predict(series.test), series.test.clean)
        yield _measurement(trained, series.name, "mse", error, way)


def measure_transfer(trained: Trained) -> Iterator[Measurement]:
    """The error on each ratio not trained on."""
    own = trained.recipe.series
    for way, predict in _rollouts_by_way(trained):
        for name, series in oscillators().items():
            if name != own:
                error = mean_squared_error(predict(series.test), series.test.clean)
                yield _measurement(trained, f"{own} on {name}", "mse", error, way)


def measure_extrapolation(trained: Trained) -> Iterator[Measurement]:
    """The error on ratio 1.2."""
    return (measurement for measurement in measure_transfer(trained) if measurement.case.endswith(" on 1.2"))


def measure_noise(trained: Trained) -> Iterator[Measurement]:
    """How many times larger the error is, on average over draws, with noise on the first observation."""
    recipe, split = trained.recipe, oscillators()[trained.recipe.series].test

    def error(first: Floats) -> float:
        return mean_squared_error(two_pass_rollout(recipe.model, trained.test, split.times, first), split.clean)

    clean = error(split.clean[0])
    for sigma in published.SIGMAS:
        draw = np.random.default_rng([recipe.seed, round(1000 * float(recipe.series)), round(1000 * sigma)])
        firsts = split.clean[0] + sigma * draw.standard_normal((REPEATS, 2)).astype(np.float32)
        noisy = [error(first.astype(np.float32)) for first in firsts]
        ratio = float(np.mean(noisy)) / clean if np.isfinite(clean) else float("inf")
        yield _measurement(trained, recipe.series, "ratio", ratio)._replace(variant=f"sigma {sigma:g}")


def measure_switch(trained: Trained) -> Iterator[Measurement]:
    """The errors over a switch; a rollout on its own cannot know of it, so the model is also run on the truth."""
    for series in switches_from(trained.recipe.series):
        for way, predict in _rollouts_by_way(trained, with_truth=True):
            errors = switch_errors(predict(series.test), series.test)
            for metric, value in zip(published.SWITCH_METRICS, errors.values(), strict=True):
                yield _measurement(trained, series.name, metric, value, way)


def measure_tau(trained: Trained) -> Iterator[Measurement]:
    """Time constants from the switch on; a ratio that no switch starts from goes on as it is."""
    series = (switches_from(trained.recipe.series) or [oscillators()[trained.recipe.series]])[0]
    taus = mean_tau(trained.test, series.test)[series.test.times >= 10.0]
    softplus = taus - mean_tau0(trained.test)
    values = {
        "tau at the switch": taus[0], "tau at the end": taus[-1], "softplus at the switch": softplus[0],
        "softplus at the end": softplus[-1], "rise": taus[-1] - taus[0], "share of steps up": share_of_steps_up(taus),
    }  # fmt: skip
    return (_measurement(trained, trained.recipe.series, metric, value) for metric, value in values.items())


def share_of_steps_up(taus: Floats) -> float:
    """The share of steps in which tau rises; infinite, and so counted, where any tau is not finite."""
    return float(np.mean(np.diff(taus) > 0)) if np.isfinite(taus).all() else float("inf")


def measure_mdl(trained: Trained) -> Iterator[Measurement]:
    """The error after a switch, under each name the training goes by."""
    for measurement in measure_switch(trained):
        if measurement.metric == "mse after" and measurement.selection == "test" and measurement.rollout in ROLLOUTS:
            yield from (measurement._replace(variant=variant) for variant in variant_names(trained.recipe))


def variant_names(recipe: Recipe) -> tuple[str, ...]:
    """How a training with Omega is called: by its lambda, by the adaptive rule, or by both where they are the same."""
    if recipe.omega is None:
        return (NO_OMEGA,)
    names = [f"{weight:g}" for weight in LAMBDAS if weight == recipe.weight]
    names += ["adaptive"] if recipe.weight == adaptive_weight(float(recipe.series)) else []
    return tuple(f"{recipe.omega}, {name}" for name in names)


def adaptive_weight(zeta: float) -> float:
    """Lambda by the adaptive rule, rounded as it is written, so that one training serves both where the sweep has it too."""
    return round(ADAPTIVE * zeta, 6)


class Orbits(NamedTuple):
    """Orbits (N, T, 2) of the oscillator, and the times (T,) of their points."""

    times: Floats
    truths: Floats


def orbit_starts(variant: str = "") -> NDArray[np.float64]:
    """Where the orbits of the attractor experiment start, (100, 2): as published, or drawn here from the same square."""
    if variant == DRAWN:
        return np.random.default_rng(DRAW).uniform(-SPREAD, SPREAD, (len(STARTS), 2))
    return np.array(STARTS)


@cache
def true_orbits(zeta: float, variant: str = "") -> Orbits:
    """The true orbits of the attractor experiment, 100 points each on [0, 20]."""
    times = np.linspace(0.0, 20.0, 100)
    truths = np.stack([oscillator(times, zeta, (u, v)) for u, v in orbit_starts(variant)])
    return Orbits(times.astype(np.float32), truths.astype(np.float32))


def measure_attractor(trained: Trained) -> Iterator[Measurement]:
    """Distances between the true orbits and those of a model, fed the truth as published, and on its own from their starts."""
    recipe = trained.recipe
    zeta = float(recipe.series)
    for variant in ("", DRAWN):
        times, truths = true_orbits(zeta, variant)
        predicted = {
            TEACHER_FORCED: [
                teacher_forced_states(recipe.model, trained.test, times, truth)[:, :INPUT_SIZE] for truth in truths
            ]
        }
        if not variant:
            predicted[CLOSED_LOOP] = [
                closed_loop_rollout(recipe.model, trained.test, times, truth[0]) for truth in truths
            ]
        for rollout, orbits in predicted.items():
            for metric, value in attractor_values(orbits, truths).items():
                yield _measurement(trained, recipe.series, metric, value, (rollout, "test"))._replace(variant=variant)


def attractor_values(predicted: Sequence[Floats], truths: Floats) -> dict[str, float]:
    """The published metrics of orbits (N, T, 2) compared with the true ones: Hausdorff distances, and the error."""
    distances = np.array([hausdorff_distance(orbit, truth) for orbit, truth in zip(predicted, truths, strict=True)])
    all_finite = bool(np.isfinite(distances).all())
    values = (
        distances.mean(),
        np.median(distances),
        distances.std(ddof=1) if all_finite else float("inf"),
        distances.min(),
        distances.max(),
        hausdorff_distance(np.concatenate(predicted), np.concatenate(list(truths))),
        mean_squared_error(np.stack(predicted), truths),
    )
    return dict(zip(published.ATTRACTOR_METRICS, map(float, values), strict=True))


def zero_base_error(measurement: Measurement) -> float:
    """The error of the model that predicts 0, on the ratio that ``measurement`` of another model is tested on."""
    clean = oscillators()[measurement.case.rpartition(" on ")[2].removeprefix("others on ")].test.clean
    return mean_squared_error(np.zeros_like(clean), clean)


def zero_switch_error(measurement: Measurement) -> float:
    """The same over a switch."""
    split = switches()[measurement.case].test
    errors = switch_errors(np.zeros_like(split.clean), split)
    return dict(zip(published.SWITCH_METRICS, errors.values(), strict=True))[measurement.metric]


def zero_attractor_value(measurement: Measurement) -> float:
    """The same of orbits that stay in the origin."""
    return _zero_attractor_values(float(measurement.case), measurement.variant)[measurement.metric]


@cache
def _zero_attractor_values(zeta: float, variant: str) -> dict[str, float]:
    truths = true_orbits(zeta, variant).truths
    return attractor_values(list(np.zeros_like(truths)), truths)
