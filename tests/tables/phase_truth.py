"""The AD phase of every equation of a jaxpr by plain recursion over JAX's name stacks: shares nothing with ltc_ir."""

from __future__ import annotations

from collections import Counter
from typing import Any

from jax._src.source_info_util import Transform
from jax.interpreters import partial_eval

from tests.oracles import jaxprs_within

ONE_TO_ONE = {
    "dot_general": "dot_general",
    "tanh": "tanh",
    "sin": "sine",
    "cos": "cosine",
    "exp": "exponential",
    "log": "log",
    "log1p": "log_plus_one",
    "expm1": "exponential_minus_one",
    "logistic": "logistic",
    "conv_general_dilated": "convolution",
    "transpose": "transpose",
}
"""Primitives that lower to one StableHLO operation each, which no other primitive lowers to (see `IMITATED`)."""


def phases_of(jaxpr: Any) -> dict[str, dict[str, int]]:
    """Of each primitive, how many equations each phase has, nested ones included, each once per use."""
    found: dict[str, Counter[str]] = {}
    _visit(_opened(jaxpr), frozenset(), found)
    return {name: dict(phases) for name, phases in found.items()}


def lowered_phases_of(jaxpr: Any) -> dict[str, dict[str, int]]:
    """`phases_of` what JAX lowers of a jaxpr: its dead code, which JAX removes first, left out."""
    inner = _opened(jaxpr)
    alive, _ = partial_eval.dce_jaxpr(inner, [True] * len(inner.outvars))
    return phases_of(alive)


def _opened(jaxpr: Any) -> Any:
    return getattr(jaxpr, "jaxpr", jaxpr)


def _visit(jaxpr: Any, outer: frozenset[str], found: dict[str, Counter[str]]) -> None:
    for equation in jaxpr.eqns:
        elements = equation.source_info.name_stack.stack
        inner = outer | {f"{type(element) is Transform}:{element.name}" for element in elements}
        phase = _phase(inner)
        if equation.primitive.name == "one_minus_square" and phase == "recompute":
            phase = "backward"  # only rules of derivatives make it
        found.setdefault(equation.primitive.name, Counter())[phase] += 1
        for nested in jaxprs_within(list(equation.params.values())):
            _visit(nested, inner, found)


def _phase(elements: frozenset[str]) -> str:
    if "True:transpose" in elements:
        return "recompute" if "False:rematted_computation" in elements else "backward"
    return "forward" if elements & {"True:jvp", "True:linearize"} else "primal"
