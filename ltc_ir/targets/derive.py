"""Which programs a target has, and how a loss and a gradient are made of its function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.targets.forms import arrays, graph_nodes
from ltc_ir.targets.forms.opening import opened
from ltc_ir.targets.signature_hash import own_statics
from ltc_ir.targets.target import PROGRAM_ORDER, Program, Target


def make_program(target: Target, name: str) -> Program:
    """The program of that name, opened: a function and arguments that JAX traces.

    Raises:
        UsageError: the target has none, its loss is unknown, or its output is no scalar to differentiate.
        TargetError: the user's function failed while it was opened.
    """
    return opened(_program(target, name))


def _program(target: Target, name: str) -> Program:
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

    fn, numbers = scalar(target), _numbers(target)
    program = _of(target, fn, *_statics(target))
    if graph_nodes.are_in(program):
        differentiated = graph_nodes.gradient(fn, target.argnums, target.has_aux)
    elif _check_inputs(target, numbers, program.static_positions):
        differentiated = jax.grad(fn, argnums=target.argnums, has_aux=target.has_aux)
    else:
        single = isinstance(target.argnums, int)
        differentiated = arrays.inexact_gradient(fn, numbers, single, target.has_aux)
    return replace(program, fn=differentiated, explain=lambda: _check_output(target, fn), gradient=True)


def _numbers(target: Target) -> tuple[int, ...]:
    return (target.argnums,) if isinstance(target.argnums, int) else target.argnums


def _check_inputs(target: Target, numbers: Sequence[int], static: Collection[int]) -> bool:
    """Whether the gradient's arguments are of inexact type throughout, as `jax.grad` takes them.

    Raises:
        UsageError: one does not exist, is static, or has nothing that is.
    """
    whole = True
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
        whole &= _has_inexact(number, target.args[number])
    return whole


def _has_inexact(number: int, argument: Any) -> bool:
    """Whether all leaves of an argument are inexact arrays; one that is not is named where none of them is."""
    import jax
    import jax.numpy as jnp

    leaves = list(arrays.leaves_of(argument))
    other = [(path, leaf) for path, leaf in leaves if not arrays.is_inexact(leaf)]
    if other and len(other) == len(leaves):
        path, leaf = other[0]
        dtype = getattr(leaf, "dtype", None)
        kind = dtype if dtype is not None else jnp.result_type(leaf)
        raise UsageError(
            f"no gradient: argument {number}{path} is {kind}, not a float",
            "choose the arguments to differentiate with --argnums",
        )
    if not leaves and jax.tree.leaves(argument):
        kind = type(jax.tree.leaves(argument)[0]).__name__
        raise UsageError(
            f"no gradient: argument {number} is {kind}, not a float",
            "choose the arguments to differentiate with --argnums",
        )
    return not other and len(leaves) == len(jax.tree.leaves(argument))


def _check_output(target: Target, fn: Callable[..., Any]) -> None:
    """The output is one real scalar, as `jax.grad` demands; found by shapes alone."""
    import jax

    shaped = _output_of(target, fn)
    output = shaped[0] if target.has_aux and isinstance(shaped, tuple) else shaped
    leaves = jax.tree.leaves(output)
    if len(leaves) == 1 and leaves[0].shape == () and jax.numpy.issubdtype(leaves[0].dtype, jax.numpy.floating):
        return
    types = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves[:3]) or "nothing"
    raise UsageError(
        f"no gradient: the output is {types}, not a real scalar", "make a scalar of it with --loss sum or --loss mean"
    )


def _output_of(target: Target, fn: Callable[..., Any]) -> Any:
    """What a function returns, as tracers: of whatever form it and its arguments are."""
    from ltc_ir.targets.stages import jitted, users_failure

    outputs: list[Any] = []

    @functools.wraps(fn)
    def watched(*args: Any, **kwargs: Any) -> Any:
        outputs.append(fn(*args, **kwargs))
        return outputs[-1]

    program = opened(_of(target, watched, *_statics(target)))
    with users_failure(target.name or "the target", "trace"):
        jitted(program).trace(*program.args, **program.kwargs)
    return outputs[-1]
