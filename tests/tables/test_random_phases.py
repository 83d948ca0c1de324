"""Random programs of helpers, rules, loops, scopes and derivatives: StableHLO's phases are those of JAX's own name stacks."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from tests.tables.counted import by_phase, count
from tests.tables.phase_programs import product, scoped, vector
from tests.tables.phase_truth import ONE_TO_ONE, lowered_phases_of, phases_of

pytestmark = pytest.mark.versions

Function = Callable[[Any], Any]
LEAVES: tuple[Function, ...] = (lax.sin, lax.cos, lax.tanh, lax.exp, product, lambda x: x * x)
SCOPES = ("a", "x", "b/c", "transpose(x)", "jvp(a)")


def with_rule(f: Function, backward: Function) -> Function:
    made = jax.custom_vjp(f)
    made.defvjp(lambda x: (f(x), x), lambda x, g: (g * backward(x),))
    return made


def with_tangent_rule(f: Function) -> Function:
    made = jax.custom_jvp(f)
    made.defjvp(lambda primals, tangents: (f(primals[0]), f(primals[0]) * tangents[0]))
    return made


def wrapped(choose: random.Random, f: Function, helpers: list[Function]) -> Function:
    """One more thing done with a function; a rule's second half may call any helper made before."""
    scope, other = choose.choice(SCOPES), choose.choice(helpers or [f])
    ways: tuple[Callable[[], Function], ...] = (
        lambda: jax.jit(f),
        lambda: jax.jit(f),
        lambda: jax.checkpoint(f),
        lambda: with_rule(f, other),
        lambda: with_tangent_rule(f),
        lambda: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0],
        lambda: lambda x: lax.fori_loop(0, 2, lambda i, c: f(c) * 1.5, x),
        lambda: lambda x: lax.cond(x.sum() > 1, f, lambda y: y * 2, x),
        lambda: lambda x: jax.vmap(f)(jnp.stack([x, x])).sum(0),
        lambda: lambda x: scoped(scope, f)(x) * x,
        lambda: jax.grad(lambda x: f(x).sum()),
        lambda: lambda x: jax.jvp(f, (x,), (x,))[1],
        lambda: lambda x: jax.linearize(f, x)[1](x),
        lambda: lambda x: f(f(x) + 1),
    )
    return choose.choice(ways)()


def chained(functions: list[Function]) -> Function:
    def f(x: Any) -> Any:
        for function in functions:
            x = function(x)
        return x

    return f


def program(seed: int) -> Function:
    """A few helpers, each made of leaves or of another, used plainly and under derivatives one after the other."""
    choose = random.Random(seed)
    helpers: list[Function] = []
    for _ in range(choose.randint(2, 4)):
        f = choose.choice(helpers) if helpers and choose.random() < 0.5 else chained(choose.choices(LEAVES, k=2))
        for _ in range(choose.randint(1, 3)):
            f = wrapped(choose, f, helpers)
        helpers.append(jax.jit(f) if choose.random() < 0.6 else f)
    uses = [
        (choose.choice(helpers), choose.choice(("plain", "vjp", "vjp", "jvp"))) for _ in range(choose.randint(2, 3))
    ]

    def run(x: Any) -> Any:
        results = []
        for f, use in uses:
            if use == "vjp":
                y, pull = jax.vjp(f, x)
                x = pull(y)[0] + y
            else:
                x = f(x) if use == "plain" else jax.jvp(f, (x,), (x,))[1]
            results.append(x)
        return results

    return run


def check(seed: int) -> None:
    try:
        traced = jax.jit(program(seed)).trace(vector())
        traced.lower()
    except (TypeError, NotImplementedError) as error:
        pytest.skip(f"JAX cannot differentiate it: {error}")
    found = count(program(seed), vector(), levels=("jaxpr", "stablehlo"))
    truth, read = phases_of(traced.jaxpr), {}
    for primitive, phases in truth.items():
        read[primitive] = by_phase(found["jaxpr"].tally, primitive)
        assert sum(read[primitive].values()) == sum(phases.values()), primitive
        assert read[primitive].get("primal", 0) <= phases.get("primal", 0), primitive
    assert read == truth or NAMES_MISLEAD & truth.keys()
    lowered, expanded = lowered_phases_of(traced.jaxpr), found["stablehlo"].expanded
    assert expanded is not None
    for primitive, operation in ONE_TO_ONE.items():
        seen = by_phase(expanded, operation)
        assert sum(seen.values()) == sum(lowered.get(primitive, {}).values()), primitive
        known = {phase: number for phase, number in seen.items() if phase != "unattributed"}
        assert all(number <= read[primitive].get(phase, 0) for phase, number in known.items()), (primitive, read, seen)


NAMES_MISLEAD = frozenset({"scan", "while", "checkpoint", "remat2"})
"""What hoists equations without their names, or names a derivative as recomputation: tests/phases has the truth of those."""


@pytest.mark.parametrize("seed", range(24))
def test_a_random_program_has_the_phases_of_its_name_stacks(seed: int) -> None:
    check(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(24, 424))
def test_hundreds_of_random_programs_have_the_phases_of_their_name_stacks(seed: int) -> None:
    check(seed)
