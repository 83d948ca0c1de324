"""Programs on objects of flax NNX, which change in place: the library's own jit splits, traces and returns their state."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax

from ltc_ir.errors import NOTES
from ltc_ir.targets.target import Program


def library() -> Any:
    """The module ``flax.nnx`` where the program has imported it; ``None`` elsewhere."""
    return sys.modules.get("flax.nnx")


def is_graph_node(value: Any) -> bool:
    """Whether a value is a module, an optimiser, random numbers or a variable of NNX."""
    nnx = library()
    kinds = (getattr(nnx, name, None) for name in ("Pytree", "Object", "Variable")) if nnx is not None else ()
    return isinstance(value, tuple(kind for kind in kinds if isinstance(kind, type)))


def are_in(program: Program) -> bool:
    """Whether a program takes any, itself being one counted."""
    if library() is None:
        return False
    values = (program.args, dict(program.kwargs))
    return any(map(is_graph_node, jax.tree.leaves(values, is_leaf=is_graph_node)))


def with_their_jit(program: Program) -> Program:
    """The program under the library's jit, which a function that is not jitted needs for its changes to be seen."""
    name = getattr(program.fn, "__name__", "the function")
    NOTES[f"{name} takes flax NNX objects, so it is traced as nnx.jit({name}): the state it changes is returned"] = None
    return replace(program, fn=library().jit(program.fn))


def gradient(fn: Callable[..., Any], argnums: Any, has_aux: bool) -> Callable[..., Any]:
    """The gradient by the library's own transformation: with respect to the parameters of the objects."""
    differentiated: Callable[..., Any] = library().grad(fn, argnums=argnums, has_aux=has_aux)
    return differentiated
