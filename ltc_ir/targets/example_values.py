"""Values for arguments that are only shapes, so that a program can be run: zeros, or normal numbers from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltc_ir.errors import UsageError
from ltc_ir.targets.signature_hash import own_statics
from ltc_ir.targets.stages import Staged, users_failure
from ltc_ir.targets.target import Program

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional arguments and keywords."""
_HINT = "give values with --fill zeros or --fill normal:SEED, or a target whose own arguments are arrays"


class NeedsValuesError(Exception):
    """The arguments have no values to run with; says why, and what helps."""


@dataclass(frozen=True)
class Filling:
    """What shapes are filled with: ``Filling()`` zeros, ``Filling(0)`` standard normal numbers from seed 0.

    Integers and booleans are zero in both cases, random keys made of the seed (0 for zeros).
    """

    seed: int | None = None

    @property
    def text(self) -> str:
        """As it is written: ``zeros`` or ``normal:0``."""
        return "zeros" if self.seed is None else f"normal:{self.seed}"

    def value(self, shape: Any, number: int) -> Any:
        """A value for the ``number``-th argument, so that two of one shape differ."""
        dtype = shape.dtype
        if jnp.issubdtype(dtype, jax.dtypes.prng_key):
            key = jax.random.key((self.seed or 0) + number, impl=_key_kind(dtype))
            return jax.random.split(key, shape.shape) if shape.shape else key
        if self.seed is None or not jnp.issubdtype(dtype, jnp.inexact):
            return jnp.zeros(shape.shape, dtype)
        values = np.random.default_rng((self.seed, number)).standard_normal(shape.shape)
        return jnp.asarray(values, dtype)


def _key_kind(dtype: Any) -> str:
    """The kind of random keys of an element type; `jax.random.key_impl` tells it of a value only."""
    kinds = ("threefry2x32", "rbg", "unsafe_rbg")
    return next(kind for kind in kinds if jax.eval_shape(partial(jax.random.key, 0, impl=kind)).dtype == dtype)


_MOST_DIGITS = 18
"""Digits of a seed."""


def parse_filling(text: str | None) -> Filling | None:
    """The filling that ``zeros`` or ``normal:SEED`` spells.

    Raises:
        UsageError: it spells none.
    """
    if text is None:
        return None
    kind, _, seed = text.partition(":")
    if text == "zeros":
        return Filling()
    if kind == "normal" and seed.isascii() and seed.isdecimal() and len(seed) <= _MOST_DIGITS:
        return Filling(int(seed))
    raise UsageError(f"cannot fill with {text!r}", "write zeros or normal:SEED, as in normal:0")


def own_values(program: Program, label: str) -> Arguments:
    """The arguments of a program with the values that its target makes, where it makes any.

    Raises:
        TargetError: the target's own maker of values failed.
    """
    if program.values is None:
        return program.args, dict(program.kwargs)
    with users_failure(label, "make the values of"):
        args, kwargs = program.values()
    return tuple(args), dict(kwargs)


def is_shape(leaf: Any) -> bool:
    """Whether an argument has a shape and no value."""
    return isinstance(leaf, jax.ShapeDtypeStruct)


def leaves_of(staged: Staged, fill: Filling | None) -> tuple[Callable[[], list[Any]], str | None]:
    """What makes a program's arguments, flat and without static ones, anew for each run; and how shapes were filled.

    Raises:
        NeedsValuesError: an argument is a shape, and ``fill`` is ``None``; or the arguments are not told from static ones.
    """
    arguments = jax.tree.leaves(_dynamic(staged, own=fill is None))
    expected = len(staged.traced.jaxpr.in_avals)
    if len(arguments) != expected:
        raise NeedsValuesError(
            f"{len(arguments)} arguments are given and {expected} are traced: those the function's own jit takes as static "
            "are not told apart; name them with --static-argnums, or static_argnums of a Target, around the plain function"
        )
    filled = any(map(is_shape, arguments))
    if filled and fill is None:
        raise NeedsValuesError(f"measuring needs the arguments' values, and there are shapes alone; {_HINT}")

    def make() -> list[Any]:
        return [_value(leaf, number, fill) for number, leaf in enumerate(arguments)]

    return make, fill.text if filled and fill is not None else None


def _value(leaf: Any, number: int, fill: Filling | None) -> Any:
    """An argument's own value, copied as the program may be allowed to overwrite it, or one to fill it with."""
    if is_shape(leaf):
        assert fill is not None
        return fill.value(leaf, number)
    return leaf.copy() if isinstance(leaf, jax.Array) else leaf


def _dynamic(staged: Staged, *, own: bool) -> Arguments:
    """The arguments that are traced: the values that a target makes itself where it does and ``own``, else as declared."""
    program = staged.program
    args, kwargs = own_values(program, staged.label) if own else (program.args, program.kwargs)
    if not (program.static_argnums or program.static_argnames):
        positions, names = own_statics(program.fn)
        program = replace(program, static_argnums=positions, static_argnames=names)
    traced = tuple(value for number, value in enumerate(args) if number not in program.static_positions)
    return traced, {name: value for name, value in kwargs.items() if name not in program.static_argnames}
