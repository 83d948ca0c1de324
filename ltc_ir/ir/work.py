"""The arithmetic of a jaxpr's equations by their shapes: what one run of each computes, reads and writes.

| counted as | operations | flops |
|---|---|---|
| ``dot_general`` | ``dot_general`` | 2 m n k for each element of the batch |
| ``conv`` | ``conv_general_dilated`` | 2 for each output element, tap of the kernel and input feature of its group |
| ``elementwise`` | add, sub, mul, div, neg, abs, max, min, ... on floating-point numbers | 1 for each output element |
| ``reductions`` | sums, products, maxima, minima, cumulative ones | input elements less output elements |

Transcendental functions (exp, log, sin, tanh, sqrt, pow, ...) stand apart, 1 for each output element, as XLA has them apart.
Comparisons, selections, conversions, random bits and integer arithmetic are no flops. A complex number counts as one.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import jax.numpy as jnp

_ELEMENTWISE = """
    abs add add_any clamp conj div imag max min mul neg
    nextafter real rem round floor ceil sign square sub integer_pow
"""
ELEMENTWISE = frozenset(_ELEMENTWISE.split())
_TRANSCENDENTAL = """
    acos acosh asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt cos cosh digamma erf erf_inv erfc exp exp2 expm1
    igamma igammac lgamma log log1p logistic pow polygamma regularized_incomplete_beta rsqrt sin sinh sqrt tan tanh zeta
"""
TRANSCENDENTAL = frozenset(_TRANSCENDENTAL.split())
REDUCTIONS = frozenset({"reduce_sum", "reduce_prod", "reduce_max", "reduce_min"})
CUMULATIVE = frozenset({"cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"})


def of_equation(eqn: Any) -> Counter[str]:
    """The flops of one run of an equation by kind, its ``transcendentals`` and its ``bytes``; of a call or a loop none."""
    name = eqn.primitive.name
    made: Counter[str] = Counter()
    outputs = [variable.aval for variable in eqn.outvars if hasattr(variable.aval, "shape")]
    inputs = [variable.aval for variable in eqn.invars if hasattr(variable.aval, "shape")]
    made["bytes"] = sum(_bytes(aval) for aval in (*inputs, *outputs))
    if not outputs or not _is_inexact(outputs[0]):
        return made
    size = _size(outputs[0])
    if name == "dot_general":
        contracted, _ = eqn.params["dimension_numbers"]
        made["dot_general"] = 2 * size * math.prod(inputs[0].shape[axis] for axis in contracted[0])
    elif name == "conv_general_dilated":
        made["conv"] = 2 * size * _taps(eqn.params["dimension_numbers"].rhs_spec, inputs[1].shape)
    elif name in ELEMENTWISE:
        made["elementwise"] = size
    elif name in TRANSCENDENTAL:
        made["transcendentals"] = size
    elif name in REDUCTIONS:
        made["reductions"] = _size(inputs[0]) - size
    elif name in CUMULATIVE:
        made["reductions"] = size - size // max(1, outputs[0].shape[eqn.params["axis"]])
    return made


def _taps(kernel: Any, shape: Any) -> int:
    """The products for each output element: a kernel's size without its output features (its first dimension)."""
    return math.prod(shape[axis] for axis in kernel[1:])


def _is_inexact(aval: Any) -> bool:
    return bool(jnp.issubdtype(aval.dtype, jnp.inexact))


def _size(aval: Any) -> int:
    return math.prod(size for size in aval.shape if isinstance(size, int))


def _bytes(aval: Any) -> int:
    return _size(aval) * int(getattr(aval.dtype, "itemsize", 0))
