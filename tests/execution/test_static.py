"""Executed counts from the text: loops of known length multiply, and what the text does not fix is unknown."""

from __future__ import annotations

from collections import Counter

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import ltc_ir
from tests.execution import oracle
from tests.execution.programs import V, until

pytestmark = pytest.mark.versions


def levels(fn, *args, **asked):
    asked = {"levels": ["jaxpr", "stablehlo", "hlo"], "executed": True} | asked
    return ltc_ir.count(fn, args=args, programs=["forward"], **asked).programs["forward"]


def test_without_loops_each_operation_runs_once_a_call():
    inner = jax.jit(lambda x: jnp.sin(x) + 1)
    made = levels(lambda x: inner(x) * inner(x * 2), V)["stablehlo"]
    assert made.executed.tally == made.expanded
    assert made.executed.how == "static"


def test_nested_scans_multiply():
    def inner(c, y):
        return jnp.tanh(c * y), None

    def outer(c, _):
        return lax.scan(inner, c, jnp.arange(3.0))[0], None

    made = levels(lambda x: lax.scan(outer, x, None, length=5)[0], V)
    assert made["jaxpr"].executed.tally.ops["tanh"] == 15
    assert made["jaxpr"].executed.how == "static"
    assert made["stablehlo"].executed.tally.ops["stablehlo.tanh"] == 15
    assert made["stablehlo"].executed.tally.ops["stablehlo.compare"] == 6 + 5 * 4
    assert made["hlo"].executed.tally.ops["tanh"] == 15


def test_a_scan_in_jitted_functions_called_in_a_scan():
    step = jax.jit(lambda x: lax.fori_loop(0, 4, lambda i, c: jnp.tanh(c), x))

    def f(x):
        return step(lax.scan(lambda c, _: (step(step(c)), None), x, None, length=3)[0])

    made = levels(jax.grad(lambda x: f(x).sum()), V)
    expected = oracle.executed(jax.grad(lambda x: f(x).sum()), (V,))[1]
    assert Counter(made["jaxpr"].executed.tally.ops) == expected
    assert made["stablehlo"].executed.tally.ops["stablehlo.tanh"] == expected["tanh"] == 28
    phases = made["stablehlo"].executed.tally.phases
    assert sum(sum(ops.values()) for ops in phases.values()) == made["stablehlo"].executed.tally.total


def test_an_unknown_loop_makes_its_level_unknown_and_is_named():
    made = levels(until(30), V)
    for level in ("stablehlo", "hlo"):
        assert made[level].executed is None
        assert "while" in made[level].reasons["executed"]
    assert "programs.py" in made["stablehlo"].reasons["executed"]
    assert made["jaxpr"].executed.how == "measured"


def test_a_branch_makes_its_level_unknown():
    made = levels(lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), V)
    assert made["stablehlo"].executed is None
    assert "depends on values" in made["stablehlo"].reasons["executed"]
    ops = made["jaxpr"].executed.tally.ops
    assert ops["sin"] == 1 and "cos" not in ops


def test_what_a_loop_of_no_iterations_holds_is_no_reason():
    empty = jnp.zeros((0, 3))
    made = levels(lambda x: lax.scan(lambda c, y: (until(9)(c + y), None), x, empty)[0], V, levels=["stablehlo"])
    assert made["stablehlo"].executed is not None, made["stablehlo"].reasons
    assert "stablehlo.sine" not in made["stablehlo"].executed.tally.ops


def test_a_dead_function_is_no_reason():
    made = levels(lambda x: (until(9)(x), jnp.cos(x))[1], V, levels=["jaxpr"])
    assert made["jaxpr"].executed.tally.total == 1


def test_reducers_are_left_out_and_named():
    made = levels(lambda x: lax.reduce(x, 0.0, lambda a, b: jnp.sin(a) + b, (0,)) + x.sum(), V)
    for level in ("jaxpr", "stablehlo", "hlo"):
        ran = made[level].executed
        assert any("reduce" in one.what for one in ran.uncounted), level
        assert not any(name.endswith("sine") or name == "sin" for name in ran.tally.ops)


def test_a_narrowed_count_is_narrowed_here_too():
    made = levels(lambda x: lax.scan(lambda c, _: (jnp.sin(c) * 2, None), x, None, length=5)[0], V, ops=["sin"])
    assert dict(made["jaxpr"].executed.tally.ops) == {"sin": 5}


def test_nothing_is_said_where_nothing_was_asked():
    made = ltc_ir.count(until(30), args=(V,), programs=["forward"]).programs["forward"]
    assert all(one.executed is None and "executed" not in one.reasons for one in made.values())


def test_filling_without_running_is_refused():
    with pytest.raises(ltc_ir.UsageError, match="--fill only applies when the program is run"):
        ltc_ir.count(until(30), args=(V,), fill="zeros")


@pytest.mark.parametrize("text", ["ones", "normal", "normal:x", "normal:-1", ""])
def test_fillings_that_are_none_are_refused(text):
    with pytest.raises(ltc_ir.UsageError, match="cannot fill"):
        ltc_ir.count(until(30), args=(V,), executed=True, fill=text)
