"""Gives a target another size: one it offers by name, a dimension of an argument, or a static argument."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.targets.stages import is_jitted, users_failure
from ltc_ir.targets.target import Target

_MOST_OFFERED = 8
"""Sizes a hint names at most."""


class OpenSizes:
    """The sizes that arguments may leave open: ``n`` in ``f32[n,8]``, or a parameter of what makes them."""

    def __init__(self, size: tuple[str, int] | None) -> None:
        names, self.value = ("", 0) if size is None else size
        self.left = names.split("+") if names else []
        self.taken: set[str] = set()

    def take(self, name: str) -> int | None:
        """The value of an open size; ``None`` where it is none of those that were given, as in ``n+m``."""
        if name not in self.left and name not in self.taken:
            return None
        self.left = [open_name for open_name in self.left if open_name != name]
        self.taken.add(name)
        return self.value


def resized(target: Target, size: str, value: int) -> Target:
    """The target with a size changed, under the same name.

    Args:
        target: what is to be changed.
        size: one of the target's ``sizes``; else ``x.0``, the first dimension of the argument ``x`` (``x.w.0`` of a leaf in
            it, ``x.0+y.1`` of two that belong together); else the name of a static argument, or of one whose default is
            an integer.
        value: the size it is to have.

    A resized argument is a shape: values it had are those of another size.

    Raises:
        UsageError: the target has no such size. TargetError: what the target offers for it failed.
    """
    if size in target.sizes:
        return _offered(target, size, value)
    if target.programs:
        raise _unknown(target, size)
    for part in size.split("+"):
        target = _dimension(target, part, value) if "." in part else _static(target, part, value)
    return target


def sizes_of(target: Target) -> list[str]:
    """The sizes a target can be given, those it offers by name first."""
    if target.programs:
        return [*target.sizes]
    dimensions = [
        f"{'.'.join((name, *path))}.{axis}"
        for name, argument in _arguments(target)
        for path, leaf in _leaves(argument)
        for axis in range(len(leaf.shape))
    ]
    statics = [name for name, parameter in _parameters(target).items() if _is_static(target, name, parameter)]
    return [*target.sizes, *dimensions, *statics]


def _offered(target: Target, size: str, value: int) -> Target:
    where = f"{target.name or 'target'}: {size}={value}"
    with users_failure(where, "make"):
        resized_target = target.sizes[size](value)
    if isinstance(resized_target, tuple) and len(resized_target) == 2 and callable(resized_target[0]):
        resized_target = replace(target, fn=resized_target[0], args=resized_target[1], values=None)
    if not isinstance(resized_target, Target):
        raise UsageError(
            f"{where} gave {type(resized_target).__name__}, neither a Target nor (fn, args)", "return (fn, (x,))"
        )
    return replace(resized_target, name=target.name)


def _dimension(target: Target, part: str, value: int) -> Target:
    name, *path, last = part.split(".")
    position = _position(target, name)
    if re.fullmatch(r"-?[0-9]+", last) is None or position is None:
        raise _unknown(target, part)
    argument = target.kwargs[name] if isinstance(position, str) else target.args[position]
    changed = _resized_leaf(argument, path, int(last), value)
    if changed is None:
        raise _unknown(target, part)
    if isinstance(position, str):
        return replace(target, kwargs={**target.kwargs, position: changed}, values=None)
    args = (*target.args[:position], changed, *target.args[position + 1 :])
    return replace(target, args=args, values=None)


def _resized_leaf(argument: Any, path: list[str], axis: int, value: int) -> Any:
    """The argument with one dimension of one leaf changed; ``None`` where it has no such leaf or dimension."""
    import jax

    leaves, tree = jax.tree_util.tree_flatten_with_path(argument)
    for number, (keys, leaf) in enumerate(leaves):
        shape = getattr(leaf, "shape", None)
        if [_word(key) for key in keys] == path and shape is not None and -len(shape) <= axis < len(shape):
            sizes = list(shape)
            sizes[axis] = value
            plain = [leaf for _, leaf in leaves]
            plain[number] = _shape(leaf, tuple(sizes))
            return jax.tree_util.tree_unflatten(tree, plain)
    return None


def _shape(leaf: Any, sizes: tuple[int, ...]) -> Any:
    """A shape like the leaf, of other sizes; where it lies stays only where that was said of a shape."""
    import jax

    struct: Any = jax.ShapeDtypeStruct
    sharding = getattr(leaf, "sharding", None) if isinstance(leaf, jax.ShapeDtypeStruct) else None
    return struct(sizes, leaf.dtype, sharding=sharding)


def _static(target: Target, name: str, value: int) -> Target:
    parameter = _parameters(target).get(name)
    if parameter is None:
        raise _unknown(target, name)
    position = _position(target, name)
    if not _is_static(target, name, parameter):
        if position is None:
            raise UsageError(
                f"{target.name or 'target'}: the default of {name} is no integer", _unknown(target, name).hint
            )
        raise UsageError(
            f"{target.name or 'target'}: {name} is traced, so no IR depends on its value",
            f"make it static with --static-argnames {name}, or sweep a dimension, as in {name}.0",
        )
    if isinstance(position, int):
        return replace(target, args=(*target.args[:position], value, *target.args[position + 1 :]), values=None)
    names = target.static_argnames if is_jitted(target.fn) else tuple(dict.fromkeys((*target.static_argnames, name)))
    return replace(target, kwargs={**target.kwargs, name: value}, static_argnames=names)


def _is_static(target: Target, name: str, parameter: inspect.Parameter) -> bool:
    """Whether an argument is static and a size: declared so, or left to a default that is an integer."""
    position = _position(target, name)
    if position is None:
        return isinstance(parameter.default, int) and not isinstance(parameter.default, bool)
    value = target.kwargs[name] if isinstance(position, str) else target.args[position]
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    count = len(target.args)
    numbers = {number % count for number in target.static_argnums} if count else set()
    return name in target.static_argnames or position in numbers or is_jitted(target.fn)


def _position(target: Target, name: str) -> int | str | None:
    """Where an argument is given: its place among ``args``, or its own name among ``kwargs``."""
    if name in target.kwargs:
        return name
    names = [*_parameters(target)]
    place = int(name) if re.fullmatch(r"[0-9]+", name) else names.index(name) if name in names else None
    return place if place is not None and place < len(target.args) else None


def _arguments(target: Target) -> Iterator[tuple[str, Any]]:
    names = [*_parameters(target)]
    for number, argument in enumerate(target.args):
        yield names[number] if number < len(names) else str(number), argument
    yield from target.kwargs.items()


def _leaves(argument: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    import jax

    for keys, leaf in jax.tree_util.tree_leaves_with_path(argument):
        if getattr(leaf, "shape", None):
            yield tuple(_word(key) for key in keys), leaf


def _word(key: Any) -> str:
    """A step into a tree as one writes it: a field's name, a dict's key, a place in a sequence."""
    for attribute in ("name", "key", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _parameters(target: Target) -> Mapping[str, inspect.Parameter]:
    """The function's parameters by name, as far as arguments by place go."""
    try:
        parameters = inspect.signature(target.fn).parameters
    except (TypeError, ValueError):
        return {}
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return {name: parameter for name, parameter in parameters.items() if parameter.kind not in variadic}


def _unknown(target: Target, size: str) -> UsageError:
    offered = sizes_of(target)
    names = ", ".join(offered[:_MOST_OFFERED]) + (", …" if len(offered) > _MOST_OFFERED else "")
    hint = (
        f"it has {names}" if offered else "give it some: ltc_ir.Target(…, sizes={'n': make}), where make(n) gives one"
    )
    return UsageError(f"{target.name or 'target'} has no size {size!r}", hint)
