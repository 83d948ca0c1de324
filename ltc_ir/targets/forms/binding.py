"""Gives a jitted function the arguments that are bound to it: the object of a method, those of a partial."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import FunctionType, MethodType
from typing import Any

import jax

from ltc_ir.targets.forms.kinds import is_jax_jit, is_traced_by_itself
from ltc_ir.targets.target import Program


def method(program: Program) -> Program | None:
    """A method of a jitted function as that function on the object: a bound method passes on its function's ``trace``."""
    fn = program.fn
    if isinstance(fn, MethodType) and is_traced_by_itself(fn.__func__):
        return _on(program, fn.__func__, fn.__self__)
    return None


def partial(program: Program) -> Program | None:
    """A partial of a jitted function as that function on all its arguments."""
    fn: Any = program.fn
    bound = [getattr(fn, name, None) for name in ("func", "args", "keywords")]
    if None in bound or not is_traced_by_itself(fn.func):
        return None
    return replace(_on(program, fn.func, *fn.args), kwargs={**fn.keywords, **program.kwargs})


def instance(program: Program) -> Program | None:
    """An object whose class has a jitted ``__call__`` as that function on the object."""
    fn: Any = program.fn
    if isinstance(fn, FunctionType | MethodType | type) or is_traced_by_itself(fn):
        return None
    call = inspect.getattr_static(type(fn), "__call__", None)
    return _on(program, call, fn) if is_traced_by_itself(call) else None


def decorated(program: Program) -> Program | None:
    """The jitted function inside a decorator that hands its arguments on and does nothing else that JAX sees."""
    fn: Any = program.fn
    inner = fn
    while isinstance(inner, FunctionType) and hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    if inner is fn or not is_jax_jit(inner):
        return None
    with suppress(Exception):  # a function that fails is traced again, where its failure is told
        around: Any = jax.jit(fn).trace(*program.args, **program.kwargs)
        inside: Any = inner.trace(*program.args, **program.kwargs)
        if _hands_on(around.jaxpr.jaxpr, inside.jaxpr):
            return replace(program, fn=inner)
    return None


def _hands_on(around: Any, inside: Any) -> bool:
    """Whether a jaxpr is one call of just another one with all its arguments in order, and returns all its results.

    The called one may be another all the same, where a transformation such as `jax.vmap` has made one of it.
    """
    if len(around.eqns) != 1 or around.eqns[0].primitive.name not in {"jit", "pjit"}:
        return False
    (call,) = around.eqns
    whole = [*call.invars] == [*around.invars] and [*call.outvars] == [*around.outvars]
    return whole and str(call.params["jaxpr"]) == str(inside)


def _on(program: Program, fn: Callable[..., Any], *bound: Any) -> Program:
    """A program on further arguments, which come first; so do they where a target makes values."""
    values = program.values

    def bound_values() -> tuple[tuple[Any, ...], Any]:
        assert values is not None
        args, kwargs = values()
        return (*bound, *args), kwargs

    return replace(program, fn=fn, args=(*bound, *program.args), values=None if values is None else bound_values)


STEPS = (method, partial, instance, decorated)
