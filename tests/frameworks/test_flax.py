"""Flax as a target: Linen's apply on its variables, and an NNX module split into its definition and its state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from ltc_ir import Target
from tests.frameworks.conftest import Held

pytest.importorskip("flax", reason="needs the frameworks extra: flax")

from flax import linen, nnx

pytestmark = pytest.mark.frameworks

HERE = Path(__file__)
X = jax.ShapeDtypeStruct((4, 3), "float32")


class Small(linen.Module):
    """Two layers of Linen."""

    @linen.compact
    def __call__(self, x: Any) -> Any:
        x = linen.tanh(linen.Dense(8)(x))
        return linen.Dense(2)(x)


class Net(nnx.Module):
    """Two layers of NNX."""

    def __init__(self, rngs: Any) -> None:
        self.first = nnx.Linear(3, 8, rngs=rngs)
        self.second = nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.second(jnp.tanh(self.first(x)))


def _products(made: Any, program: str) -> int:
    return int(made.programs[program]["jaxpr"].tally.ops["dot_general"])


def test_linen_apply_on_shapes_alone() -> None:
    model = Small()
    variables = jax.eval_shape(lambda key: model.init(key, jnp.ones((4, 3))), jax.random.key(0))
    held = Held(Target(model.apply, (variables, X), loss="mean", name="linen"), HERE)
    made = held.check("forward", "loss", "grad")
    held.has_phases(made)
    assert (_products(made, "forward"), _products(made, "grad")) == (2, 5)
    held.names_library("flax")


def test_linen_keywords_and_statics() -> None:
    model = Small()
    variables = jax.eval_shape(lambda key: model.init(key, jnp.ones((4, 3))), jax.random.key(0))
    target = Target(model.apply, (variables, X), {"mutable": False}, static_argnames=("mutable",), loss="sum")
    Held(target, HERE).check("forward", "grad")


def test_an_nnx_module_split() -> None:
    graph, state = nnx.split(Net(nnx.Rngs(0)))

    def fn(state: Any, x: Any) -> Any:
        return nnx.merge(graph, state)(x)

    held = Held(Target(fn, (state, X), loss="mean", name="nnx"), HERE)
    made = held.check("forward", "loss", "grad")
    held.has_phases(made)
    assert (_products(made, "forward"), _products(made, "grad")) == (2, 5)
    held.names_library("flax")


def test_an_nnx_module_as_it_is() -> None:
    net = Net(nnx.Rngs(0))
    made = Held(
        Target(lambda x: net(x).sum(), (jax.ShapeDtypeStruct((4, 3), "float32"),), name="closed over"), HERE
    ).check("forward", "grad")
    assert _products(made, "forward") == 2
