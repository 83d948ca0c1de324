"""Lets a trained model run on its own, as published or in a closed loop, and holds what it says against the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.ode import odeint
from numpy.typing import NDArray

from ltc_ir.lab.data import SWITCH_TIME, Split
from ltc_ir.lab.models import LTC, MODELS
from ltc_ir.lab.models.common import HIDDEN_SIZE, INPUT_SIZE, TOLERANCE, Model, Problem
from ltc_ir.lab.training import time_constants

ROLLOUTS = ("two-pass", "closed loop")
"""The published evaluation, and the one its text describes."""
RECOVERED = 0.01
"""The squared error below which a rollout has recovered from a switch."""

Floats = NDArray[np.float32]


def two_pass(model: str, params: Floats, times: Floats, first: Floats) -> Floats:
    """The published rollout, (T, 2): fed the first observation at every time, then once more with what it said, shifted by one.

    Args:
        model: its name.
        params: flat.
        times: (T,).
        first: the first observation [u, u'], (2,).

    """
    return np.asarray(_two_pass(model, times.tobytes())(params, first))


def closed_loop(model: str, params: Floats, times: Floats, first: Floats) -> Floats:
    """A true closed loop, (T, 2): the state's first two components are the input, and start at the first observation."""
    return np.asarray(_closed_loop(model)(params, times, first))


ROLL: Mapping[str, Callable[[str, Floats, Floats, Floats], Floats]] = {"two-pass": two_pass, "closed loop": closed_loop}


@cache
def _two_pass(model: str, at: bytes) -> Any:
    times = jnp.asarray(np.frombuffer(at, np.float32))
    held: Model[Any] = MODELS[model]

    def run(params: Any, first: Any) -> Any:
        rest = jnp.zeros(HIDDEN_SIZE, jnp.float32)
        once = jnp.broadcast_to(first, (len(times), INPUT_SIZE))
        said = held.rollout(params, Problem(rest, once, times, once))[:, :INPUT_SIZE]
        again = jnp.concatenate([first[None], said[:-1]])
        return held.rollout(params, Problem(rest, again, times, again))[:, :INPUT_SIZE]

    return jax.jit(run)


@cache
def _closed_loop(model: str) -> Any:
    """The program for all times: with no input from outside, nothing hangs on where they lie."""
    held: Model[Any] = MODELS[model]

    def rate(state: Any, _: Any, params: Any) -> Any:
        return held.dynamics(held.unflatten(params), state, state[:INPUT_SIZE])

    def run(params: Any, times: Any, first: Any) -> Any:
        start = jnp.zeros(HIDDEN_SIZE, jnp.float32).at[:INPUT_SIZE].set(first)
        return odeint(rate, start, times, params, rtol=TOLERANCE, atol=TOLERANCE)[:, :INPUT_SIZE]  # type: ignore[no-untyped-call]

    return jax.jit(run)


def teacher_forced(model: str, params: Floats, times: Floats, inputs: Floats) -> Floats:
    """The states (T, H) of a model fed the truth at every time."""
    return np.asarray(_teacher_forced(model, times.tobytes())(params, inputs))


@cache
def _teacher_forced(model: str, at: bytes) -> Any:
    times = jnp.asarray(np.frombuffer(at, np.float32))
    held: Model[Any] = MODELS[model]
    rest = jnp.zeros(HIDDEN_SIZE, jnp.float32)
    return jax.jit(lambda params, inputs: held.rollout(params, Problem(rest, inputs, times, inputs)))


def mean_tau(params: Floats, split: Split) -> Floats:
    """The mean time constant (T,) over the neurons of an LTC along the published rollout on a split."""
    said = two_pass(LTC.name, params, split.times, split.clean[0])
    fed = np.concatenate([split.clean[:1], said[:-1]])
    states = teacher_forced(LTC.name, params, split.times, fed)
    taus: Floats = np.asarray(time_constants(params, states, fed)).mean(axis=1)
    return taus


def mean_tau0(params: Floats) -> float:
    """The mean over the neurons of an LTC of the constant part of tau, to which softplus adds."""
    return float(np.asarray(LTC.unflatten(jnp.asarray(params)).tau0).mean())


def mse(said: Floats, truth: Floats) -> float:
    """The mean squared error over points and components; infinite where anything said is no number."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.mean((said.astype(np.float64) - truth) ** 2))
    return error if np.isfinite(error) else float("inf")


def switch_errors(said: Floats, split: Split) -> dict[str, float]:
    """Of a rollout over a switch: the error overall, before the switch and from it on, and the points until it recovers.

    It has recovered at the first point from the switch on whose squared error, averaged over both components, is below
    `RECOVERED`; where none is, the figure is the number of points there, as published.
    """
    after = split.times >= SWITCH_TIME
    squared = ((said - split.clean) ** 2)[after].mean(axis=1)
    below = np.flatnonzero(squared < RECOVERED)
    return {
        "overall": mse(said, split.clean),
        "before": mse(said[~after], split.clean[~after]),
        "after": mse(said[after], split.clean[after]),
        "recovery": float(below[0] if below.size else after.sum()),
    }


def hausdorff(one: Floats, other: Floats) -> float:
    """The symmetric Hausdorff distance of two sets of points (N, 2) and (M, 2): the largest distance to the nearest."""
    from scipy.spatial.distance import directed_hausdorff  # JAX itself depends on SciPy

    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(max(directed_hausdorff(one, other)[0], directed_hausdorff(other, one)[0]))
