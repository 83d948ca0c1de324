"""Every JAX version difference and every private use of JAX, in one place, each with its reason and the versions it is for.

| private name | why | tried on |
|---|---|---|
| `source_info_util.Transform`, `Scope` | a name stack's string drops transforms on 0.6.x and cannot tell a scope spelled like one | 0.6.2 to 0.12.0 |
| `eqn.source_info.name_stack`, `.traceback` | an equation's phase and source stand nowhere else | 0.6.2 to 0.12.0 |
| `Transform.wrap` | replaced while lowering on 0.6.x, see `whole_names` | 0.6.2 |
| `jaxlib.mlir` | JAX exposes its lowered module in these classes only | 0.6.2 to 0.12.0 |
| `Lowered._lowering.const_args` | constants hoisted into arguments appear in no text | 0.6.2 to 0.12.0 |
| `source_info_util.register_exclusion` | keeps this tool's own frames out of debug locations | 0.6.2 to 0.12.0 |

`missing()` says which of them an unknown JAX lacks; what does not need them goes on working.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

import jax
from jax.extend import core as jax_core

OLDEST = (0, 6, 1)
NEWEST_TRIED = (0, 12)

JAXPR_TYPES: tuple[type, ...] = tuple({jax_core.Jaxpr, jax_core.ClosedJaxpr})
"""The types of a nested jaxpr in an equation's parameters; one and the same class from 0.12 on."""


def version() -> tuple[int, ...]:
    """JAX's version as integers, e.g. ``(0, 10, 2)``."""
    return tuple(int(part) for part in jax.__version__.split(".")[:3] if part.isdigit())


def names_lose_transforms() -> bool:
    """Whether location and ``op_name`` strings drop a transform that wraps no scope (0.6.x): absence then proves nothing."""
    return version() < (0, 7)


@contextmanager
def whole_names() -> Iterator[None]:
    """While open, JAX 0.6.x writes the transforms it would drop into location names; a no-op from 0.7 on.

    A transform that wraps no scope is lost in the string of a 0.6.x name stack, so a plain gradient lowers without a
    trace of AD. Newer versions print ``jvp()``; here the old class is made to. Names only: no operation changes.
    """
    if not names_lose_transforms() or Transform is None:
        yield
        return
    original = Transform.wrap

    def wrap(self: Any, stack: list[str]) -> None:
        if stack:
            original(self, stack)
        else:
            stack.append(f"{self.name}()")

    Transform.wrap = wrap
    try:
        yield
    finally:
        Transform.wrap = original


def open_jaxpr(jaxpr: Any) -> Any:
    """The jaxpr with the equations, of a closed or an open one (0.12 merged the two)."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def _private(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return None


Transform = _private("jax._src.source_info_util", "Transform")
Scope = _private("jax._src.source_info_util", "Scope")


def missing() -> list[str]:
    """The private names this JAX lacks, with what cannot be done without them."""
    wanted = {
        "jax._src.source_info_util.Transform": (Transform, "no AD phase in a jaxpr"),
        "jax._src.source_info_util.Scope": (Scope, "no name scopes in a jaxpr"),
        "jax._src.source_info_util.register_exclusion": (
            _private("jax._src.source_info_util", "register_exclusion"),
            "debug locations hold this tool's frames",
        ),
        "jaxlib.mlir.ir": (_private("jaxlib.mlir.ir", "Operation"), "no StableHLO"),
    }
    return [f"{name}: {effect}" for name, (found, effect) in wanted.items() if found is None]


def exclude_from_tracebacks(path: str) -> None:
    """Keep frames of the file or folder ``path`` out of the locations JAX writes into IR."""
    register = _private("jax._src.source_info_util", "register_exclusion")
    if register is not None:
        register(path)


def stack_elements(name_stack: Any) -> tuple[list[str], list[str]]:
    """The transforms and the scopes of a name stack, outermost first; a scope spelled like a transform stays a scope."""
    transforms, scopes = [], []
    for element in name_stack.stack:
        (transforms if isinstance(element, Transform) else scopes).append(element.name)
    return transforms, scopes


def raw_frames(traceback: Any) -> Iterator[tuple[CodeType, Callable[[], int]]]:
    """The frames of an equation's traceback, innermost first: the code, and a function that finds the line when needed."""
    codes, instructions = traceback.raw_frames()
    line_of = type(traceback).code_addr2line
    for code, instruction in zip(codes, instructions, strict=True):
        yield code, lambda c=code, i=instruction: line_of(c, i)


def hoisted_constants(lowered: Any) -> list[Any] | None:
    """The closed-over constants a lowering passes as arguments (from 0.7.2 on, where so configured); ``None`` if unknown."""
    found = getattr(getattr(lowered, "_lowering", None), "const_args", None)
    return list(found) if found is not None else ([] if version() < (0, 7, 2) else None)


def mlir_ir() -> Any:
    """JAX's own MLIR bindings."""
    return importlib.import_module("jaxlib.mlir.ir")


def location_reader() -> Callable[[Any], tuple[str | None, list[tuple[str, int, str]]]]:
    """A function from an MLIR location to its operation name and its frames ``(file, line, function)``, outermost first.

    From 0.8 the bindings have a class per kind of location, before that one class with predicates (asking a location of
    another kind for its ``name_str`` ends the process on 0.6.x, so the kind is asked first).
    """
    ir = mlir_ir()
    return _read_typed if hasattr(ir, "NameLoc") else _read_untyped


def _read_typed(location: Any) -> tuple[str | None, list[tuple[str, int, str]]]:
    ir = mlir_ir()
    name: str | None = None
    if isinstance(location, ir.NameLoc):
        name, location = location.name_str, location.child_loc
    frames: list[tuple[str, int, str]] = []
    pending = [(location, "")]
    while pending:
        here, function = pending.pop()
        if isinstance(here, ir.FileLineColLoc):
            frames.append((here.filename, here.start_line, function))
        elif isinstance(here, ir.NameLoc):
            pending.append((here.child_loc, here.name_str))
        elif isinstance(here, ir.CallSiteLoc):
            pending += [(here.callee, ""), (here.caller, "")]
        elif isinstance(here, ir.FusedLoc) and here.locations:
            pending.append((here.locations[0], function))
    return name, frames


def _read_untyped(location: Any) -> tuple[str | None, list[tuple[str, int, str]]]:
    name: str | None = None
    if location.is_a_name():
        name, location = location.name_str, location.child_loc
    frames: list[tuple[str, int, str]] = []
    pending = [(location, "")]
    while pending:
        here, function = pending.pop()
        if here.is_a_file():
            frames.append((here.filename, here.start_line, function))
        elif here.is_a_name():
            pending.append((here.child_loc, here.name_str))
        elif here.is_a_callsite():
            pending += [(here.callee, ""), (here.caller, "")]
        elif here.is_a_fused() and here.locations:
            pending.append((here.locations[0], function))
    return name, frames
