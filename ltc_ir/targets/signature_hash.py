"""What a target declares, hashed: argument types and shardings, static values, argnums, loss. Never source or closures."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from ltc_ir.records import element_types
from ltc_ir.targets.target import Program, Target

_ADDRESS = re.compile(r"(?: at)? 0x[0-9a-f]+")
_LONGEST = 96
"""Characters of a static value that are shown; a hash stands for the rest."""
_MOST_SHOWN = 12
"""Argument types that are shown; a hash stands for all of them."""


def declaration(target: Target, name: str, program: Program) -> tuple[str, str]:
    """The hash of a program's declaration, and its argument types in short for reading: ``f32[8,8] f32[8]``."""
    lines = [f"program {name}", *_arguments(program)]
    if name not in target.programs:
        lines += _derivation(target, name)
    types = [_type(leaf) for _, leaf in _leaves((program.args, dict(program.kwargs)))]
    rest = f" … and {len(types) - _MOST_SHOWN} more" if len(types) > _MOST_SHOWN else ""
    text = "\n".join(lines).encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=12).hexdigest(), " ".join(types[:_MOST_SHOWN]) + rest


def _arguments(program: Program) -> Iterator[str]:
    statics = program.static_positions
    for position, argument in enumerate(program.args):
        yield from _static(str(position), argument) if position in statics else _traced(str(position), argument)
    for keyword, argument in sorted(program.kwargs.items()):
        yield from _static(keyword, argument) if keyword in program.static_argnames else _traced(keyword, argument)
    for path, value in program.kept.items():
        yield from _static(path, value)


def _derivation(target: Target, name: str) -> Iterator[str]:
    if name in {"loss", "grad"}:
        yield f"loss {target.loss if isinstance(target.loss, str) or target.loss is None else _called(target.loss)}"
    if name == "grad":
        yield f"argnums {target.argnums}"
        yield f"has_aux {target.has_aux}"


def options(target: Target, name: str) -> dict[str, str]:
    """What a target declares of a derived program besides its arguments, each by name: the loss, argnums, has_aux."""
    if name in target.programs:
        return {}
    return {name: value for name, _, value in (line.partition(" ") for line in _derivation(target, name))}


def own_statics(fn: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The positions and the names that a function's own `jax.jit` keeps static, as its caller counts them."""
    from ltc_ir import compat

    positions, names = compat.statics_of(getattr(fn, "inner_jit", getattr(fn, "__func__", fn)))
    if not inspect.ismethod(fn):
        return positions, names
    parameters = inspect.signature(fn).parameters
    return tuple(number - (number > 0) for number in positions if number), tuple(
        name for name in names if name in parameters
    )


def statics(program: Program) -> dict[str, str]:
    """The values of static arguments by parameter, those that the function's own `jax.jit` keeps so included."""
    positions, names = own_statics(program.fn)
    number = len(program.args)
    static = {*program.static_positions, *(place % number for place in positions if -number <= place < number)}
    parameters = _parameters(program.fn)
    values = {
        parameters[position] if position < len(parameters) else str(position): _value(program.args[position])
        for position in sorted(static)
    }
    values |= {path: _value(value) for path, value in program.kept.items()}
    named = {*program.static_argnames, *names}
    return values | {name: _value(program.kwargs[name]) for name in sorted(program.kwargs) if name in named}


def _parameters(fn: Callable[..., Any]) -> list[str]:
    """The names of a function's positional parameters, as far as they are fixed."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


def _value(value: Any) -> str:
    """A static value on one line; a long one as its beginning and a hash."""
    text = _called(value) if callable(value) else _ADDRESS.sub("", repr(value))
    text = " ".join(text.split())
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… {hashlib.blake2b(text.encode(errors='surrogatepass'), digest_size=4).hexdigest()}"


def _static(where: str, value: Any) -> Iterator[str]:
    yield f"{where} static {_called(value) if callable(value) else _ADDRESS.sub('', repr(value))}"


def _called(fn: Callable[..., Any]) -> str:
    """A function by its name: its code may change, that is what is guarded."""
    return f"{getattr(fn, '__module__', '')}:{getattr(fn, '__qualname__', type(fn).__name__)}"


def _traced(where: str, argument: Any) -> Iterator[str]:
    for path, leaf in _leaves(argument):
        yield f"{where}{path} {_type(leaf)}{_sharding(leaf)}"


def _leaves(tree: Any) -> list[tuple[str, Any]]:
    import jax

    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


def _type(leaf: Any) -> str:
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return type(leaf).__name__
    weak = "*" if getattr(leaf, "weak_type", False) else ""
    return f"{element_types.of_dtype(dtype)}[{','.join(map(str, getattr(leaf, 'shape', ())))}]{weak}"


def _sharding(leaf: Any) -> str:
    """How an argument lies on a mesh; of one that is on a single device, nothing."""
    sharding = getattr(leaf, "sharding", None)
    mesh = getattr(sharding, "mesh", None)
    if mesh is None or not getattr(mesh, "size", 0):
        return ""
    return f" on {dict(mesh.shape)} as {getattr(sharding, 'spec', '')}"
