"""States the continuous-time recurrent network, the baseline whose time constants are learnt but then stay fixed.

Source: Beer, "On the dynamics of small continuous-time recurrent neural networks", Adaptive Behavior 3(4), 1995, in the
form of "From Physics to Silicon" (2026).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ltc_ir.lab.models.common import Inbound, Model, PerNeuron, Recurrent


class Params(NamedTuple):
    """The parameters, in flat order: 96 for input size D = 2 and hidden size H = 8.

    ``W`` (H, H), ``U`` (H, D) and ``b`` (H,) make the drive; ``log_tau`` (H,) is the logarithm of the time constant, in
    the problem's unit of time.
    """

    W: Recurrent
    U: Inbound
    b: PerNeuron
    log_tau: PerNeuron


def dynamics(params: Params, state: jax.Array, inputs: jax.Array) -> jax.Array:
    """The rate dx/dt = -x / exp(log_tau) + tanh(W x + U I + b), (H,), for a state x (H,) and an input I (D,)."""
    drive = jnp.tanh(params.W @ state + params.U @ inputs + params.b)
    return -state / jnp.exp(params.log_tau) + drive


MODEL = Model("ctrnn", Params, dynamics)
TARGET = MODEL.target()
