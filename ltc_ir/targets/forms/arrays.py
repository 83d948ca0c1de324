"""Splits arguments into arrays, which are traced, and all else, which the function keeps: functions, names, settings."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import jax
import numpy as np

from ltc_ir.errors import NOTES
from ltc_ir.targets.forms.graph_nodes import is_graph_node
from ltc_ir.targets.target import Program

_MOST_NAMED = 3


def is_shape(leaf: Any) -> bool:
    """Whether an argument has a shape and no value."""
    return isinstance(leaf, jax.ShapeDtypeStruct)


def is_array(leaf: Any) -> bool:
    """Whether JAX traces a leaf: an array, a shape, a number, a random key, or what makes an array of itself."""
    if isinstance(leaf, bool | int | float | complex) or hasattr(leaf, "__jax_array__"):
        return True
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and hasattr(leaf, "shape") and getattr(dtype, "kind", "") not in {"O", "U", "S", "M", "m"}


def is_inexact(leaf: Any) -> bool:
    """Whether a leaf can be differentiated: a floating-point or complex array or number."""
    if isinstance(leaf, float | complex):
        return True
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and bool(jax.numpy.issubdtype(dtype, jax.numpy.inexact))


@dataclass
class _Part:
    """A leaf in two: what is traced of it, and what makes it whole again.

    ``traced`` is ``None`` where it is static, an array itself, or a dictionary of what is traced of an object's attributes.
    """

    traced: Any
    whole: Callable[[Any], Any]
    statics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Copy:
    """A copy of a user's object that a function was called on, and the arrays it had then."""

    value: Any
    before: dict[str, Any]

    def changed(self) -> list[Any]:
        """The arrays that the function has put into it."""
        after = jax.tree.leaves(dict(vars(self.value)))
        known = {id(leaf) for leaf in jax.tree.leaves(self.before)}
        return [leaf for leaf in after if is_array(leaf) and id(leaf) not in known and isinstance(leaf, jax.Array)]


def split(tree: Any, name: str, copies: list[_Copy]) -> _Part:
    """A tree in two; objects that are no tree to JAX and hold arrays are copied, never changed.

    Args:
        tree: any value.
        name: what the tree is called in the names of its statics.
        copies: where the copies that ``whole`` makes are put.
    """
    structure: Any
    paths, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_graph_node)
    parts = [_part(leaf, name + jax.tree_util.keystr(path), copies) for path, leaf in paths]

    def whole(traced: Any) -> Any:
        pieces = structure.flatten_up_to(traced)
        return structure.unflatten([part.whole(piece) for part, piece in zip(parts, pieces, strict=True)])

    statics = {key: value for part in parts for key, value in part.statics.items()}
    return _Part(structure.unflatten([part.traced for part in parts]), whole, statics)


def _part(leaf: Any, name: str, copies: list[_Copy]) -> _Part:
    if is_array(leaf) or is_graph_node(leaf):
        return _Part(leaf, lambda traced: traced)
    if not _holds_arrays(leaf):
        return _Part(None, lambda _: leaf, {name: leaf})
    attributes = {key: split(value, f"{name}.{key}", copies) for key, value in vars(leaf).items()}
    attributes = {key: part for key, part in attributes.items() if jax.tree.leaves(part.traced)}

    def whole(traced: Any) -> Any:
        twin = copy.copy(leaf)
        for key, part in attributes.items():
            object.__setattr__(twin, key, part.whole(traced[key]))
        copies.append(_Copy(twin, dict(vars(twin))))
        return twin

    return _Part({key: part.traced for key, part in attributes.items()}, whole, {f"{name} (its other fields)": leaf})


def _holds_arrays(leaf: Any) -> bool:
    """Whether an object that is no tree to JAX has attributes with arrays in them: a plain dataclass, a plain class."""
    if (
        isinstance(leaf, type | ModuleType)
        or callable(getattr(leaf, "__code__", None))
        or not hasattr(leaf, "__dict__")
    ):
        return False
    return any(map(_is_value, jax.tree.leaves(dict(vars(leaf)))))


def _is_value(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def of_arrays(program: Program) -> Program:
    """The program as a function of arrays alone; the same program where it is one already."""
    static = program.static_positions
    copies: list[_Copy] = []
    named = [(number, value) for number, value in enumerate(program.args) if number not in static]
    parts: dict[Any, _Part] = {number: split(value, f"argument {number}", copies) for number, value in named}
    for key, value in program.kwargs.items():
        if key not in program.static_argnames:
            parts[key] = split(value, key, copies)
    statics = {key: value for part in parts.values() for key, value in part.statics.items()}
    if not statics:
        return program
    fn = _on_arrays(program.fn, parts, copies)
    args = tuple(parts[number].traced if number in parts else value for number, value in enumerate(program.args))
    kwargs = {key: parts[key].traced if key in parts else value for key, value in program.kwargs.items()}
    _note(program, [key for key in statics if "(its other" not in key])
    return replace(program, fn=fn, args=args, kwargs=kwargs, values=_values(program), kept=statics)


def _values(program: Program) -> Any:
    """What makes the arrays of the arguments that a target makes; ``None`` where it makes none."""
    make = program.values
    if make is None:
        return None

    def values() -> Any:
        args, kwargs = make()
        return tuple(split(arg, "", []).traced for arg in args), {
            key: split(kwargs[key], "", []).traced for key in kwargs
        }

    return values


def _on_arrays(fn: Callable[..., Any], parts: dict[Any, _Part], copies: list[_Copy]) -> Callable[..., Any]:
    """The function on arrays: it makes the arguments whole, and returns what is an array, and what it changed."""

    @functools.wraps(fn, updated=())
    def on_arrays(*args: Any, **kwargs: Any) -> Any:
        copies.clear()
        whole = [parts[number].whole(arg) if number in parts else arg for number, arg in enumerate(args)]
        output = fn(*whole, **{key: parts[key].whole(arg) if key in parts else arg for key, arg in kwargs.items()})
        arrays = jax.tree.map(lambda leaf: leaf if is_array(leaf) else None, output, is_leaf=is_graph_node)
        changed = [leaf for one in copies for leaf in one.changed()]
        return (arrays, changed) if changed else arrays

    return on_arrays


def _note(program: Program, statics: list[str]) -> None:
    if not statics:
        return
    name = getattr(program.fn, "__name__", "the function")
    more = f" and {len(statics) - _MOST_NAMED} more" if len(statics) > _MOST_NAMED else ""
    NOTES[f"{name}: static are {', '.join(statics[:_MOST_NAMED])}{more} (not arrays)"] = None


def inexact_gradient(
    fn: Callable[..., Any], numbers: tuple[int, ...], single: bool, has_aux: bool
) -> Callable[..., Any]:
    """The gradient with respect to the inexact leaves of some arguments; the other leaves keep their values."""

    @functools.wraps(fn, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        part = split([args[number] for number in numbers], "", [])
        structure: Any
        leaves, structure = jax.tree.flatten(part.traced)
        places = [place for place, leaf in enumerate(leaves) if is_inexact(leaf)]

        def placed(values: list[Any], others: list[Any]) -> Any:
            filled = dict(zip(places, values, strict=True))
            return structure.unflatten([filled.get(place, leaf) for place, leaf in enumerate(others)])

        def of_inexact(values: list[Any]) -> Any:
            whole = part.whole(placed(values, leaves))
            replaced = dict(zip((number % len(args) for number in numbers), whole, strict=True))
            return fn(*(replaced.get(number, arg) for number, arg in enumerate(args)), **kwargs)

        result = jax.grad(of_inexact, has_aux=has_aux)([leaves[place] for place in places])
        trees = placed(result[0] if has_aux else result, [None] * len(leaves))
        gradients = trees[0] if single else tuple(trees)
        return (gradients, result[1]) if has_aux else gradients

    return gradient


def leaves_of(tree: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of an argument with their paths, those in objects that are no tree to JAX included."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(split(tree, "", []).traced):
        yield jax.tree_util.keystr(path), leaf
