"""Small programs that stand for whole kinds in which names mislead, with the phases that are known without any tool."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import ltc_ir
from ltc_ir.targets.target import Target
from tests.phases.counting import phases_of, phases_of_gradient
from tests.phases.programs import SPECIMENS, Specimen, floats

pytestmark = [pytest.mark.versions, pytest.mark.early]


def decay_table(a: Any, b: Any) -> Any:
    def body(c: Any, _: None) -> Any:
        return jnp.sin(c * jnp.exp(b)), None

    return jnp.sum(lax.scan(body, a, None, length=3)[0])


def test_what_a_loop_computes_without_its_carry_is_forward() -> None:
    phases = phases_of_gradient(Specimen(decay_table, (floats(4), floats(4))))
    assert "primal" not in phases
    assert phases["forward"]["exp"] == 1


@pytest.mark.parametrize("name", ["masked_layers", "rotary_attention", "partly", "constant"])
def test_a_gradient_has_no_primal_equation(name: str) -> None:
    assert not phases_of_gradient(SPECIMENS[name]).keys() & {"primal", "unattributed"}


def step(w: Any, x: Any) -> Any:
    z = jnp.log(x * 2.0)
    g = jax.grad(lambda w: jnp.sum(lax.scan(lambda c, _: (jnp.cos(c * w + z), None), x, None, length=3)[0]))(w)
    return w - jnp.abs(g)


def test_before_and_after_a_gradient_all_is_primal() -> None:
    assert phases_of(step, floats(4), floats(4))["primal"] == {"mul": 1, "log": 1, "abs": 1, "sub": 1}


def test_sums_of_cotangents_and_derivatives_are_not_recomputed() -> None:
    recomputed = phases_of_gradient(SPECIMENS["penalty"])["recompute"]
    assert recomputed["exp"] > 0
    assert not recomputed.keys() & {"add_any", "neg"}


def least(a: Any, b: Any) -> Any:
    return jnp.linalg.solve(a.T @ a, a.T @ b)


def test_nothing_is_backward_where_nothing_is_differentiated() -> None:
    assert set(phases_of(least, floats(5, 3), floats(5))) == {"primal"}


def test_a_transposed_solve_is_backward_where_it_runs() -> None:
    """The solve of the gradient is backward, with all it carries; that of the value is forward, with all it carries."""
    phases = phases_of_gradient(Specimen(lambda a, b: jnp.sum(least(a, b)), (floats(5, 3), floats(5))))
    assert phases["forward"]["triangular_solve"] == phases["backward"]["triangular_solve"] == 4
    assert set(phases) == {"forward", "backward"}


def test_what_ran_has_the_phases_of_the_whole_program() -> None:
    """The forward loop is dead code of the gradient; what was moved out of it runs, and is still forward."""
    specimen = SPECIMENS["decay_of_a_constant"]
    target = Target(specimen.function, specimen.args)
    level = ltc_ir.count(target, programs=("grad",), fill="normal:1", levels=("jaxpr",), executed=True).programs["grad"]
    executed = level["jaxpr"].executed
    assert executed is not None
    assert executed.tally.phases["forward"]["exp"] == 1
    assert set(executed.tally.phases) == {"forward", "backward"}
