"""Opens a program until JAX can trace it: what is bound, what a library's own jit hands to JAX, what is not an array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ltc_ir.errors import UsageError
from ltc_ir.targets.forms import arrays, binding, graph_nodes, library_jits
from ltc_ir.targets.forms.kinds import has_own_stages
from ltc_ir.targets.target import Program

Step = Callable[[Program], Program | None]


def opened(program: Program) -> Program:
    """The same program as a function and arguments that JAX traces; what is jitted already is used as it is.

    Raises:
        UsageError: the function has an own ``lower`` and neither ``trace`` nor a known jit inside.
    """
    if not (program.static_argnums or program.static_argnames):
        program = _followed(program, (*binding.STEPS, library_jits.handed_to_jax, library_jits.mapped))
        if has_own_stages(program.fn):
            return program
        _refuse_without_trace(program)
    program = arrays.of_arrays(program)
    if graph_nodes.are_in(program):
        return _followed(graph_nodes.with_their_jit(program), (library_jits.handed_to_jax,))
    return program


def _followed(program: Program, steps: tuple[Step, ...]) -> Program:
    """The program after as many steps as apply, the first that applies first."""
    while True:
        followed = next((result for step in steps if (result := step(program)) is not None), None)
        if followed is None:
            return program
        program = replace(followed, unopened=program.unopened or program)


def _refuse_without_trace(program: Program) -> None:
    """Refuse a function that lowers itself and shows no jaxpr: under another jit it would be another program."""
    fn = program.fn
    if callable(getattr(fn, "lower", None)) and not hasattr(fn, "trace"):
        name = getattr(fn, "__name__", type(fn).__name__)
        raise UsageError(
            f"{name} has a lower method and no trace method, so its jaxpr is not available",
            "save its StableHLO and count the file: open('f.mlir', 'w').write(f.lower(*args).as_text(debug_info=True))",
        )
