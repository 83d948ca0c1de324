"""Gradients inside a user's function: what is around them is primal, by hand; what cannot be told is unattributed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from tests.phases.counting import phases_of
from tests.phases.programs import floats

pytestmark = [pytest.mark.versions, pytest.mark.early]

Program = Callable[[Any, Any], Any]
PROGRAMS: dict[str, tuple[Program, Counter[str]]] = {}


def primal(**counts: int) -> Callable[[Program], Program]:
    """Register a program of two vectors of four floats with all its primal equations but calls of `jax.jit`."""

    def register(program: Program) -> Program:
        PROGRAMS[program.__name__] = program, Counter(counts)
        return program

    return register


def decay(a: Any, b: Any) -> Any:
    """A loop with an ``exp`` that does not depend on what it carries."""
    return lax.scan(lambda c, _: (jnp.sin(c * jnp.exp(b)), None), a, None, length=3)[0]


def loss(a: Any, b: Any) -> Any:
    return jnp.sum(decay(a, b))


@primal(mul=1, log=1)
def vjp_by_hand(x: Any, b: Any) -> Any:
    y, pull = jax.vjp(lambda x: decay(x, b), x * 2)
    return pull(jnp.log(y))[0]


@primal(log=1, floor=1, ceil=1, add=2)
def pullback_twice(x: Any, b: Any) -> Any:
    y, pull = jax.vjp(lambda x: decay(x, b), x)
    return jnp.log(y) + pull(jnp.floor(b))[0] + pull(jnp.ceil(b))[0]


@primal(log=1, floor=1, ceil=1, add=2)
def linear_part_twice(x: Any, b: Any) -> Any:
    y, push = jax.linearize(lambda x: decay(x, b), x)
    return jnp.log(y) + push(jnp.floor(b)) + push(jnp.ceil(b))


@primal(mul=1, log=1)
def tangent(x: Any, b: Any) -> Any:
    return jax.jvp(lambda x: decay(x, b), (x * 2,), (jnp.log(b),))


@primal(mul=1, log=1)
def hessian(x: Any, b: Any) -> Any:
    return jnp.log(jax.hessian(lambda y: jnp.sum(jnp.sin(y) ** 3))(x * 2))


@primal(mul=1, log=1)
def jacobian_backward(x: Any, b: Any) -> Any:
    return jnp.log(jax.jacrev(lambda y: jnp.sin(y) * y)(x * 2))


@primal(mul=1, log=1)
def jacobian_forward(x: Any, b: Any) -> Any:
    return jnp.log(jax.jacfwd(lambda y: jnp.sin(y) * y)(x * 2))


@primal()
def tangent_of_a_gradient(x: Any, b: Any) -> Any:
    return jax.jvp(jax.grad(lambda a: loss(a, b)), (x,), (b,))[1]


@primal(log=1, floor=1)
def in_a_vmap(x: Any, b: Any) -> Any:
    return jnp.floor(jax.vmap(jax.grad(loss), in_axes=(None, 0))(jnp.log(x), b))


@primal(scan=1, log=1, floor=1, sub=1, ceil=1)
def in_a_loop(x: Any, b: Any) -> Any:
    return lax.scan(lambda c, _: (c - jnp.floor(jax.grad(loss)(jnp.log(c), b)), jnp.ceil(b)), x, None, length=2)


@primal(reduce_max=1, gt=1, convert_element_type=1, cond=1, log=1, floor=1)
def in_a_branch(x: Any, b: Any) -> Any:
    return lax.cond(lax.reduce_max(x, (0,)) > 0, lambda x: jnp.floor(jax.grad(loss)(jnp.log(x), b)), lambda x: x, x)


@primal(**{"while": 1}, reduce_max=1, gt=1, log=1, floor=1, sub=1)
def in_a_dynamic_loop(x: Any, b: Any) -> Any:
    return lax.while_loop(
        lambda c: lax.reduce_max(c, (0,)) > 0, lambda c: c - jnp.floor(jax.grad(loss)(jnp.log(c), b)), x
    )


@primal(log=1, floor=1)
def in_a_jit(x: Any, b: Any) -> Any:
    return jnp.floor(jax.jit(jax.grad(loss))(jnp.log(x), b))


@primal(log=1, floor=1, scan=1, exp=1, mul=1, sin=1, reduce_sum=1)
def of_a_jit_that_runs_outside_as_well(x: Any, b: Any) -> Any:
    shared = jax.jit(loss)
    return jnp.floor(jax.grad(shared)(jnp.log(x), b)), shared(x, b)


@primal(log=1, floor=1, scan=1, exp=1, mul=1, sin=1, reduce_sum=1)
def of_a_jit_that_ran_outside_before(x: Any, b: Any) -> Any:
    shared = jax.jit(loss)
    return shared(x, b), jnp.floor(jax.grad(shared)(jnp.log(x), b))


@primal(scan=1, exp=2, mul=2, sin=2)
def of_a_loop_that_runs_outside_as_well(x: Any, b: Any) -> Any:
    def body(c: Any, _: None) -> Any:
        return jnp.sin(c * jnp.exp(b)), None

    y = lax.scan(body, x, None, length=3)[0]
    return y, jax.grad(lambda a: jnp.sum(lax.scan(body, a, None, length=3)[0]))(y), body(x, None)[0]


@primal(exp=1)
def beside_the_same_value(x: Any, b: Any) -> Any:
    return jnp.exp(b), jax.grad(loss)(x, b)


@primal(log=1, floor=1, sub=1)
def one_after_another(x: Any, b: Any) -> Any:
    g = jax.grad(loss)(x, b)
    return g - jnp.floor(jax.grad(loss)(g, jnp.log(b)))


@primal(log=1, floor=1)
def inner_step_of_another(x: Any, b: Any) -> Any:
    return jnp.floor(jax.grad(lambda w: loss(w - 0.1 * jax.grad(loss)(w, b), b))(jnp.log(x)))


@primal(scan=1, add=1, mul=1, sub=1)
def descent(x: Any, b: Any) -> Any:
    return lax.fori_loop(0, 5, lambda i, w: w - 0.1 * jax.grad(loss)(w, b), x)


@primal(scan=1, add=1, mul=1, sub=1)
def descent_on_a_counted_loop(x: Any, b: Any) -> Any:
    def counted(w: Any) -> Any:
        return jnp.sum(lax.fori_loop(0, 3, lambda i, c: jnp.sin(c * jnp.exp(b)), w))

    return lax.fori_loop(0, 5, lambda i, w: w - 0.1 * jax.grad(counted)(w), x)


@primal(mul=2, add=1, is_finite=1, sub=1, select_n=1)
def momentum(x: Any, b: Any) -> Any:
    value, gradient = jax.value_and_grad(loss)(x, b)
    step = 0.9 * b + 0.1 * gradient
    return jnp.where(jnp.isfinite(value), x - step, x), step


@primal(log=1)
def in_a_backward_rule(x: Any, b: Any) -> Any:
    @jax.custom_vjp
    def f(x: Any) -> Any:
        return jnp.sin(x)

    f.defvjp(lambda x: (f(x), x), lambda x, g: (g * jax.grad(loss)(x, b),))
    return jax.grad(lambda x: jnp.sum(f(x)))(jnp.log(x))


@primal(custom_vjp_call=1, exp=1, log=1)
def of_a_rule_that_runs_outside_as_well(x: Any, b: Any) -> Any:
    @jax.custom_gradient
    def f(x: Any) -> Any:
        return jnp.exp(x), lambda g: g * jnp.cos(x)

    return f(x), jax.grad(lambda x: jnp.sum(f(x)))(jnp.log(x))


@primal(log=1, floor=1)
def in_scopes_named_like_transforms(x: Any, b: Any) -> Any:
    with jax.named_scope("jvp(x)"):
        z = jnp.log(x)
    with jax.named_scope("transpose(jvp(x))"):
        gradient = jax.grad(lambda a: loss(a, b))(z)
    with jax.named_scope("rematted_computation"):
        return jnp.floor(gradient)


@primal(log=1, floor=1, argmax=1)
def with_auxiliary_values(x: Any, b: Any) -> Any:
    gradient, (y, best) = jax.grad(lambda x: (loss(x, b), (decay(x, b), b)), has_aux=True)(jnp.log(x))
    return jnp.floor(gradient), y, jnp.argmax(best)


@primal(log=1, floor=1)
def of_what_is_stopped(x: Any, b: Any) -> Any:
    return jnp.floor(jax.grad(lambda x: loss(x, lax.stop_gradient(x) + b))(jnp.log(x)))


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_around_gradients_is_primal_and_nothing_else_is(name: str) -> None:
    program, expected = PROGRAMS[name]
    phases = phases_of(program, floats(4), floats(4))
    calls = {"jit", "pjit"}
    assert Counter({op: count for op, count in phases["primal"].items() if op not in calls}) == expected
    assert "unattributed" not in phases


def test_a_checkpoint_of_gradients_runs_the_function_again_and_not_the_gradients() -> None:
    def program(x: Any) -> Any:
        again = jax.checkpoint(lambda a: jnp.cos(jnp.tanh(a)))
        return jax.grad(lambda w: jnp.sum(again(jax.grad(lambda a: jnp.sum(jnp.exp(a)))(w))))(x)

    recomputed = phases_of(program, floats(4))["recompute"]
    assert (recomputed["tanh"], recomputed["sin"], recomputed["exp"], recomputed["mul"]) == (1, 1, 0, 0)


def looped(f: Callable[[Any], Any], x: Any) -> Any:
    return lax.scan(lambda c, _: (f(c), None), x, None, length=3)[0]


def test_what_two_functions_of_the_same_code_could_have_made_is_unattributed() -> None:
    """The body of the outer loop, where all is primal, has the code of the inner one, out of which ``exp`` is moved."""

    def program(x: Any, b: Any) -> Any:
        def inner(a: Any) -> Any:
            return jnp.sum(looped(lambda c: jnp.sin(c * jnp.exp(b)), a))

        return looped(lambda c: jnp.floor(jax.grad(inner)(jnp.log(c))), x)

    phases = phases_of(program, floats(4), floats(4))
    assert phases["unattributed"] == {"log": 1, "exp": 1}
    assert phases["primal"] == {"scan": 1, "floor": 1}


def test_a_function_all_of_which_leaves_the_loop_is_unattributed_where_it_could_be_before_the_gradient() -> None:
    def program(x: Any, b: Any) -> Any:
        all_leaves = jax.checkpoint(lambda b: jnp.exp(jnp.cos(b)))
        return jax.grad(lambda a: jnp.sum(looped(lambda c: jnp.sin(c * all_leaves(b)), a)))(x)

    phases = phases_of(program, floats(4), floats(4))
    assert phases["unattributed"] == {"cos": 1, "exp": 1}
    assert "primal" not in phases
