"""The arithmetic of a jaxpr's equations by their shapes: what one run of each computes, reads and writes.

| counted as | operations | flops |
|---|---|---|
| ``dot_general`` | ``dot_general`` | 2 m n k for each element of the batch, in whatever type they are added |
| ``dot_general`` | ``ragged_dot_general`` | 2 for each element of the left side and free column of the right |
| ``conv`` | ``conv_general_dilated`` | 2 for each pair of an input and a kernel element that are multiplied |
| ``elementwise`` | add, sub, mul, div, neg, abs, max, min, ... on floating-point numbers | 1 for each output element |
| ``elementwise`` | ``polynomial`` | a product and a sum for each coefficient but the first |
| ``elementwise`` | ``one_minus_square`` | 3: JAX computes (1 + x) (1 - x) |
| ``reductions`` | sums, products, maxima, minima, cumulative ones | input elements less output elements |
| ``reductions`` | those over a sliding window | taps less 1 for each output element |
| ``reductions`` | what a scatter or a ``select_and_scatter_add`` adds, multiplies, ... | 1 for each update |
| ``factorizations``, ``iterative``, ``fft`` | ``cholesky``, ``eigh``, ``fft``, ... | see `linalg_flops` |

Padding of a convolution and zeros that a dilation inserts are not multiplied. Transcendental functions (exp, log, sin, tanh,
sqrt, pow, ...) are counted separately, 1 for each output element, as in XLA. Comparisons (a sort's, too), selections,
conversions, random bits, integer arithmetic and data movement are not flops; products of integers are, where their sum is a
floating-point number. A complex number counts as one, except in ``fft``. Any other operation on floating-point numbers counts
as no flops and is named, above all an unknown primitive.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax.numpy as jnp

from ltc_ir import compat
from ltc_ir.execution import linalg_flops
from ltc_ir.execution.linalg_flops import Formula, Signature

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


def of_equation(eqn: Any, used: Collection[int] | None = None) -> Amounts:
    """The amounts of one run of an equation; a call or a loop adds nothing to its contents.

    Args:
        eqn: the equation.
        used: the identities of the variables that its jaxpr uses; ``None``: all. A ``qr`` whose Q is not used does not form it.
    """
    results = [variable for variable in eqn.outvars if hasattr(variable.aval, "shape")]
    outputs = [variable.aval for variable in results]
    inputs = [variable.aval for variable in eqn.invars if hasattr(variable.aval, "shape")]
    amounts = Amounts(Counter(bytes=sum(_bytes(aval) for aval in (*inputs, *outputs))))
    if not any(_is_inexact(aval) for aval in (*inputs, *outputs)) or _is_free(eqn):
        return amounts
    name = _name(eqn)
    kind, formula = _FORMULAS.get(name, ("", _no_formula))
    flops = formula(
        Signature(eqn.params, inputs, outputs, [used is None or id(variable) in used for variable in results])
    )
    if flops is None:
        amounts.left_out[name] = 1
    else:
        amounts.by_kind[kind] = max(0, flops)
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


def _no_formula(_eqn: Signature) -> None:
    return None


def _each_output(eqn: Signature) -> int:
    return _size(eqn.outputs[0])


def _one_minus_square(eqn: Signature) -> int:
    return 3 * _size(eqn.outputs[0])


def _polynomial(eqn: Signature) -> int:
    """By Horner's rule, as JAX documents it: a product and a sum for each coefficient but the first."""
    return 2 * _size(eqn.outputs[0]) * (len(eqn.inputs) - 2)


def _dot(eqn: Signature) -> int:
    contracted, _ = eqn.params["dimension_numbers"]
    return 2 * _size(eqn.outputs[0]) * _product(eqn.inputs[0].shape[axis] for axis in contracted[0])


def _ragged_dot(eqn: Signature) -> int:
    """Each element of the left side meets one group's row of the right, whichever dimension is the ragged one."""
    numbers = eqn.params["ragged_dot_dimension_numbers"]
    (_, contracted), (_, batch) = numbers.dot_dimension_numbers
    bound = {*contracted, *batch, *numbers.rhs_group_dimensions}
    right = eqn.inputs[1].shape
    return 2 * _size(eqn.inputs[0]) * _product(size for axis, size in enumerate(right) if axis not in bound)


class Axis(NamedTuple):
    """One spatial axis of a convolution: lengths, and how positions in the dilated image follow from indices."""

    image: int
    kernel: int
    output: int
    stride: int
    image_dilation: int
    kernel_dilation: int
    padding: int


def _conv(eqn: Signature) -> int:
    """Products of input elements with kernel elements: those in space, times batch, input features and output features."""
    params, (image, kernel) = eqn.params, eqn.inputs[:2]
    numbers = params["dimension_numbers"]
    batch, _, *image_axes = numbers.lhs_spec
    features_out, features_in, *kernel_axes = numbers.rhs_spec
    products = int(image.shape[batch]) // int(params["batch_group_count"])
    products *= int(kernel.shape[features_out]) * int(kernel.shape[features_in])
    for position, axes in enumerate(zip(image_axes, kernel_axes, numbers.out_spec[2:], strict=True)):
        sizes = (avals.shape[axis] for avals, axis in zip((image, kernel, eqn.outputs[0]), axes, strict=True))
        strides = (params[name][position] for name in ("window_strides", "lhs_dilation", "rhs_dilation"))
        padding = params["padding"][position][0]
        products *= products_along(Axis._make(map(int, (*sizes, *strides, padding))))
    return 2 * products


def products_along(axis: Axis) -> int:
    """How many pairs of an output position and a kernel element meet an image element along one axis.

    Output position i and kernel element k meet what is at i stride + k kernel_dilation - padding in the dilated image.
    The shorter of the two lengths is walked; along the other one the pairs are an arithmetic progression.
    """
    last = (axis.image - 1) * axis.image_dilation
    walked, progression = (axis.kernel, axis.kernel_dilation), (axis.output, axis.stride)
    if axis.output < axis.kernel:
        walked, progression = progression, walked
    starts = (number * walked[1] - axis.padding for number in range(walked[0]))
    return sum(_multiples_within(start, *progression, axis.image_dilation, last) for start in starts)


def _multiples_within(start: int, length: int, step: int, divisor: int, last: int) -> int:
    """How many of ``start + i step`` for i below ``length`` are multiples of ``divisor`` from 0 to ``last``."""
    common = math.gcd(step, divisor)
    if start % common:
        return 0
    period = divisor // common
    first = (-start // common) * pow(step // common, -1, period) % period
    low, high = max(0, -(start // step)), min(length - 1, (last - start) // step)
    low += (first - low) % period
    return max(0, (high - low) // period + 1)


def _reduced(eqn: Signature) -> int:
    return _size(eqn.inputs[0]) - _size(eqn.outputs[0])


def _cumulated(eqn: Signature) -> int:
    size = _size(eqn.outputs[0])
    return size - size // max(1, int(eqn.outputs[0].shape[eqn.params["axis"]]))


def _windowed(eqn: Signature) -> int:
    return _size(eqn.outputs[0]) * (_product(eqn.params["window_dimensions"]) - 1)


def _scattered(eqn: Signature) -> int:
    return _size(eqn.inputs[2])


def _select_and_scattered(eqn: Signature) -> int:
    return _size(eqn.inputs[0])


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
    **linalg_flops.FORMULAS,
}


_LINALG_KINDS = dict.fromkeys(kind for kind, _ in linalg_flops.FORMULAS.values())
KINDS = ("dot_general", "conv", "elementwise", "reductions", *_LINALG_KINDS)
"""The kinds of flops, in reading order."""


def _is_inexact(aval: Any) -> bool:
    return bool(jnp.issubdtype(aval.dtype, jnp.inexact))


def _size(aval: Any) -> int:
    return _product(size for size in aval.shape if isinstance(size, int))


def _product(sizes: Iterable[Any]) -> int:
    return math.prod(int(size) for size in sizes)


def _bytes(aval: Any) -> int:
    return _size(aval) * int(getattr(aval.dtype, "itemsize", 0))
