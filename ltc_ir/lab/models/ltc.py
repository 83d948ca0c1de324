"""States the liquid time-constant network, the specimen whose published IR figures the default target reproduces.

Source: Hasani, Lechner, Amini, Rus and Grosu, "Liquid Time-constant Networks", AAAI 2021, in the form of "From Physics
to Silicon" (2026), where the input acts on the time constant by its own weights and the drive is added.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ltc_ir.lab.models.common import Inbound, Model, PerNeuron, Recurrent


class Params(NamedTuple):
    """The parameters, in flat order: 184 for input size D = 2 and hidden size H = 8.

    ``W_tau`` (H, H), ``U_tau`` (H, D), ``b_tau`` (H,) and ``tau0`` (H,) make the time constant, in the
    problem's unit of time; ``W_f`` (H, H), ``U_f`` (H, D) and ``b_f`` (H,) make the drive.
    """

    W_tau: Recurrent
    U_tau: Inbound
    b_tau: PerNeuron
    tau0: PerNeuron
    W_f: Recurrent
    U_f: Inbound
    b_f: PerNeuron


def softplus(x: jax.Array) -> jax.Array:
    """Log(1 + exp(x)) of any shape, spelled out as published: `jax.nn.softplus` would be other operations."""
    return jnp.log(jnp.ones_like(x) + jnp.exp(x))


def time_constant(params: Params, state: jax.Array, inputs: jax.Array) -> jax.Array:
    """The time constant tau0 + softplus(W_tau x + U_tau I + b_tau), (H,), for a state x (H,) and an input I (D,)."""
    return params.tau0 + softplus(params.W_tau @ state + params.U_tau @ inputs + params.b_tau)


def dynamics(params: Params, state: jax.Array, inputs: jax.Array) -> jax.Array:
    """The rate dx/dt = -x / tau + tanh(W_f x + U_f I + b_f), (H,), for a state x (H,) and an input I (D,)."""
    tau = time_constant(params, state, inputs)
    drive = jnp.tanh(params.W_f @ state + params.U_f @ inputs + params.b_f)
    return -state / tau + drive


MODEL = Model("ltc", Params, dynamics, starting={"tau0": 1.0})
TARGET = MODEL.target()
