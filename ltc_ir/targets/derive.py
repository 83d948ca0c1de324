"""Which programs a target has, and how a loss and a gradient are made of its function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.targets.signature_hash import own_statics
from ltc_ir.targets.target import PROGRAM_ORDER, Program, Target


def make_program(target: Target, name: str) -> Program:
    """The program of that name.

    Raises:
        UsageError: the target has none, its loss is unknown, or its output is no scalar to differentiate.
    """
    check_loss(target.loss)
    declared = target.programs.get(name)
    if declared is not None:
        return declared
    if name == "forward":
        called = target.static_argnums or target.static_argnames
        return _of(target, target.fn, *(_statics(target) if called else ((), ())))
    if name == "loss" and target.loss is not None:
        return _of(target, scalar(target), *_statics(target))
    if name == "grad":
        return _gradient(target)
    names = ", ".join(program_names(target))
    raise UsageError(f"no program {name!r}", f"this target has {names}")


def program_names(target: Target) -> tuple[str, ...]:
    """The programs a target may have, in order; ``grad`` of a plain function is tried when it is made."""
    names = {"forward", "grad", *target.programs} | ({"loss"} if target.loss is not None else set())
    ranks = {name: rank for rank, name in enumerate(PROGRAM_ORDER)}
    return tuple(sorted(names, key=lambda name: (ranks.get(name, len(ranks)), name)))


def scalar(target: Target) -> Callable[..., Any]:
    """The function whose gradient is taken: the target's own, or a loss of its output."""
    loss = target.loss
    if loss is None:
        return target.fn
    reduce = _REDUCTIONS[loss] if isinstance(loss, str) else loss
    fn, has_aux = target.fn, target.has_aux

    @functools.wraps(fn)
    def loss_fn(*args: Any, **kwargs: Any) -> Any:
        output = fn(*args, **kwargs)
        return (reduce(output[0]), output[1]) if has_aux else reduce(output)

    return loss_fn


def _over_leaves(reduce: str) -> Callable[[Any], Any]:
    def reduced(output: Any) -> Any:
        import jax
        import jax.numpy as jnp

        leaves = [getattr(jnp, reduce)(leaf) for leaf in jax.tree.leaves(output)]
        return functools.reduce(lambda left, right: left + right, leaves)

    return reduced


_REDUCTIONS = {"sum": _over_leaves("sum"), "mean": _over_leaves("mean")}


def check_loss(loss: str | Callable[[Any], Any] | None) -> None:
    """Refuse a loss that is neither a known reduction nor callable."""
    if loss is not None and not callable(loss) and loss not in _REDUCTIONS:
        raise UsageError(f"unknown loss {loss!r}", "a loss is sum, mean or module:function")


def _of(target: Target, fn: Callable[..., Any], positions: tuple[int, ...], names: tuple[str, ...]) -> Program:
    return Program(fn, target.args, target.kwargs, positions, names, values=target.values)


def _statics(target: Target) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """What is static where the function is called by another: what the target says, and what its own `jax.jit` keeps so."""
    positions, names = own_statics(target.fn)
    return (*target.static_argnums, *positions), (*target.static_argnames, *names)


def _gradient(target: Target) -> Program:
    import jax

    fn = scalar(target)
    gradient = _of(target, jax.grad(fn, argnums=target.argnums, has_aux=target.has_aux), *_statics(target))
    _check_inputs(target, gradient.static_positions)
    return replace(gradient, explain=lambda: _check_output(target, fn), gradient=True)


def _check_inputs(target: Target, static: Collection[int]) -> None:
    """The gradient's arguments exist, are not static and are of inexact type."""
    import jax
    import jax.numpy as jnp

    numbers = (target.argnums,) if isinstance(target.argnums, int) else target.argnums
    for position, number in enumerate(numbers):
        if not -len(target.args) <= number < len(target.args):
            raise UsageError(
                f"no gradient: there is no argument {number} among {len(target.args)}", "name another with --argnums"
            )
        if number % len(target.args) in {other % len(target.args) for other in numbers[:position]}:
            raise UsageError(
                f"no gradient: argument {number % len(target.args)} is named twice", "name it once in --argnums"
            )
        if number % len(target.args) in static:
            raise UsageError(f"no gradient: argument {number} is static", "name another with --argnums")
        for path, leaf in jax.tree_util.tree_leaves_with_path(target.args[number]):
            dtype = getattr(leaf, "dtype", None)
            kind = dtype if dtype is not None else jnp.result_type(leaf) if _is_number(leaf) else None
            if kind is None or not jnp.issubdtype(kind, jnp.inexact):
                where = f"argument {number}{jax.tree_util.keystr(path)}"
                raise UsageError(
                    f"no gradient: {where} is {kind if kind is not None else type(leaf).__name__}, not a float",
                    "choose the arguments to differentiate with --argnums",
                )


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, int | float | complex)


def _check_output(target: Target, fn: Callable[..., Any]) -> None:
    """The output is one real scalar, as `jax.grad` demands; found by shapes alone."""
    import jax

    shaped = _shape_of(target, fn)
    output = shaped[0] if target.has_aux and isinstance(shaped, tuple) else shaped
    leaves = jax.tree.leaves(output)
    if len(leaves) == 1 and leaves[0].shape == () and jax.numpy.issubdtype(leaves[0].dtype, jax.numpy.floating):
        return
    types = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves[:3]) or "nothing"
    raise UsageError(
        f"no gradient: the output is {types}, not a real scalar", "make a scalar of it with --loss sum or --loss mean"
    )


def _shape_of(target: Target, fn: Callable[..., Any]) -> Any:
    import jax

    from ltc_ir.targets.stages import users_failure

    positions, names = _statics(target)
    jitted: Any = jax.jit(fn, static_argnums=positions or None, static_argnames=names or None)
    with users_failure(target.name or "the target", "trace"):
        return jitted.eval_shape(*target.args, **target.kwargs)
