"""The arguments a timed program is called with: a target's own values, or its shapes filled as was asked."""

from __future__ import annotations

from typing import Any

import jax

from ltc_ir.measure.calling import Arguments
from ltc_ir.measure.conditions import ready
from ltc_ir.programs.filling import Filling
from ltc_ir.programs.stages import users_failure
from ltc_ir.programs.target import Program

SHAPES_ALONE = (
    "running needs the arguments' values, and there are shapes alone: --fill zeros or --fill normal:SEED gives them"
)


def values_of(program: Program, fill: Filling | None, label: str) -> Arguments | None:
    """The arguments of a program, every shape among them filled; ``None`` where there are shapes and nothing to fill them.

    Raises:
        TargetError: the target's own maker of values failed.
    """
    if program.values is not None and fill is None:
        with users_failure(label, "make the values of"):
            args, kwargs = program.values()
        return tuple(args), dict(kwargs)
    given: Arguments = (program.args, dict(program.kwargs))
    leaves, tree = jax.tree.flatten(given)
    if fill is None and any(map(_is_shape, leaves)):
        return None
    values = [_value(leaf, number, fill) for number, leaf in enumerate(leaves)]
    made: Arguments = jax.tree.unflatten(tree, values)
    ready(made)
    return made


def _is_shape(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)


def _value(leaf: Any, number: int, fill: Filling | None) -> Any:
    if fill is None or not _is_shape(leaf):
        return leaf
    made = fill.value(leaf, number)
    sharding = getattr(leaf, "sharding", None)
    return made if sharding is None else jax.device_put(made, sharding)
