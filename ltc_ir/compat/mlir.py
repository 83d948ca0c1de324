"""JAX's MLIR bindings: the context that stored files are read in, and locations, whose classes differ between versions."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from typing import Any

MOST_FRAMES = 10_000
"""Places visited of one location at most: nested call sites can name more than fit in memory, in a few lines of text."""
MOST_REMEMBERED = 1_000_000
"""Frames of callers remembered at a time: nested call sites without end have as many as there are pairs of them."""


def private(module: str, name: str) -> Any:
    """An attribute of a private module; ``None`` where this JAX has none."""
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return None


@lru_cache(maxsize=1)
def mlir_ir() -> Any:
    """JAX's own MLIR bindings."""
    return importlib.import_module("jaxlib.mlir.ir")


def mlir_context() -> Any:
    """A context that knows all dialects JAX writes and takes operations of unknown ones as they are; needs no JAX.

    The bindings' own class loads everything linked in, therefore its base is made, as JAX does. The registry moved from
    ``register_jax_dialects`` to ``_jax_mlir_ext`` after 0.6.x; the ``mpmd`` dialect came later still.
    """
    ir = mlir_ir()
    context = ir.Context.__base__()
    registry = ir.DialectRegistry()
    for library in ("_jax_mlir_ext", "register_jax_dialects"):
        register = private(f"jaxlib.mlir._mlir_libs.{library}", "register_dialects")
        if register is not None:
            register(registry)
            break
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    for library, name in _DIALECTS:
        register = private(f"jaxlib.mlir._mlir_libs.{library}", name)
        if register is not None:
            register(context)
    context.allow_unregistered_dialects = True
    return context


_DIALECTS = (
    ("_sdy", "register_dialect"),
    ("_sdyMpmd", "register_dialect"),
    ("_mlirHlo", "register_mhlo_dialect"),
    ("_chlo", "register_dialect"),
    ("_stablehlo", "register_dialect"),
)


def read_artifact(context: Any, data: bytes) -> Any:
    """The module of a StableHLO portable artifact.

    Raises:
        ValueError: the data is not an artifact; MLIR's own message went to the context's diagnostic handlers.
    """
    stablehlo = importlib.import_module("jaxlib.mlir._mlir_libs._stablehlo")
    return stablehlo.deserialize_portable_artifact(context, data)


RawFrame = tuple[str, int, str]
"""A frame as a location holds it: file, line, function."""
Frames = tuple[RawFrame, ...]


class LocationReader:
    """Reads MLIR locations: an operation's name and its frames, outermost first; a caller shared by many is read once.

    Call sites nest on both sides. The location of an operation that a library makes in a loop's body is
    ``callsite(callsite(library at body) at callsite(loop at program))``: the frames of the callee are inside the caller's.

    Newer bindings have a class per kind of location, older ones a single class with predicates (asking a location of another
    kind for its ``name_str`` ends the process on 0.6.x, so the kind is checked first).
    """

    def __init__(self) -> None:
        ir = mlir_ir()
        typed = hasattr(ir, "NameLoc")
        self.is_name = _kind_of(ir.NameLoc) if typed else _says("is_a_name")
        self.is_file = _kind_of(ir.FileLineColLoc) if typed else _says("is_a_file")
        self.is_call = _kind_of(ir.CallSiteLoc) if typed else _says("is_a_callsite")
        self.is_fused = _kind_of(ir.FusedLoc) if typed else _says("is_a_fused")
        self.callers: dict[Any, Frames] = {}
        self.remembered = 0

    def name_of(self, location: Any) -> tuple[str | None, Any]:
        """The name an operation's location gives it, and the location of its source.

        From 0.7 on JAX may put ``closed_call:`` around ``jit(f)/jvp()/closed_call/sin``; the inner name is the whole one.
        """
        if not self.is_name(location):
            return None, location
        name, child = location.name_str, location.child_loc
        if name.endswith(":") and self.is_name(child) and f"/{name[:-1]}/" in f"/{child.name_str}/":
            return child.name_str, child.child_loc
        return name, child

    def frames(self, location: Any) -> Frames:
        """The frames of a source location, outermost first, from at most `MOST_FRAMES` of its innermost places."""
        callers: list[Any] = []
        function, location = self._bare(location)
        while self.is_call(location) and len(callers) < MOST_FRAMES:
            callers.append(location.caller)
            function, location = self._bare(location.callee)
        frames, room = self._frame(function, location), MOST_FRAMES - len(callers)
        while callers and room > 0:
            outer, visited = self._of_caller(callers.pop(), room)
            room -= visited
            frames = outer + frames
        return frames

    def _of_caller(self, caller: Any, room: int) -> tuple[Frames, int]:
        """The frames of a caller, and how many places that took: the innermost ``room`` of them are visited."""
        inner: list[Frames] = []
        pending, visited = [caller], 0
        while pending and visited < room:
            visited += 1
            place = pending.pop()
            known = self.callers.get(place.attr)
            if known is not None:
                inner.append(known)
                visited += len(known)
                continue
            function, location = self._bare(place)
            if self.is_call(location):
                pending += (location.caller, location.callee)
            else:
                inner.append(self._frame(function, location))
        frames = tuple(chain.from_iterable(reversed(inner)))
        if not pending:
            self._remember(caller.attr, frames)
        return frames, visited

    def _remember(self, key: Any, frames: Frames) -> None:
        self.remembered += 1 + len(frames)
        if self.remembered > MOST_REMEMBERED:
            self.callers.clear()
            self.remembered = 1 + len(frames)
        self.callers[key] = frames

    def _bare(self, location: Any) -> tuple[str, Any]:
        """The call site or the file position that a location is, without names around it, and the innermost such name.

        Of fused locations, the first.
        """
        function = ""
        for _ in range(MOST_FRAMES):
            if self.is_name(location):
                function, location = location.name_str, location.child_loc
            elif self.is_fused(location):
                function, location = "", location.locations[0]
            else:
                break
        return function, location

    def _frame(self, function: str, location: Any) -> Frames:
        return ((location.filename, location.start_line, function),) if self.is_file(location) else ()


def _kind_of(kind: type) -> Callable[[Any], bool]:
    return lambda location: isinstance(location, kind)


def _says(predicate: str) -> Callable[[Any], bool]:
    return lambda location: bool(getattr(location, predicate)())
