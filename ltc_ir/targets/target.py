"""What a command inspects: a Target, and the Programs it has. Nothing here imports JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PROGRAM_ORDER = ("forward", "loss", "grad", "train_step")
"""The order in which the programs of a target are made, counted and shown."""


@dataclass(frozen=True, eq=False)
class Program:
    """One function of a target, with the arguments it is traced on.

    ``args`` and ``kwargs`` are trees of arrays, ``jax.ShapeDtypeStruct`` or static values; shapes are enough, nothing is
    allocated. ``static_argnums`` and ``static_argnames`` are those of `jax.jit`. ``explain`` is asked when tracing fails: it
    raises a better error if it knows one. ``values`` makes ``(args, kwargs)`` of values where those are shapes; it is asked
    only when the program is to run. ``gradient`` says that all of the program is a gradient that the tool made. ``kept`` are
    the values in the arguments that are not arrays, by path: the function keeps them. ``unopened`` is the program as the
    user holds it, where it was opened (`ltc_ir.targets.forms`).
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    static_argnums: tuple[int, ...] = ()
    static_argnames: tuple[str, ...] = ()
    explain: Callable[[], None] | None = None
    values: Callable[[], tuple[tuple[Any, ...], Mapping[str, Any]]] | None = None
    gradient: bool = False
    kept: Mapping[str, Any] = field(default_factory=dict)
    unopened: Program | None = None

    @property
    def static_positions(self) -> frozenset[int]:
        """The static positions counted from the front, those there are."""
        count = len(self.args)
        return frozenset(number % count for number in self.static_argnums if -count <= number < count)


@dataclass(frozen=True, eq=False)
class Target:
    """A function with example arguments, and what makes a loss and a gradient of it.

    Args:
        fn: the function inspected as ``forward``; it need not be jitted.
        args: its positional arguments: a tuple of trees of arrays or ``jax.ShapeDtypeStruct``.
        kwargs: its keyword arguments.
        static_argnums: positions that are static, as in `jax.jit`.
        static_argnames: keywords that are static, as in `jax.jit`.
        has_aux: ``fn`` returns ``(output, auxiliary)``; only the output is differentiated.
        loss: ``"sum"``, ``"mean"`` or a callable from the output to a scalar; ``None`` where the output is one.
        argnums: what the gradient is taken with respect to, as in `jax.grad`.
        programs: programs given outright, by name; one of the same name as a derived one replaces it.
        name: what records call the target; the name it was found under where ``None``.
        platform: what it is lowered for where nobody says otherwise: ``cpu``, ``cuda``, ``rocm`` or ``tpu``.
        values: makes ``(args, kwargs)`` of values where those are shapes; asked only when a program is to run.
        sizes: what can be varied, by name: each makes the target, or ``(fn, args)``, at a given size.
        headline: operations of the jaxpr that lead the tables of the gradient; where empty, the largest ones do.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    static_argnums: tuple[int, ...] = ()
    static_argnames: tuple[str, ...] = ()
    has_aux: bool = False
    loss: str | Callable[[Any], Any] | None = None
    argnums: int | tuple[int, ...] = 0
    programs: Mapping[str, Program] = field(default_factory=dict)
    name: str | None = None
    platform: str | None = None
    values: Callable[[], tuple[tuple[Any, ...], Mapping[str, Any]]] | None = None
    sizes: Mapping[str, Callable[[int], Any]] = field(default_factory=dict)
    headline: tuple[str, ...] = ()
