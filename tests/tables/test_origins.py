"""Holds programs that stand for whole kinds, with right answers known without any tool, at every level they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import ltc_ir
from ltc_ir.records.count import LevelCount
from ltc_ir.targets.target import Target
from tests.phases.programs import floats, masked_layers, penalty
from tests.tables.counted import LEVELS, by_phase, plain

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("quick_compile")]


def decay_table(a: Any, b: Any) -> Any:
    def body(c: Any, _: None) -> Any:
        return jnp.sin(c * jnp.exp(b)), None

    return jnp.sum(lax.scan(body, a, None, length=3)[0])


def partly(parameters: Mapping[str, Any]) -> Any:
    return jnp.sum(jnp.exp(parameters["used"]))


def step(w: Any, x: Any) -> Any:
    z = jnp.log(x * 2.0)
    g = jax.grad(lambda w: jnp.sum(lax.scan(lambda c, _: (jnp.cos(c * w + z), None), x, None, length=3)[0]))(w)
    return w - jnp.abs(g)


def least(a: Any, b: Any) -> Any:
    return jnp.linalg.solve(a.T @ a, a.T @ b)


ARGUMENTS: Mapping[Callable[..., Any], tuple[Any, ...]] = {
    decay_table: (floats(4), floats(4)),
    masked_layers: (floats(3, 6), floats(6)),
    partly: ({"used": floats(3), "unused": floats(7)},),
    step: (floats(4), floats(4)),
    least: (floats(5, 3), floats(5)),
    penalty: (floats(5),),
}


@cache
def levels(function: Callable[..., Any], program: str) -> Mapping[str, LevelCount]:
    return ltc_ir.count(Target(function, ARGUMENTS[function]), programs=(program,), levels=LEVELS).programs[program]


def of_phase(count: LevelCount, phase: str) -> dict[str, int]:
    """The operations of a phase, each once per call path where that is known, without ``return``."""
    ops = (count.expanded or count.tally).phases.get(phase, {})
    return {plain(name): number for name, number in ops.items() if plain(name) != "return"}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("function", [decay_table, masked_layers, partly])
def test_nothing_of_a_gradient_is_primal(function: Callable[..., Any], level: str) -> None:
    count = levels(function, "grad")[level]
    assert of_phase(count, "primal") == {}
    assert of_phase(count, "backward") or (function, level) == (
        partly,
        "hlo",
    )  # XLA leaves the forward exponential alone


@pytest.mark.parametrize("level", ["jaxpr", "stablehlo"])
def test_what_is_hoisted_from_a_forward_loop_is_forward(level: str) -> None:
    count = levels(decay_table, "grad")[level]
    assert by_phase(count.expanded or count.tally, "exp", "exponential") == {"forward": 1}


@pytest.mark.parametrize("level", ["jaxpr", "stablehlo"])
def test_before_and_after_a_gradient_all_is_primal(level: str) -> None:
    primal = of_phase(levels(step, "forward")[level], "primal")
    last = primal.get("sub") or primal.get("subtract")
    assert (primal["log"], primal["abs"], last) == (1, 1, 1)


@pytest.mark.parametrize("level", LEVELS)
def test_sums_of_cotangents_and_derivatives_are_not_recomputed(level: str) -> None:
    recomputed = of_phase(levels(penalty, "grad")[level], "recompute")
    assert not recomputed.keys() & {"add_any", "add", "neg", "negate"}
    assert recomputed or level == "hlo"


@pytest.mark.parametrize("level", LEVELS)
def test_a_solve_that_is_carried_along_is_not_backward(level: str) -> None:
    count = levels(least, "forward")[level]
    assert of_phase(count, "backward") == {}
    assert of_phase(count, "primal")


def mesh() -> Mesh:
    return Mesh(np.array(jax.devices()[:4]), ("d",))


def sharded(shape: tuple[int, ...], *names: str | None, dtype: Any = jnp.float32) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh(), PartitionSpec(*names)))


def train(w: Any, x: Any) -> Any:
    loss, g = jax.value_and_grad(lambda w: jnp.mean((x @ w) ** 4))(w)
    return loss, w - 0.1 * g


def test_the_merged_all_reduce_of_a_train_step_has_its_bytes_by_phase() -> None:
    arguments = sharded((6, 2)), sharded((12, 6), "d")
    count = ltc_ir.count(Target(train, arguments), programs=("forward",), levels=("hlo",)).programs["forward"]["hlo"]
    collectives: Any = count.collectives
    phases = collectives["all-reduce"]["phases"]
    assert {phase: part["bytes"] for phase, part in phases.items()} == {"forward": 4, "backward": 48}
    assert collectives["all-reduce"]["bytes"] == 52
    assert "all_reduce" not in of_phase(count, "primal")
