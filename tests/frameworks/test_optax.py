"""An Optax train step as a target: forward, backward and update in one program, told apart by phase and by source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from ltc_ir import Program, Target
from tests.frameworks.conftest import Held

optax = pytest.importorskip("optax", reason="needs the frameworks extra: optax")

pytestmark = pytest.mark.frameworks

HERE = Path(__file__)
W = jax.ShapeDtypeStruct((3, 2), "float32")
X = jax.ShapeDtypeStruct((4, 3), "float32")


def _loss(w: Any, x: Any) -> Any:
    return (jnp.tanh(x @ w) ** 2).mean()


def _step(optimizer: Any) -> Any:
    def step(w: Any, state: Any, x: Any) -> Any:
        value, gradient = jax.value_and_grad(_loss)(w, x)
        updates, state = optimizer.update(gradient, state, w)
        return optax.apply_updates(w, updates), state, value

    return step


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_train_step(name: str) -> None:
    optimizer = getattr(optax, name)(1e-3)
    state = jax.eval_shape(optimizer.init, W)
    step = Program(_step(optimizer), (W, state, X))
    held = Held(Target(_loss, (W, X), programs={"train_step": step}, name=name), HERE)
    made = held.check("forward", "grad", "train_step")
    held.has_phases(made)
    held.has_phases(made, "train_step")
    phases = made.programs["train_step"]["jaxpr"].tally.phases
    assert phases["primal"], "the update is neither forward nor backward"
    assert phases["forward"]["dot_general"] == phases["backward"]["dot_general"] == 1
    if name == "adam":  # what sgd does of its own stands in jax.numpy's frames alone
        held.names_library("optax", "train_step")


def test_a_step_as_the_function_itself() -> None:
    optimizer = optax.sgd(1e-3)
    state = jax.eval_shape(optimizer.init, W)
    held = Held(Target(_step(optimizer), (W, state, X), name="step"), HERE)
    held.check("forward")
    assert "not a real scalar" in held.count().unavailable["grad"]
