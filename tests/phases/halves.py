"""What each half of a gradient consists of, by tracing the halves apart: shares nothing with ltc_ir.

The first half is the trace of `jax.vjp`, with the pullback among its results; the second is the trace of that pullback. What a
gradient has besides is in neither: so the first half is all of its forward phase, and the second all of the rest.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax
from jax.interpreters import partial_eval

from tests.oracles import jaxprs_within
from tests.phases.programs import Function, Specimen


def forward_half(specimen: Specimen) -> Any:
    """The jaxpr of the first half: the value, auxiliary values and residuals of a specimen."""
    return jax.jit(_first_half(specimen)).trace(*specimen.args).jaxpr


def backward_half(specimen: Specimen) -> Any:
    """The jaxpr of the second half: the gradient by residuals and a cotangent."""
    value, pullback = jax.eval_shape(_first_half(specimen), *specimen.args)[:2]
    return jax.jit(lambda pull, cotangent: pull(cotangent)).trace(pullback, value).jaxpr


def run_again(function: Function, args: tuple[Any, ...], argnums: int = 0) -> Any:
    """The jaxpr of what a checkpointed function runs again: its first half, but what only its value needs."""
    specimen = Specimen(function, args, argnums)
    closed = jax.jit(lambda *args: _first_half(specimen)(*args)[1]).trace(*args).jaxpr
    opened = getattr(closed, "jaxpr", closed)
    return partial_eval.dce_jaxpr(opened, [True] * len(opened.outvars))[0]


def _first_half(specimen: Specimen) -> Any:
    numbers = (specimen.argnums,) if isinstance(specimen.argnums, int) else specimen.argnums

    def first_half(*args: Any) -> Any:
        def of_differentiated(*chosen: Any) -> Any:
            whole = list(args)
            for number, value in zip(numbers, chosen, strict=True):
                whole[number] = value
            return specimen.function(*whole)

        return jax.vjp(of_differentiated, *(args[number] for number in numbers), has_aux=specimen.has_aux)

    return first_half


def equations(jaxpr: Any) -> Counter[str]:
    """How many equations of each primitive a jaxpr has, nested ones included, each once per use."""
    opened = getattr(jaxpr, "jaxpr", jaxpr)
    counter = Counter(equation.primitive.name for equation in opened.eqns)
    for equation in opened.eqns:
        for nested in jaxprs_within(list(equation.params.values())):
            counter += equations(nested)
    return counter
