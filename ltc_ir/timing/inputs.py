"""What a timed program is called with: a function no cache knows, its values, its shapes filled, static arguments left out."""

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
from ltc_ir.targets.stages import is_jitted, jitted
from ltc_ir.targets.target import Program
from ltc_ir.timing.conditions import ready

SHAPES_ALONE = (
    "running needs the arguments' values, and there are shapes alone: --fill zeros or --fill normal:SEED gives them"
)


def fresh_jit(program: Program) -> Any:
    """The program under `jax.jit`, made of a function object that JAX has not seen yet.

    What a function that comes jitted knows is forgotten with JAX's other caches.
    """
    return jitted(program, fresh)


def fresh(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Another function of the same code: what is remembered of one is not known of the other."""
    if isinstance(fn, MethodType) and isinstance(fn.__func__, FunctionType):
        return MethodType(fresh(fn.__func__), fn.__self__)
    if not isinstance(fn, FunctionType):
        wrapped = functools.partial(fn)
        functools.update_wrapper(wrapped, fn, updated=())
        return wrapped
    made = FunctionType(fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    made.__kwdefaults__ = fn.__kwdefaults__
    return functools.update_wrapper(made, fn, assigned=("__module__", "__qualname__", "__doc__", "__annotations__"))


def without_jit(program: Program) -> Callable[..., Any] | None:
    """The Python function of a program; ``None`` where `jax.jit` has hidden it."""
    fn: Any = program.fn
    return getattr(fn, "__wrapped__", None) if is_jitted(fn) else fn


def values_of(program: Program, fill: Filling | None, label: str) -> Arguments | None:
    """The arguments of a program, every shape among them filled; ``None`` where there are shapes and nothing to fill them.

    Raises:
        TargetError: the target's own maker of values failed.
    """
    given = own_values(program, label) if fill is None else (program.args, dict(program.kwargs))
    leaves, tree = jax.tree.flatten(given)
    if fill is None and any(map(is_shape, leaves)):
        return None
    made: Arguments = jax.tree.unflatten(tree, [_placed(leaf, number, fill) for number, leaf in enumerate(leaves)])
    ready(made)
    return made


def _placed(leaf: Any, number: int, fill: Filling | None) -> Any:
    """An argument, a shape filled and laid out as it says."""
    if fill is None or not is_shape(leaf):
        return leaf
    made = fill.value(leaf, number)
    sharding = getattr(leaf, "sharding", None)
    return made if sharding is None else jax.device_put(made, sharding)


@dataclass
class Inputs:
    """The arguments of a program's calls: one set for all of them, a copy for each call that gives its buffers away.

    Args:
        values: positional and keyword arguments, all of them values.
        donating: whether a call deletes what it is given; `note` finds out.
    """

    values: Arguments
    donating: bool = False

    def next(self) -> Arguments:
        """The arguments of the next call."""
        return _copied(self.values) if self.donating else self.values

    def trial(self) -> Arguments:
        """Copies for a first call, of which it is not known yet what it deletes."""
        return _copied(self.values)

    def note(self, given: Arguments) -> None:
        """Remember whether a call that was given these deleted any."""
        leaves = [leaf for leaf in jax.tree.leaves(given) if isinstance(leaf, jax.Array)]
        self.donating = self.donating or any(leaf.is_deleted() for leaf in leaves)


def _copied(values: Arguments) -> Arguments:
    def one(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array):
            return leaf
        # nothing is compiled for the copy, nor for its use: a function that is not jitted compiles anew for what is committed
        return jax.device_put(leaf, leaf.sharding if leaf.committed else None, may_alias=False)

    copied: Arguments = jax.tree.map(one, values)
    ready(copied)
    return copied


def picking(program: Program, compiled: Any) -> Callable[[Arguments], Arguments]:
    """What leaves out of all arguments those that a compiled program has swallowed, the static ones.

    Raises:
        UsageError: a function that came jitted has static arguments, and which they are cannot be told.
    """
    positions, names = _static(program)
    args = [position for position in range(len(program.args)) if position not in positions]
    kwargs = [name for name in program.kwargs if name not in names]
    taken, named = compiled.args_info
    if len(args) != len(taken) or set(kwargs) != set(named):
        args, kwargs = _fitting(program.args, compiled), list(named)
    return lambda values: (tuple(values[0][place] for place in args), {name: values[1][name] for name in kwargs})


def _static(program: Program) -> tuple[set[int], set[str]]:
    """The static positions and keywords; `jax.jit` takes either for the other where the signature tells."""
    import inspect

    count = len(program.args)
    positions, names = set(program.static_positions), set(program.static_argnames)
    try:
        parameters = list(inspect.signature(program.fn).parameters)
    except (TypeError, ValueError):
        return positions, names
    positions |= {number for number, name in enumerate(parameters[:count]) if name in names}
    names |= {parameters[number] for number in positions if number < len(parameters)}
    return positions, names


def _fitting(args: tuple[Any, ...], compiled: Any) -> list[int]:
    """The one choice of arguments that has the types a compiled program takes; arrays are never static."""
    wanted, possible = compiled.args_info[0], []
    for places in itertools.combinations(range(len(args)), len(wanted)):
        left_out = [arg for place, arg in enumerate(args) if place not in places]
        if all(map(_may_be_static, left_out)) and _types(tuple(args[place] for place in places)) == _types(wanted):
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
