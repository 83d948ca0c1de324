"""The arithmetic of a jaxpr's equations by their shapes: what one run of each computes, reads and writes.

| counted as | operations | flops |
|---|---|---|
| ``dot_general`` | ``dot_general`` | 2 m n k for each element of the batch |
| ``dot_general`` | ``ragged_dot_general`` | 2 for each element of the left side and free column of the right |
| ``conv`` | ``conv_general_dilated`` | 2 for each output element, tap of the kernel and input feature of its group |
| ``elementwise`` | add, sub, mul, div, neg, abs, max, min, ... on floating-point numbers | 1 for each output element |
| ``elementwise`` | ``polynomial`` | a product and a sum for each coefficient but the first |
| ``elementwise`` | ``one_minus_square`` | 3: JAX computes (1 + x) (1 - x) |
| ``reductions`` | sums, products, maxima, minima, cumulative ones | input elements less output elements |
| ``reductions`` | those over a sliding window | taps less 1 for each output element |
| ``reductions`` | what a scatter or a ``select_and_scatter_add`` adds, multiplies, ... | 1 for each update |

Transcendental functions (exp, log, sin, tanh, sqrt, pow, ...) are counted separately, 1 for each output element, as in XLA.
Comparisons, selections, conversions, random bits, integer arithmetic and data movement are not flops. A complex number counts
as one. Any other operation on floating-point numbers counts as no flops and is named, above all an unknown primitive.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

from ltc_ir import compat

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
CUMULATIVE = frozenset({"cumsum", "cumprod", "cummax", "cummin"})
WINDOWED = frozenset({"reduce_window_sum", "reduce_window_max", "reduce_window_min"})
SCATTERS = frozenset({"scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max"})
_FREE = """
    eq ne lt le gt ge eq_to le_to lt_to is_finite select_n argmax argmin sort top_k approx_top_k select_and_gather_add
    convert_element_type bitcast_convert_type reduce_precision complex
    broadcast_in_dim concatenate copy dynamic_slice dynamic_update_slice gather iota pad reshape rev slice split squeeze
    stack tile transpose unstack zeros_like empty empty2
    all_gather all_gather_invariant all_gather_reduced all_to_all pbroadcast pgather ppermute ragged_all_to_all pvary
    device_put layout_constraint mesh_cast reshard sharding_constraint infeed outfeed
    empty_ref free_ref freeze get mutable_array new_ref swap
    debug_print inspect_sharding name optimization_barrier stop_gradient
"""
FREE = frozenset(_FREE.split())
"""The primitives that compute nothing: they compare, select, convert, move or print. None is listed on a guess."""


@dataclass
class Amounts:
    """Amounts by kind, with ``transcendentals`` and ``bytes``; ``left_out`` counts the runs of unknown operations."""

    by_kind: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, other: Amounts, times: int = 1) -> None:
        """Add amounts that ran ``times`` times."""
        for mine, theirs in ((self.by_kind, other.by_kind), (self.left_out, other.left_out)):
            for name, number in theirs.items():
                mine[name] += number * times


def of_equation(eqn: Any) -> Amounts:
    """The amounts of one run of an equation; a call or a loop adds nothing to its contents."""
    outputs = [variable.aval for variable in eqn.outvars if hasattr(variable.aval, "shape")]
    inputs = [variable.aval for variable in eqn.invars if hasattr(variable.aval, "shape")]
    amounts = Amounts(Counter(bytes=sum(_bytes(aval) for aval in (*inputs, *outputs))))
    if not any(_is_inexact(aval) for aval in (*inputs, *outputs)) or _is_free(eqn):
        return amounts
    name = _name(eqn)
    if name in _FORMULAS:
        kind, formula = _FORMULAS[name]
        amounts.by_kind[kind] = max(0, formula(eqn.params, inputs, outputs))
    else:
        amounts.left_out[name] = 1
    return amounts


def _name(eqn: Any) -> str:
    """A primitive's name; of a ``call_hi_primitive``, which wraps others from JAX 0.12 on, that of the wrapped one."""
    primitive = eqn.params.get("_prim")
    return str(eqn.primitive.name) if primitive is None else f"{eqn.primitive.name}[{type(primitive).__name__}]"


def _is_free(eqn: Any) -> bool:
    """Whether an equation computes nothing; a ``scatter`` does where it holds a function that does."""
    if eqn.primitive.name == "scatter":
        update = compat.open_jaxpr(eqn.params.get("update_jaxpr"))
        return not getattr(update, "eqns", ())
    kind = type(eqn.params.get("_prim"))
    return eqn.primitive.name in FREE or (kind.__name__ == "SearchSorted" and kind.__module__.startswith("jax."))


Avals = Sequence[Any]
Formula = Callable[[Mapping[str, Any], Avals, Avals], int]
"""The figure of an equation from its parameters, operands and results."""


def _each_output(_params: Mapping[str, Any], _inputs: Avals, outputs: Avals) -> int:
    return _size(outputs[0])


def _one_minus_square(_params: Mapping[str, Any], _inputs: Avals, outputs: Avals) -> int:
    return 3 * _size(outputs[0])


def _polynomial(_params: Mapping[str, Any], inputs: Avals, outputs: Avals) -> int:
    """By Horner's rule, as JAX documents it: a product and a sum for each coefficient but the first."""
    return 2 * _size(outputs[0]) * (len(inputs) - 2)


def _dot(params: Mapping[str, Any], inputs: Avals, outputs: Avals) -> int:
    contracted, _ = params["dimension_numbers"]
    return 2 * _size(outputs[0]) * _product(inputs[0].shape[axis] for axis in contracted[0])


def _ragged_dot(params: Mapping[str, Any], inputs: Avals, _outputs: Avals) -> int:
    """Each element of the left side meets one group's row of the right, whichever dimension is the ragged one."""
    numbers = params["ragged_dot_dimension_numbers"]
    (_, contracted), (_, batch) = numbers.dot_dimension_numbers
    bound = {*contracted, *batch, *numbers.rhs_group_dimensions}
    return 2 * _size(inputs[0]) * _product(size for axis, size in enumerate(inputs[1].shape) if axis not in bound)


def _conv(params: Mapping[str, Any], inputs: Avals, outputs: Avals) -> int:
    """The products for each output element are a kernel's size without its output features (its first dimension)."""
    kernel = params["dimension_numbers"].rhs_spec[1:]
    return 2 * _size(outputs[0]) * _product(inputs[1].shape[axis] for axis in kernel)


def _reduced(_params: Mapping[str, Any], inputs: Avals, outputs: Avals) -> int:
    return _size(inputs[0]) - _size(outputs[0])


def _cumulated(params: Mapping[str, Any], _inputs: Avals, outputs: Avals) -> int:
    size = _size(outputs[0])
    return size - size // max(1, int(outputs[0].shape[params["axis"]]))


def _windowed(params: Mapping[str, Any], _inputs: Avals, outputs: Avals) -> int:
    return _size(outputs[0]) * (_product(params["window_dimensions"]) - 1)


def _scattered(_params: Mapping[str, Any], inputs: Avals, _outputs: Avals) -> int:
    return _size(inputs[2])


def _select_and_scattered(_params: Mapping[str, Any], inputs: Avals, _outputs: Avals) -> int:
    return _size(inputs[0])


_FORMULAS: Mapping[str, tuple[str, Formula]] = {
    "dot_general": ("dot_general", _dot),
    "ragged_dot_general": ("dot_general", _ragged_dot),
    "conv_general_dilated": ("conv", _conv),
    "one_minus_square": ("elementwise", _one_minus_square),
    "polynomial": ("elementwise", _polynomial),
    "select_and_scatter_add": ("reductions", _select_and_scattered),
    **dict.fromkeys(ELEMENTWISE, ("elementwise", _each_output)),
    **dict.fromkeys(TRANSCENDENTAL, ("transcendentals", _each_output)),
    **dict.fromkeys(REDUCTIONS, ("reductions", _reduced)),
    **dict.fromkeys(CUMULATIVE, ("reductions", _cumulated)),
    **dict.fromkeys(WINDOWED, ("reductions", _windowed)),
    **dict.fromkeys(SCATTERS, ("reductions", _scattered)),
}


def _is_inexact(aval: Any) -> bool:
    return bool(jnp.issubdtype(aval.dtype, jnp.inexact))


def _size(aval: Any) -> int:
    return _product(size for size in aval.shape if isinstance(size, int))


def _product(sizes: Iterable[Any]) -> int:
    return math.prod(int(size) for size in sizes)


def _bytes(aval: Any) -> int:
    return _size(aval) * int(getattr(aval.dtype, "itemsize", 0))
