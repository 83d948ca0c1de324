"""What a target declares, hashed: argument types and shardings, static values, argnums, loss. Never source or closures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from ltc_ir.records import element_types
from ltc_ir.targets.target import Program, Target

_ADDRESS = re.compile(r"(?: at)? 0x[0-9a-f]+")
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


def _derivation(target: Target, name: str) -> Iterator[str]:
    if name in {"loss", "grad"}:
        yield f"loss {target.loss if isinstance(target.loss, str) or target.loss is None else _called(target.loss)}"
    if name == "grad":
        yield f"argnums {target.argnums}"
        yield f"has_aux {target.has_aux}"


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
