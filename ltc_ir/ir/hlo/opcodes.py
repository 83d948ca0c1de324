"""The opcodes of XLA's table (hlo_opcode.h), which nothing that Python reaches lists, and how many operands each takes."""

from __future__ import annotations

_NONE = "iota partition-id replica-id rng-get-and-update-state"
_ONE = """
abs acos acosh all-gather-done all-reduce-done asin asinh async-done async-update atanh bitcast bitcast-convert broadcast cbrt
ceil cholesky collective-permute-done convert copy copy-done copy-start cosh cosine count-leading-zeros domain erf exponential
exponential-minus-one fft floor get-dimension-size get-tuple-element imag infeed is-finite log log-plus-one logistic negate not
opt-barrier popcnt real recv recv-done reduce-precision reshape reverse rng-bit-generator round-nearest-afz round-nearest-even
rsqrt send-done sign sine sinh slice sqrt tan tanh topk transpose while
"""
_TWO = """
add add-dependency and atan2 compare complex convolution divide gather maximum minimum multiply or outfeed pad power remainder
send set-dimension-size shift-left shift-right-arithmetic shift-right-logical stochastic-convert subtract triangular-solve xor
"""
_THREE = "batch-norm-training clamp select select-and-scatter"
_FIVE = "batch-norm-grad batch-norm-inference"
_ANY = """
after-all all-gather all-gather-start all-reduce all-reduce-start all-to-all async-start call collective-broadcast
collective-permute collective-permute-start concatenate conditional constant custom-call dot dynamic-reshape dynamic-slice
dynamic-update-slice fusion map parameter ragged-all-to-all ragged-dot reduce reduce-scatter reduce-window rng scaled-dot scan
scatter sort tuple
"""

OPERANDS: dict[str, int | None] = {
    opcode: number
    for number, opcodes in ((0, _NONE), (1, _ONE), (2, _TWO), (3, _THREE), (5, _FIVE), (None, _ANY))
    for opcode in opcodes.split()
}
"""How many operands an opcode has, ``None`` where that differs; XLA's parser takes no other opcode and no other number."""

_CALLING = """
all-reduce all-reduce-start async-done async-start async-update call conditional custom-call fusion map reduce reduce-scatter
reduce-window scan scatter select-and-scatter sort topk while
"""
CALLING = frozenset(_CALLING.split())
"""The opcodes that call computations; their asynchronous forms do as well."""

_ASYNCHRONOUS = {"-start": None, "-update": 1, "-done": 1}


def number_of_operands(opcode: str) -> int | None:
    """How many operands an opcode takes; ``None`` where that differs. Any opcode has asynchronous forms, ``fusion-start``.

    Raises:
        KeyError: XLA has no such opcode.
    """
    if opcode in OPERANDS:
        return OPERANDS[opcode]
    base, dash, step = opcode.rpartition("-")
    if base not in OPERANDS:
        raise KeyError(opcode)
    return _ASYNCHRONOUS[dash + step]
