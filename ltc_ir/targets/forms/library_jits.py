"""Opens a library's own jit: what it hands to `jax.jit`, recorded while the library lowers or traces the function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jax

from ltc_ir import compat
from ltc_ir.errors import UsageError
from ltc_ir.targets.forms.arrays import is_shape
from ltc_ir.targets.forms.kinds import slot_of
from ltc_ir.targets.stages import users_failure
from ltc_ir.targets.target import Program


class _RecordedError(Exception):
    """What a library handed to its `jax.jit` is recorded; raised so that it goes no further."""


class _Recorder:
    """Takes the place of a `jax.jit` and records what it is asked to trace or lower.

    Args:
        inner: that `jax.jit`.
        traces: whether to trace it too; else the call ends here.
    """

    def __init__(self, inner: Any, *, traces: bool) -> None:
        self.inner, self.traces = inner, traces
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.traced: Any = None

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Record the arguments, and trace."""
        self.args, self.kwargs = args, kwargs
        if not self.traces:
            raise _RecordedError
        self.traced = self.inner.trace(*args, **kwargs)
        return self.traced

    lower = trace


class LibraryJit:
    """A library's jit as JAX sees it: a function of the trees that the library makes of the user's arguments.

    The library itself traces it, which may set what its own function needs for that.
    """

    def __init__(self, outer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.outer, self.args, self.kwargs = outer, args, kwargs
        self.inner_jit = getattr(outer, str(slot_of(outer)))
        self.__name__ = getattr(outer, "__name__", type(outer).__name__)

    def trace(self, *_args: Any, **_kwargs: Any) -> Any:
        """The ``jax.stages.Traced`` inside what the library traces."""
        with _recording(self.outer, traces=True) as recorder:
            self.outer.trace(*self.args, **self.kwargs)
        return recorder.traced

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """The ``jax.stages.Lowered`` of it."""
        return self.trace(*args, **kwargs).lower()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it on the trees that the library makes."""
        return self.inner_jit(*args, **kwargs)


@contextmanager
def _recording(outer: Any, *, traces: bool) -> Iterator[_Recorder]:
    """A recorder in the place of the `jax.jit` in a library's function, for a while."""
    slot = str(slot_of(outer))
    recorder = _Recorder(getattr(outer, slot), traces=traces)
    object.__setattr__(outer, slot, recorder)  # frozen dataclasses included
    try:
        yield recorder
    finally:
        object.__setattr__(outer, slot, recorder.inner)


def handed_to_jax(program: Program) -> Program | None:
    """A function under a library's jit as the `jax.jit` that the library calls, on the trees that it hands over."""
    outer: Any = program.fn
    if slot_of(outer) is None:
        return None
    args, kwargs = _handed(outer, program.args, dict(program.kwargs))
    fn = LibraryJit(outer, program.args, dict(program.kwargs)) if hasattr(type(outer), "trace") else None
    values = program.values

    def handed_values() -> Any:
        assert values is not None
        own_args, own_kwargs = values()
        return _handed(outer, tuple(own_args), dict(own_kwargs))

    inner = fn or getattr(outer, str(slot_of(outer)))
    return replace(program, fn=inner, args=args, kwargs=kwargs, values=None if values is None else handed_values)


def _handed(outer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a library makes of these arguments for its `jax.jit`; shapes are tracers meanwhile, as it may want arrays."""
    leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=is_shape)
    places = [place for place, leaf in enumerate(leaves) if is_shape(leaf)]
    ask = outer.trace if hasattr(type(outer), "trace") else outer.lower
    shapes: dict[int, Any] = {}
    kept: list[Any] = []

    def record(tracers: list[Any]) -> None:
        for place, tracer in zip(places, tracers, strict=True):
            shapes[id(tracer)], leaves[place] = leaves[place], tracer
        kept.extend(tracers)  # an identity is that of one object only as long as it is there
        own_args, own_kwargs = jax.tree.unflatten(tree, leaves)
        ask(*own_args, **own_kwargs)

    name = getattr(outer, "__name__", type(outer).__name__)
    with users_failure(name, "trace"), _recording(outer, traces=False) as recorder:
        try:
            jax.eval_shape(record, [leaves[place] for place in places])
        except _RecordedError:
            pass
        else:
            raise UsageError(f"{name} did not call its jax.jit", "name the function inside it")
    return jax.tree.map(lambda leaf: shapes.get(id(leaf), leaf), (recorder.args, recorder.kwargs))  # type: ignore[no-any-return]


def mapped(program: Program) -> Program | None:
    """A `jax.pmap` as the `jax.jit` that it calls, on its flat arguments; ``None`` for any other function."""
    if not compat.is_mapped(program.fn):
        return None
    with users_failure(getattr(program.fn, "__name__", "the pmap"), "trace"):
        inner, flat = compat.jit_of_mapped(program.fn, program.args, dict(program.kwargs))
    return replace(program, fn=inner, args=tuple(flat), kwargs={}, values=None)
