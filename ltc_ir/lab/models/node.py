"""States the neural ODE, the baseline that has no time constant at all.

Source: Chen, Rubanova, Bettencourt and Duvenaud, "Neural Ordinary Differential Equations", NeurIPS 2018, with the two
layers of "From Physics to Silicon" (2026).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ltc_ir.lab.models.common import Inbound, Model, PerNeuron, Recurrent


class Params(NamedTuple):
    """The parameters, in flat order: 160 for input size D = 2 and hidden size H = 8.

    ``W1`` (H, H), ``U1`` (H, D) and ``b1`` (H,) make the hidden layer; ``W2`` (H, H) and ``b2`` (H,) the outer one.
    """

    W1: Recurrent
    U1: Inbound
    b1: PerNeuron
    W2: Recurrent
    b2: PerNeuron


def dynamics(params: Params, state: jax.Array, inputs: jax.Array) -> jax.Array:
    """The rate dx/dt = W2 tanh(W1 x + U1 I + b1) + b2, (H,), for a state x (H,) and an input I (D,)."""
    hidden = jnp.tanh(params.W1 @ state + params.U1 @ inputs + params.b1)
    return params.W2 @ hidden + params.b2


MODEL = Model("node", Params, dynamics)
TARGET = MODEL.target()
