"""Runs a trained model on its own, as published or in a closed loop, and measures its error against the truth."""

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

RECOVERED = 0.01
"""The squared error below which a rollout has recovered from a switch."""

Floats = NDArray[np.float32]


def two_pass_rollout(model: str, params: Floats, times: Floats, first: Floats) -> Floats:
    """The published rollout, (T, 2): fed the first observation at every time, then its own predictions, shifted by one.

    Args:
        model: its name.
        params: flat.
        times: (T,).
        first: the first observation [u, u'], (2,).

    """
    return np.asarray(_compiled_two_pass(model, times.tobytes())(params, first))


def closed_loop_rollout(model: str, params: Floats, times: Floats, first: Floats) -> Floats:
    """A true closed loop, (T, 2): the state's first two components are the input, and start at the first observation."""
    return np.asarray(_compiled_closed_loop(model)(params, times, first))


ROLLOUTS: Mapping[str, Callable[[str, Floats, Floats, Floats], Floats]] = {
    "two-pass": two_pass_rollout,
    "closed loop": closed_loop_rollout,
}
"""The published evaluation, and the one its text describes."""


@cache
def _compiled_two_pass(model: str, time_bytes: bytes) -> Any:
    times = jnp.asarray(np.frombuffer(time_bytes, np.float32))
    network: Model[Any] = MODELS[model]

    def run(params: Any, first: Any) -> Any:
        rest = jnp.zeros(HIDDEN_SIZE, jnp.float32)
        first_inputs = jnp.broadcast_to(first, (len(times), INPUT_SIZE))
        predicted = network.rollout(params, Problem(rest, first_inputs, times, first_inputs))[:, :INPUT_SIZE]
        second_inputs = jnp.concatenate([first[None], predicted[:-1]])
        return network.rollout(params, Problem(rest, second_inputs, times, second_inputs))[:, :INPUT_SIZE]

    return jax.jit(run)


@cache
def _compiled_closed_loop(model: str) -> Any:
    """The program for all times: without input from outside it does not depend on them."""
    network: Model[Any] = MODELS[model]

    def rate(state: Any, _: Any, params: Any) -> Any:
        return network.dynamics(network.unflatten(params), state, state[:INPUT_SIZE])

    def run(params: Any, times: Any, first: Any) -> Any:
        start = jnp.zeros(HIDDEN_SIZE, jnp.float32).at[:INPUT_SIZE].set(first)
        return odeint(rate, start, times, params, rtol=TOLERANCE, atol=TOLERANCE)[:, :INPUT_SIZE]  # type: ignore[no-untyped-call]

    return jax.jit(run)


def teacher_forced_states(model: str, params: Floats, times: Floats, inputs: Floats) -> Floats:
    """The states (T, H) of a model fed the truth at every time."""
    return np.asarray(_compiled_teacher_forced(model, times.tobytes())(params, inputs))


@cache
def _compiled_teacher_forced(model: str, time_bytes: bytes) -> Any:
    times = jnp.asarray(np.frombuffer(time_bytes, np.float32))
    network: Model[Any] = MODELS[model]
    rest = jnp.zeros(HIDDEN_SIZE, jnp.float32)
    return jax.jit(lambda params, inputs: network.rollout(params, Problem(rest, inputs, times, inputs)))


def mean_tau(params: Floats, split: Split) -> Floats:
    """The mean time constant (T,) over the neurons of an LTC along the published rollout on a split."""
    predicted = two_pass_rollout(LTC.name, params, split.times, split.clean[0])
    inputs = np.concatenate([split.clean[:1], predicted[:-1]])
    states = teacher_forced_states(LTC.name, params, split.times, inputs)
    taus: Floats = np.asarray(time_constants(params, states, inputs)).mean(axis=1)
    return taus


def mean_tau0(params: Floats) -> float:
    """The mean over the neurons of an LTC of the constant part of tau, to which softplus adds."""
    return float(np.asarray(LTC.unflatten(jnp.asarray(params)).tau0).mean())


def mean_squared_error(predicted: Floats, truth: Floats) -> float:
    """The mean squared error over points and components; infinite where any prediction is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.mean((predicted.astype(np.float64) - truth) ** 2))
    return error if np.isfinite(error) else float("inf")


def switch_errors(predicted: Floats, split: Split) -> dict[str, float]:
    """The errors of a rollout over a switch: overall, before the switch and from it on, and the points until it recovers.

    It has recovered at the first point from the switch on whose squared error, averaged over both components, is below
    `RECOVERED`; where none is, the figure is the number of points there, as published.
    """
    after = split.times >= SWITCH_TIME
    squared = ((predicted - split.clean) ** 2)[after].mean(axis=1)
    below = np.flatnonzero(squared < RECOVERED)
    return {
        "overall": mean_squared_error(predicted, split.clean),
        "before": mean_squared_error(predicted[~after], split.clean[~after]),
        "after": mean_squared_error(predicted[after], split.clean[after]),
        "recovery": float(below[0] if below.size else after.sum()),
    }


def hausdorff_distance(points: Floats, others: Floats) -> float:
    """The symmetric Hausdorff distance of two sets of points (N, 2) and (M, 2): the largest distance to the nearest."""
    from scipy.spatial.distance import directed_hausdorff  # JAX itself depends on SciPy

    if not (np.isfinite(points).all() and np.isfinite(others).all()):
        return float("inf")
    return float(max(directed_hausdorff(points, others)[0], directed_hausdorff(others, points)[0]))
