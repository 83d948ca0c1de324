"""Programs set against each other: the same but for names, fewer operations, flat in a number."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ltc_ir import Target, assert_ir, assert_ir_flat
from tests.api.assertions import programs as p
from tests.api.assertions.programs import failure, line, says, spread

pytestmark = pytest.mark.versions

LEVELS = ("jaxpr", "stablehlo", "hlo")
X = jax.ShapeDtypeStruct((100,), jnp.float32)
FIRST, SECOND = (np.random.default_rng(seed).random(100, np.float32) for seed in (1, 2))


@jax.jit
def inner(a):
    return jnp.sin(a) * 2


@jax.jit
def helper(beta):
    gamma = jnp.sin(beta)

    return gamma * 2


@jax.jit
def helper_of_three(beta):
    return jnp.sin(beta) * 3


def looping(x):
    return lax.fori_loop(0, 9, lambda i, c: inner(c) + helper_of_three(c), x)


def same_loop(other):
    given = other

    def body(_, carried):
        return helper(carried) + helper_of_three(carried)

    return lax.fori_loop(0, 9, body, given)


def other_order(x):
    return lax.fori_loop(0, 9, lambda i, c: helper_of_three(c) + inner(c), x)


def result_by_name(x):
    return {"twice": inner(x), "once": x}


def result_by_place(x):
    return x, helper(x)


ALIKE = {
    "variables, functions and layout": (looping, same_loop),
    "names of results": (result_by_name, result_by_place),
    "equal constants": (lambda x: x * jnp.asarray(FIRST), lambda y: y * jnp.asarray(FIRST.copy())),
    "a jitted function and its plain self": (jax.jit(looping), looping),
    "random numbers of equal keys": (
        lambda x: x + jax.random.normal(jax.random.key(1), (100,)),
        lambda y: y + jax.random.normal(jax.random.key(1), (100,)),
    ),
}
UNLIKE = {
    "a scalar": (lambda x: x * 2, lambda x: x * 3),
    "a scalar array": (lambda x: x * jnp.array(2.0), lambda x: x * jnp.array(3.0)),
    "a large constant": (lambda x: x * jnp.asarray(FIRST), lambda x: x * jnp.asarray(SECOND)),
    "which constant is which": (lambda x: x * FIRST - SECOND, lambda x: x * SECOND - FIRST),
    "a constant of a function within": (
        lambda x: jax.jit(lambda y: y * FIRST)(x + 1),
        lambda x: jax.jit(lambda y: y * SECOND)(x + 1),
    ),
    "truth values": (lambda x: jnp.where(FIRST > 0.5, x, 1), lambda x: jnp.where(FIRST <= 0.5, x, 1)),
    "complex values": (lambda x: x * (FIRST + 1j), lambda x: x * (FIRST + 2j)),
    "the order of calls": (looping, other_order),
    "a type": (lambda x: x.astype(jnp.bfloat16), lambda x: x.astype(jnp.float16)),
    "one operation more": (jnp.sin, lambda x: -jnp.sin(x)),
    "the place of results": (lambda x: (jnp.sin(x), x), lambda x: (x, jnp.sin(x))),
    "which argument": (lambda x: x[:50] - x[50:], lambda x: x[50:] - x[:50]),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("what", ALIKE)
def test_the_same_but_for(what, level):
    first, second = ALIKE[what]
    assert_ir(first, (X,), same_as=second, level=level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("what", UNLIKE)
def test_not_the_same_for(what, level):
    first, second = UNLIKE[what]
    text = failure(lambda: assert_ir(first, (X,), same_as=second, level=level))
    assert f"is not the same as {second.__name__} at {level}" in text
    assert f"(- is {second.__name__}, + is {first.__name__})" in text
    assert any(said.startswith("  -") for said in text.splitlines())
    assert any(said.startswith("  +") for said in text.splitlines())
    assert all(len(said) < 128 for said in text.splitlines())


def test_what_differs_is_shown_of_each_side_and_cut_where_it_is_long():
    def many(x):
        for number in range(30):
            x = jnp.sin(x) * number
        return x

    text = failure(lambda: assert_ir(many, (X,), same_as=lambda x: x))
    assert "more lines" in text.splitlines()[-1]
    assert len(text.splitlines()) == 10


def test_a_target_is_compared_with_a_function_of_its_arguments():
    target = Target(lambda x, *, by: x * by, (X,), {"by": 2}, static_argnames=("by",), name="mine")
    assert_ir(target, None, same_as=lambda y, by: y * by)
    text = failure(lambda: assert_ir(target, None, same_as=lambda y, by: y * by * by))
    assert text.startswith("mine is not the same as <lambda> at stablehlo: ")


def test_fewer_is_not_as_many():
    text = failure(lambda: assert_ir(looping, (X,), fewer_than=same_loop))
    assert "looping has " in text
    assert "not fewer" in text


@pytest.mark.parametrize("level", LEVELS)
def test_fewer_at_each_level(level):
    arguments = (1.0, p.STEPS)
    assert_ir(p.one_loop, (1.0,), fewer_than=p.two_loops, level=level)
    text = failure(lambda: assert_ir(p.two_loops, (1.0,), fewer_than=p.one_loop, level=level))
    assert says(text, "two_loops has", "one_loop", "not fewer", "primal")
    assert "tests/api/assertions/programs.py:" in text
    if level == "stablehlo":
        assert_ir(p.rolled, arguments, "stablehlo:while = 1", fewer_than=p.unrolled, same_as=p.rolled)


def test_everything_that_fails_is_told_in_twelve_lines():
    rules = [f"{name} = 7" for name in ("sin", "mul", "add", "while", "total", "scan", "cos", "tanh")]
    text = failure(lambda: assert_ir(looping, (X,), *rules, same_as=lambda x: x, fewer_than=lambda x: x))
    assert text.startswith("looping forward breaks 8 rules")
    assert text.splitlines()[-1].endswith("more lines")


def test_flat_whatever_the_order_of_the_numbers():
    assert_ir_flat(p.iterating, over=(300, 60, 12))
    for over in ((5, 2), (2, 5), {2, 5}, [5, 5, 2], range(2, 6)):
        text = failure(lambda over=over: assert_ir_flat(p.repeating, over=over))
        assert says(text, "2 at 2", "5 at 5", "+3 cos", line(p.repeating, "each anew"))


def test_flat_sees_what_only_one_level_shows():
    def make(number):
        return (lambda x: lax.scan(lambda c, _: (jnp.sin(c), None), x, None, length=8, unroll=number)[0]), (X,)

    text = failure(lambda: assert_ir_flat(make, over=(2, 4)))
    assert "stablehlo: " in text
    assert "jaxpr: " not in text


def test_flat_takes_targets_and_lets_a_program_shrink():
    def make(number):
        return Target(lambda x: jnp.sin(x) if number > 1 else jnp.sin(jnp.sin(x)), (X,), name="mine")

    assert_ir_flat(make, over=(1, 2, 3))
    text = failure(lambda: assert_ir_flat(lambda n: make(3 - n), over=(1, 2)))
    assert says(text, "mine grows", "jaxpr: 1 at 1, 2 at 2", "+1 sin", "+1 stablehlo.sine", "primal")


def test_flat_with_wide_types():
    def make(number):
        def f(x):
            return x.astype(jnp.float64).astype(jnp.float32) if number > 1 else x * 1

        return f, (X,)

    assert_ir_flat(make, over=(1, 2), x64=False)
    assert "+2 convert_element_type" in failure(lambda: assert_ir_flat(make, over=(1, 2), x64=True))


def test_sharded_programs_are_compared():
    assert_ir(p.stays_put, (spread((8, 4), 2),), same_as=lambda y: jnp.sin(y) * 2, devices=2, level="hlo")
