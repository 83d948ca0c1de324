"""Phases of gradients are those of their halves, traced apart; around a gradient everything is primal and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from tests.phases.counting import Phases, phases_of, phases_of_gradient
from tests.phases.halves import backward_half, equations, forward_half, run_again
from tests.phases.programs import SPECIMENS, Specimen
from tests.registry import JAX

pytestmark = [pytest.mark.versions, pytest.mark.early]

NESTED = {"gradient_in_the_loss", "curvature_in_the_loss", "loop_of_gradients", "penalty"}
"""Losses with a gradient in them: its backward pass is backward in the whole, and a part of the first half."""
OVER_DEVICES = {"sum_over_devices", "loop_over_devices"}
SEED = Counter(broadcast_in_dim=1) if JAX < (0, 7) else Counter(reshard=1)
"""A gradient over a mesh makes its first cotangent there, or moves it there; the second half is given one."""


@cache
def halves(name: str) -> tuple[Counter[str], Counter[str]]:
    return equations(forward_half(SPECIMENS[name])), equations(backward_half(SPECIMENS[name]))


@cache
def gradient_of(name: str) -> Phases:
    return phases_of_gradient(SPECIMENS[name])


def check_halves(name: str, phases: Phases) -> None:
    """The phases of a gradient are those of its halves; of a nested one, its own backward pass is in the first."""
    first, second = halves(name)
    forward, rest = phases["forward"], phases["backward"] + phases["recompute"]
    if name in OVER_DEVICES:
        rest = rest - SEED
    assert forward + rest == first + second
    assert (forward - first, second - rest) == (Counter(), Counter())
    assert (first - forward == Counter()) == (name not in NESTED)


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_gradient_has_the_phases_of_its_halves(name: str) -> None:
    phases = gradient_of(name)
    check_halves(name, phases)
    assert set(phases) <= {"forward", "backward", "recompute"}


@pytest.mark.parametrize("name", SPECIMENS)
def test_what_is_around_a_gradient_is_primal_and_nothing_else_is(name: str) -> None:
    specimen = SPECIMENS[name]
    phases = phases_of(around(specimen), *specimen.args)
    before = equations(jax.jit(scaled).trace(*specimen.args).jaxpr)
    after = equations(jax.jit(rounded).trace(jax.eval_shape(derivative(specimen), *specimen.args)).jaxpr)
    assert phases["primal"] == before + after
    assert set(phases) <= {"primal", "forward", "backward", "recompute"}
    check_halves(name, phases)


def around(specimen: Specimen) -> Callable[..., Any]:
    return lambda *args: rounded(derivative(specimen)(*scaled(*args)))


def derivative(specimen: Specimen) -> Callable[..., Any]:
    return jax.value_and_grad(specimen.function, argnums=specimen.argnums, has_aux=specimen.has_aux)


def scaled(*args: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf * 3 if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf, args)


def rounded(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.floor(leaf) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree)


AGAIN = [name for name, specimen in SPECIMENS.items() if specimen.again]
KEPT = {"products_are_kept": Counter(dot_general=2)}
"""What a policy keeps of what would be run again."""
if JAX < (0, 7):
    KEPT["checkpoint_of_a_loop"] = Counter(
        broadcast_in_dim=1
    )  # the loop's zero tangent is a residual that nothing uses


@pytest.mark.parametrize("name", AGAIN)
def test_recomputed_is_what_runs_the_checkpointed_function_again(name: str) -> None:
    again = SPECIMENS[name].again
    assert again is not None
    expected = equations(run_again(*again)) - KEPT.get(name, Counter())
    assert without_factor(gradient_of(name)["recompute"]) == without_factor(expected)


def without_factor(ops: Counter[str]) -> Counter[str]:
    """Without the factor of a tanh on JAX 0.12: only rules of derivatives make it, so a loop alone can recompute it."""
    return Counter({op: count for op, count in ops.items() if op != "one_minus_square"})


def test_what_a_checkpoint_in_a_checkpoint_runs_again_is_each_function_once_and_the_inner_twice() -> None:
    """The outer one runs the inner one forward, and that runs itself again for its own derivative."""
    recomputed = gradient_of("checkpoint_in_a_checkpoint")["recompute"]
    assert {op: recomputed[op] for op in ("dot_general", "sin", "tanh", "cos")} == {
        "dot_general": 3, "sin": 1, "tanh": 1, "cos": 1,
    }  # fmt: skip


def test_nothing_is_recomputed_where_a_policy_keeps_everything() -> None:
    assert gradient_of("everything_is_kept")["recompute"] == Counter()


def test_the_derivatives_of_a_function_that_is_run_again_are_not_recomputed() -> None:
    recomputed = gradient_of("penalty")["recompute"]
    assert recomputed["tanh"] == recomputed["exp"] == 2
    assert not recomputed.keys() & {"add_any", "neg", "broadcast_in_dim", "reduce_sum"}
