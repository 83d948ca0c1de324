"""Prepares the calls of a timed program: a function unknown to caches, and its arguments, filled and without static ones."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import jax
import numpy as np

from ltc_ir.errors import UsageError
from ltc_ir.targets.example_values import Arguments, Filling, is_shape, own_values
from ltc_ir.targets.signature_hash import own_statics
from ltc_ir.targets.stages import is_jitted, jitted, wait_until_ready
from ltc_ir.targets.target import Program


def fresh_jit(program: Program) -> Any:
    """The program under `jax.jit`, from a function object that JAX has not seen yet.

    The cache of a function that is already jitted is cleared with JAX's other caches.
    """
    return jitted(program, copy_function)


def copy_function(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Another function of the same code: a cache of one does not serve the other."""
    if isinstance(fn, MethodType) and isinstance(fn.__func__, FunctionType):
        return MethodType(copy_function(fn.__func__), fn.__self__)
    if not isinstance(fn, FunctionType):
        wrapped = functools.partial(fn)
        functools.update_wrapper(wrapped, fn, updated=())
        return wrapped
    copy = FunctionType(fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    copy.__kwdefaults__ = fn.__kwdefaults__
    return functools.update_wrapper(copy, fn, assigned=("__module__", "__qualname__", "__doc__", "__annotations__"))


def without_jit(program: Program) -> Callable[..., Any] | None:
    """The Python function of a program; ``None`` where `jax.jit` hides it."""
    fn: Any = program.fn
    return getattr(fn, "__wrapped__", None) if is_jitted(fn) else fn


def argument_values(program: Program, fill: Filling | None, label: str) -> Arguments | None:
    """The arguments of a program, with every shape filled; ``None`` where there are shapes and no ``fill``.

    Raises:
        TargetError: the function of the target that makes values failed.
    """
    arguments = own_values(program, label) if fill is None else (program.args, dict(program.kwargs))
    leaves, tree = jax.tree.flatten(arguments)
    if fill is None and any(map(is_shape, leaves)):
        return None
    values: Arguments = jax.tree.unflatten(tree, [_placed(leaf, number, fill) for number, leaf in enumerate(leaves)])
    wait_until_ready(values)
    return values


def _placed(leaf: Any, number: int, fill: Filling | None) -> Any:
    """An argument; a shape is filled and placed by its sharding."""
    if fill is None or not is_shape(leaf):
        return leaf
    value = fill.value(leaf, number)
    sharding = getattr(leaf, "sharding", None)
    return value if sharding is None else jax.device_put(value, sharding)


@dataclass
class Inputs:
    """The arguments of a program's calls: one set for all of them, or a copy for each call that donates its buffers.

    Args:
        values: positional and keyword arguments, without shapes.
        donating: whether a call deletes its arguments; `note` detects it.
    """

    values: Arguments
    donating: bool = False

    def next(self) -> Arguments:
        """The arguments of the next call."""
        return _copied(self.values) if self.donating else self.values

    def trial(self) -> Arguments:
        """Copies for a first call: whether it deletes its arguments is not known yet."""
        return _copied(self.values)

    def note(self, arguments: Arguments) -> None:
        """Remember whether a call deleted any of its arguments."""
        leaves = [leaf for leaf in jax.tree.leaves(arguments) if isinstance(leaf, jax.Array)]
        self.donating = self.donating or any(leaf.is_deleted() for leaf in leaves)


def _copied(values: Arguments) -> Arguments:
    def copied_leaf(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array):
            return leaf
        # neither the copy nor its use compiles anything: a function that is not jitted compiles again for committed arrays
        return jax.device_put(leaf, leaf.sharding if leaf.committed else None, may_alias=False)

    copied: Arguments = jax.tree.map(copied_leaf, values)
    wait_until_ready(copied)
    return copied


def dynamic_argument_picker(program: Program, compiled: Any) -> Callable[[Arguments], Arguments]:
    """A function that drops the static arguments, which a compiled program does not take.

    Raises:
        UsageError: the static arguments of a function that is already jitted cannot be determined.
    """
    positions, names = _static(program)
    args = [position for position in range(len(program.args)) if position not in positions]
    kwargs = [name for name in program.kwargs if name not in names]
    positional, keywords = compiled.args_info
    if len(args) != len(positional) or set(kwargs) != set(keywords):
        args, kwargs = _fitting(program.args, compiled), list(keywords)
    return lambda values: (tuple(values[0][place] for place in args), {name: values[1][name] for name in kwargs})


def _static(program: Program) -> tuple[set[int], set[str]]:
    """The static positions and keywords; as in `jax.jit`, each implies the other through the signature."""
    import inspect

    count = len(program.args)
    own_positions, own_names = own_statics(program.fn)
    positions = {*program.static_positions, *(place % count for place in own_positions if -count <= place < count)}
    names = {*program.static_argnames, *own_names}
    try:
        parameters = list(inspect.signature(program.fn).parameters)
    except (TypeError, ValueError):
        return positions, names
    positions |= {number for number, name in enumerate(parameters[:count]) if name in names}
    names |= {parameters[number] for number in positions if number < len(parameters)}
    return positions, names


def _fitting(args: tuple[Any, ...], compiled: Any) -> list[int]:
    """The only choice of arguments with the types a compiled program takes; arrays are never static."""
    expected, possible = compiled.args_info[0], []
    for places in itertools.combinations(range(len(args)), len(expected)):
        left_out = [arg for place, arg in enumerate(args) if place not in places]
        if all(map(_may_be_static, left_out)) and _types(tuple(args[place] for place in places)) == _types(expected):
            possible.append(list(places))
    if len(possible) != 1:
        raise UsageError(
            "it cannot be told which arguments of the jitted function are static",
            "say so with --static-argnums or --static-argnames",
        )
    return possible[0]


def _may_be_static(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return not isinstance(value, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def _types(tree: Any) -> tuple[Any, list[Any]]:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(leaf.shape, leaf.dtype) if hasattr(leaf, "dtype") else _of_scalar(leaf) for leaf in leaves]


def _of_scalar(value: Any) -> Any:
    try:
        return (), jax.dtypes.canonicalize_dtype(jax.numpy.result_type(value))
    except TypeError:
        return None
