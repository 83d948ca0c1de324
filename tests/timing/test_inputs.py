"""A fresh function is another one of the same code: JAX cannot take it for what it knows, and it does the same."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import pytest

from ltc_ir.targets.target import Program
from ltc_ir.timing.inputs import Inputs, copy_function, without_jit

SCALE = 3


def plain(x, y=2, *, z: int = 5):
    """What it does."""
    return x * SCALE + y + z


class Model:
    def method(self, x):
        return x + 1

    def __call__(self, x):
        return x + 2


def closing(amount):
    return lambda x: x + amount


def wrapping(fn):
    @functools.wraps(fn)
    def inner(*args, **kwargs):
        return fn(*args, **kwargs)

    return inner


@pytest.mark.parametrize(
    "fn",
    [plain, Model().method, Model(), closing(4), functools.partial(plain, y=1), wrapping(plain)],
    ids=["function", "method", "object", "closure", "partial", "wrapped"],
)
def test_a_fresh_function_is_another_that_does_the_same(fn):
    made = copy_function(fn)
    assert made != fn
    assert made(10) == fn(10)
    assert copy_function(fn) != made


def test_a_fresh_function_has_the_name_the_defaults_and_the_signature():
    import inspect

    made = copy_function(plain)
    assert (made.__name__, made.__qualname__, made.__module__) == (plain.__name__, plain.__qualname__, plain.__module__)
    assert inspect.signature(made) == inspect.signature(plain)
    assert made(1, z=1) == plain(1, z=1)
    assert inspect.signature(copy_function(wrapping(plain))) == inspect.signature(plain)


def test_without_jit_is_what_was_jitted():
    import jax

    assert without_jit(Program(jax.jit(plain))) is plain
    assert without_jit(Program(plain)) is plain


def test_inputs_are_copied_only_where_a_call_deletes_them():
    x = jnp.arange(3.0)
    inputs = Inputs(((x, 2.0), {}))
    assert inputs.next()[0][0] is x
    trial = inputs.trial()
    trial[0][0].delete()
    inputs.note(trial)
    assert inputs.donating
    assert not x.is_deleted()
    copy = inputs.next()[0][0]
    assert copy.committed == trial[0][0].committed == x.committed, "JAX compiles for each kind anew"
    copy.delete()
    assert not x.is_deleted()
