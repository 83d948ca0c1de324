"""The arguments a timed program is called with: a target's own values, or its shapes filled as was asked."""

from __future__ import annotations

from typing import Any

import jax

from ltc_ir.targets.example_values import Arguments, Filling, is_shape, own_values
from ltc_ir.targets.target import Program
from ltc_ir.timing.conditions import ready

SHAPES_ALONE = (
    "running needs the arguments' values, and there are shapes alone: --fill zeros or --fill normal:SEED gives them"
)


def values_of(program: Program, fill: Filling | None, label: str) -> Arguments | None:
    """The arguments of a program, every shape among them filled; ``None`` where there are shapes and nothing to fill them.

    Raises:
        TargetError: the target's own maker of values failed.
    """
    given = own_values(program, label) if fill is None else (program.args, dict(program.kwargs))
    leaves, tree = jax.tree.flatten(given)
    if fill is None and any(map(is_shape, leaves)):
        return None
    made: Arguments = jax.tree.unflatten(tree, [_placed(leaf, number, fill) for number, leaf in enumerate(leaves)])
    ready(made)
    return made


def _placed(leaf: Any, number: int, fill: Filling | None) -> Any:
    """An argument, a shape filled and laid out as it says."""
    if fill is None or not is_shape(leaf):
        return leaf
    made = fill.value(leaf, number)
    sharding = getattr(leaf, "sharding", None)
    return made if sharding is None else jax.device_put(made, sharding)
