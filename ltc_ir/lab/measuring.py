"""What each experiment measures on one trained model, and on the model that always says 0, beside which an error is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltc_ir.lab import published
from ltc_ir.lab.data import Split
from ltc_ir.lab.evaluating import (
    ROLL,
    Floats,
    closed_loop,
    hausdorff,
    mean_tau,
    mean_tau0,
    mse,
    switch_errors,
    teacher_forced,
    two_pass,
)
from ltc_ir.lab.models.common import INPUT_SIZE
from ltc_ir.lab.physics import oscillator
from ltc_ir.lab.published_starts import STARTS
from ltc_ir.lab.setup import Raw, oscillators, switches, switches_from
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
"""What the model is called that always says 0."""
NO_OMEGA = "no Omega"
"""The variant trained on the loss alone."""
DRAWN = "drawn starts"
"""The variant of the attractor whose initial conditions are drawn here."""

Way = tuple[str, str]
"""A rollout and a selection."""


def _raw(trained: Trained, case: str, metric: str, value: float, how: Way = (TWO_PASS, "test")) -> Raw:
    recipe = trained.recipe
    return Raw(recipe.model, case, "", metric, *how, recipe.seed, float(value))


def _ways(trained: Trained, *, fed: bool = False) -> Iterator[tuple[Way, Callable[[Split], Floats]]]:
    """Each rollout with each selection: its name, and what runs a split so; ``fed`` with the truth at every time as well."""
    model = trained.recipe.model
    for selection in SELECTIONS:
        params = getattr(trained, selection)
        for name, roll in ROLL.items():
            yield (name, selection), partial(_on_its_own, roll, model, params)
        if fed:
            yield (TEACHER_FORCED, selection), partial(_fed, model, params)


def _on_its_own(roll: Callable[..., Floats], model: str, params: Floats, split: Split) -> Floats:
    return roll(model, params, split.times, split.clean[0])


def _fed(model: str, params: Floats, split: Split) -> Floats:
    return teacher_forced(model, params, split.times, split.clean)[:, :INPUT_SIZE]


def base(trained: Trained) -> Iterator[Raw]:
    """The error on the ratio trained on."""
    series = oscillators()[trained.recipe.series]
    for how, run in _ways(trained):
        yield _raw(trained, series.name, "mse", mse(run(series.test), series.test.clean), how)


def transfer(trained: Trained) -> Iterator[Raw]:
    """The error on each ratio not trained on."""
    own = trained.recipe.series
    for how, run in _ways(trained):
        for name, series in oscillators().items():
            if name != own:
                yield _raw(trained, f"{own} on {name}", "mse", mse(run(series.test), series.test.clean), how)


def extrapolation(trained: Trained) -> Iterator[Raw]:
    """The error on ratio 1.2."""
    return (raw for raw in transfer(trained) if raw.case.endswith(" on 1.2"))


def noise(trained: Trained) -> Iterator[Raw]:
    """How many times larger the error is, on average over draws, with noise on the first observation."""
    recipe, split = trained.recipe, oscillators()[trained.recipe.series].test

    def error(first: Floats) -> float:
        return mse(two_pass(recipe.model, trained.test, split.times, first), split.clean)

    clean = error(split.clean[0])
    for sigma in published.SIGMAS:
        draw = np.random.default_rng([recipe.seed, round(1000 * float(recipe.series)), round(1000 * sigma)])
        firsts = split.clean[0] + sigma * draw.standard_normal((REPEATS, 2)).astype(np.float32)
        noisy = [error(first.astype(np.float32)) for first in firsts]
        ratio = float(np.mean(noisy)) / clean if np.isfinite(clean) else float("inf")
        yield _raw(trained, recipe.series, "ratio", ratio)._replace(variant=f"sigma {sigma:g}")


def switch(trained: Trained) -> Iterator[Raw]:
    """The errors over a switch; a rollout on its own is never told of it, so the truth is fed to the model as well."""
    for series in switches_from(trained.recipe.series):
        for how, run in _ways(trained, fed=True):
            errors = switch_errors(run(series.test), series.test)
            for metric, value in zip(published.SWITCH_METRICS, errors.values(), strict=True):
                yield _raw(trained, series.name, metric, value, how)


def tau(trained: Trained) -> Iterator[Raw]:
    """Time constants from the switch on; a ratio that no switch starts from goes on as it is."""
    series = (switches_from(trained.recipe.series) or [oscillators()[trained.recipe.series]])[0]
    taus = mean_tau(trained.test, series.test)[series.test.times >= 10.0]
    part = taus - mean_tau0(trained.test)
    figures = {
        "tau at the switch": taus[0], "tau at the end": taus[-1], "softplus at the switch": part[0],
        "softplus at the end": part[-1], "rise": taus[-1] - taus[0], "share of steps up": share_of_steps_up(taus),
    }  # fmt: skip
    return (_raw(trained, trained.recipe.series, metric, value) for metric, value in figures.items())


def share_of_steps_up(taus: Floats) -> float:
    """The share of steps in which tau rises; infinite, and so counted, where any tau is no number."""
    return float(np.mean(np.diff(taus) > 0)) if np.isfinite(taus).all() else float("inf")


def mdl(trained: Trained) -> Iterator[Raw]:
    """The error after a switch, under each name the training goes by."""
    for raw in switch(trained):
        if raw.metric == "mse after" and raw.selection == "test" and raw.rollout in ROLL:
            yield from (raw._replace(variant=variant) for variant in variants(trained.recipe))


def variants(recipe: Recipe) -> tuple[str, ...]:
    """How a training with Omega is called: by its lambda, by the adaptive rule, or by both where they are the same."""
    if recipe.omega is None:
        return (NO_OMEGA,)
    names = [f"{weight:g}" for weight in LAMBDAS if weight == recipe.weight]
    names += ["adaptive"] if recipe.weight == adaptive(float(recipe.series)) else []
    return tuple(f"{recipe.omega}, {name}" for name in names)


def adaptive(zeta: float) -> float:
    """Lambda by the adaptive rule, rounded as it is written, so that one training serves both where the sweep has it too."""
    return round(ADAPTIVE * zeta, 6)


class Orbits(NamedTuple):
    """Orbits (N, T, 2) of the oscillator, and the times (T,) of their points."""

    times: Floats
    truths: Floats


def starts(variant: str = "") -> NDArray[np.float64]:
    """Where the orbits of the attractor experiment start, (100, 2): as published, or drawn here from the same square."""
    if variant == DRAWN:
        return np.random.default_rng(DRAW).uniform(-SPREAD, SPREAD, (len(STARTS), 2))
    return np.array(STARTS)


@cache
def orbits(zeta: float, variant: str = "") -> Orbits:
    """The true orbits of the attractor experiment, 100 points each on [0, 20]."""
    times = np.linspace(0.0, 20.0, 100)
    truths = np.stack([oscillator(times, zeta, (u, v)) for u, v in starts(variant)])
    return Orbits(times.astype(np.float32), truths.astype(np.float32))


def attractor(trained: Trained) -> Iterator[Raw]:
    """Distances between the true orbits and those of a model, fed the truth as published, and on its own from their starts."""
    recipe = trained.recipe
    zeta = float(recipe.series)
    for variant in ("", DRAWN):
        true = orbits(zeta, variant)
        said = [teacher_forced(recipe.model, trained.test, true.times, one)[:, :INPUT_SIZE] for one in true.truths]
        ways = {TEACHER_FORCED: said}
        if not variant:
            ways[CLOSED_LOOP] = [closed_loop(recipe.model, trained.test, true.times, one[0]) for one in true.truths]
        for rollout, made in ways.items():
            for metric, value in attractor_figures(made, true.truths).items():
                yield _raw(trained, recipe.series, metric, value, (rollout, "test"))._replace(variant=variant)


def attractor_figures(said: Sequence[Floats], truths: Floats) -> dict[str, float]:
    """The published figures of orbits (N, T, 2) beside the true ones: Hausdorff distances, and the error."""
    apart = np.array([hausdorff(one, truth) for one, truth in zip(said, truths, strict=True)])
    whole = bool(np.isfinite(apart).all())
    figures = (
        apart.mean(), np.median(apart), apart.std(ddof=1) if whole else float("inf"), apart.min(), apart.max(),
        hausdorff(np.concatenate(said), np.concatenate(list(truths))), mse(np.stack(said), truths),
    )  # fmt: skip
    return dict(zip(published.ATTRACTOR_METRICS, map(float, figures), strict=True))


def base_zero(raw: Raw) -> float:
    """The error of the model that says 0, where ``raw`` is that of another, on the ratio tested on."""
    clean = oscillators()[raw.case.rpartition(" on ")[2].removeprefix("others on ")].test.clean
    return mse(np.zeros_like(clean), clean)


def switch_zero(raw: Raw) -> float:
    """The same over a switch."""
    split = switches()[raw.case].test
    errors = switch_errors(np.zeros_like(split.clean), split)
    return dict(zip(published.SWITCH_METRICS, errors.values(), strict=True))[raw.metric]


def attractor_zero(raw: Raw) -> float:
    """The same of orbits that stay in the origin."""
    return _attractor_zero(float(raw.case), raw.variant)[raw.metric]


@cache
def _attractor_zero(zeta: float, variant: str) -> dict[str, float]:
    truths = orbits(zeta, variant).truths
    return attractor_figures(list(np.zeros_like(truths)), truths)
