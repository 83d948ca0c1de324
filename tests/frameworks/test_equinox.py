"""An Equinox module as a target: called as it is, filtered for its gradient, and found in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir import Target, TargetError
from ltc_ir.records.request import Options
from ltc_ir.targets.find import find
from tests.frameworks.conftest import Held
from tests.targets.conftest import project  # noqa: F401 - a fixture

eqx = pytest.importorskip("equinox", reason="needs the frameworks extra: equinox")

pytestmark = pytest.mark.frameworks

HERE = Path(__file__)


def _model() -> Any:
    return eqx.nn.MLP(3, 2, 8, 1, key=jax.random.key(0))


def _loss(model: Any, x: Any) -> Any:
    return (jax.vmap(model)(x) ** 2).mean()


def test_a_module_is_a_function() -> None:
    model = _model()
    held = Held(Target(lambda x: model(x) + 1, (jnp.ones(3),), name="mlp"), HERE)
    made = held.check("forward")
    assert made.programs["forward"]["jaxpr"].tally.ops["dot_general"] == 2
    held.names_library("equinox")


def test_the_gradient_with_respect_to_a_modules_arrays() -> None:
    arrays, rest = eqx.partition(_model(), eqx.is_inexact_array)
    held = Held(
        Target(lambda arrays, x: _loss(eqx.combine(arrays, rest), x), (arrays, jnp.ones((4, 3))), name="mlp"), HERE
    )
    made = held.check("forward", "grad")
    held.has_phases(made)
    assert made.programs["grad"]["jaxpr"].tally.ops["dot_general"] > 2


def test_filter_grad_inside_the_function() -> None:
    arrays, rest = eqx.partition(_model(), eqx.is_array)

    def gradient(arrays: Any, x: Any) -> Any:
        return eqx.filter_grad(_loss)(eqx.combine(arrays, rest), x)

    held = Held(Target(gradient, (arrays, jnp.ones((4, 3)))), HERE)
    held.has_phases(held.check("forward"), "forward")


def test_a_module_as_an_argument_of_a_jax_jit_says_what_to_do() -> None:
    with pytest.raises(TargetError, match="as an abstract array") as caught:
        ltc_ir.count(Target(jax.jit(_loss), (_model(), jnp.ones((4, 3))), name="loss"), programs=["forward"])
    assert "close over it" in str(caught.value.hint)
    assert "\n" not in caught.value.message and " at 0x" not in caught.value.message


def test_a_module_in_a_users_file(project: Any) -> None:  # noqa: F811
    project(
        mine="import equinox as eqx, jax, jax.numpy as jnp\n"
        "net = eqx.nn.Linear(3, 2, key=jax.random.key(0))\nnet_args = (jnp.ones(3),)\n"
    )
    made = ltc_ir.count(find("mine:net", Options(loss="sum")), levels=["jaxpr"])
    assert {name: levels["jaxpr"].tally.ops["dot_general"] for name, levels in made.programs.items()} == {
        "forward": 1, "loss": 1, "grad": 2,
    }  # fmt: skip
