"""Flops of products, convolutions, factorizations and transforms: formulas worked out by hand, brute force, and XLA."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import pytest
from jax import lax

import ltc_ir
from ltc_ir.execution.flops import Axis, products_along
from ltc_ir.records.count import Work

pytestmark = pytest.mark.versions

S, F = jax.ShapeDtypeStruct, jnp.float32
SQUARE, TALL, WIDE, BATCH = S((12, 12), F), S((9, 6), F), S((6, 9), F), S((5, 6, 6), F)
SEQUENCE = ("NWC", "WIO", "NWC")
PICTURE = ("NHWC", "HWIO", "NHWC")


def work(fn: Any, *args: Any) -> Work:
    made = ltc_ir.count(fn, args=args, programs=["forward"], levels=["jaxpr"], executed=True)
    return made.programs["forward"]["jaxpr"].executed.work


def by_xla(fn: Any, *args: Any) -> float:
    costs = jax.jit(fn).lower(*args).compile().cost_analysis()
    return (costs[0] if isinstance(costs, list) else costs)["flops"]


def conv(**options: Any) -> Any:
    options = {"window_strides": (1,), "padding": "VALID", "dimension_numbers": SEQUENCE} | options
    return lambda x, w: lax.conv_general_dilated(x, w, **options)


def gradient(fn: Any, argument: int) -> Any:
    """The gradient alone: the sum of a convolution has a gradient that does not need its value."""
    return jax.grad(lambda *args: fn(*args).sum(), argument)


def solve_triangular(**options: Any) -> Any:
    return lambda a, b: lax.linalg.triangular_solve(a, b, **options)


def qr(mode: str) -> Any:
    return lambda a: jnp.linalg.qr(a, mode=mode)


def svd(**options: Any) -> Any:
    return lambda a: jnp.linalg.svd(a, **options)


X, W = S((1, 30, 2), F), S((3, 2, 5), F)

BY_HAND = {
    "a product": (lambda a, b: a @ b, (TALL, WIDE), "dot_general", 2 * 9 * 6 * 9),
    "a product of half precision, added in single": (
        lambda a, b: lax.dot(a, b, preferred_element_type=F), (S((9, 6), jnp.bfloat16), S((6, 4), jnp.bfloat16)),
        "dot_general", 2 * 9 * 6 * 4,
    ),
    "a product of integers, added in single": (
        lambda a, b: lax.dot(a, b, preferred_element_type=F), (S((9, 6), jnp.int8), S((6, 4), jnp.int8)),
        "dot_general", 2 * 9 * 6 * 4,
    ),
    "a product of integers": (
        lambda a, b: lax.dot(a, b, preferred_element_type=jnp.int32), (S((9, 6), jnp.int8), S((6, 4), jnp.int8)),
        "dot_general", 0,
    ),
    "a batch of products": (lambda a: jnp.einsum("bij,bkj->bik", a, a), (BATCH,), "dot_general", 5 * 2 * 6**3),
    "a strided convolution": (conv(window_strides=(3,)), (X, W), "conv", 2 * 10 * 3 * 2 * 5),
    "its gradient of the image": (gradient(conv(window_strides=(3,)), 0), (X, W), "conv", 600),
    "its gradient of the kernel": (gradient(conv(window_strides=(3,)), 1), (X, W), "conv", 600),
    "a convolution of its own size": (conv(padding="SAME"), (X, W), "conv", 2 * (3 * 30 - 2) * 2 * 5),
    "its gradient": (gradient(conv(padding="SAME"), 0), (X, W), "conv", 2 * (3 * 30 - 2) * 2 * 5),
    "a convolution that cuts its image": (conv(padding=[(-3, -3)]), (X, W), "conv", 2 * 22 * 3 * 2 * 5),
    "a convolution of nothing but padding": (conv(padding=[(4, 4)]), (S((1, 0, 2), F), W), "conv", 0),
    "a dilated image": (conv(lhs_dilation=(2,), padding=[(0, 0)]), (X, W), "conv", 2 * (29 * 2 + 28 * 1) * 2 * 5),
    "a dilated kernel": (conv(rhs_dilation=(4,)), (X, W), "conv", 2 * (30 - 8) * 3 * 2 * 5),
    "groups of features": (
        conv(feature_group_count=4), (S((2, 10, 8), F), S((3, 2, 12), F)), "conv", 2 * 2 * 8 * 3 * 2 * 12,
    ),
    "groups of a batch": (
        conv(batch_group_count=4), (S((8, 10, 3), F), S((3, 3, 12), F)), "conv", 2 * 2 * 8 * 3 * 3 * 12,
    ),
    "a picture": (
        conv(window_strides=(2, 1), padding=[(1, 0), (0, 2)], dimension_numbers=PICTURE),
        (S((2, 7, 8, 3), F), S((3, 2, 3, 4), F)), "conv",
        2 * 2 * (3 * 3 - 1) * (9 * 2 - 3) * 3 * 4,
    ),
    "cholesky": (jnp.linalg.cholesky, (SQUARE,), "factorizations", 12**3 // 3),
    "cholesky of a batch": (jnp.linalg.cholesky, (BATCH,), "factorizations", 5 * 6**3 // 3),
    "lu": (lambda a: lax.linalg.lu(a)[0], (SQUARE,), "factorizations", 2 * 12**3 // 3),
    "lu of a tall matrix": (lambda a: lax.linalg.lu(a)[0], (TALL,), "factorizations", 9 * 36 - 72),
    "lu of a wide matrix": (lambda a: lax.linalg.lu(a)[0], (WIDE,), "factorizations", 9 * 36 - 72),
    "a triangular solve": (
        solve_triangular(left_side=True), (SQUARE, S((12, 5), F)), "factorizations", 144 * 5,
    ),
    "a triangular solve from the right": (
        solve_triangular(left_side=False), (SQUARE, S((5, 12), F)), "factorizations", 144 * 5,
    ),
    "solve": (jnp.linalg.solve, (SQUARE, S((12, 5), F)), "factorizations", 2 * 12**3 // 3 + 2 * 144 * 5),
    "a tridiagonal solve": (
        lambda d, b: lax.linalg.tridiagonal_solve(d, d, d, b), (S((8,), F), S((8, 3), F)),
        "factorizations", 3 * 7 + 3 * (7 * 2 + 8 + 7 * 2),
    ),
    "r alone": (qr("r"), (TALL,), "factorizations", 2 * 9 * 36 - 2 * 72),
    "thin q and r": (qr("reduced"), (TALL,), "factorizations", 2 * (2 * 9 * 36 - 2 * 72)),
    "whole q and r": (
        qr("complete"), (TALL,), "factorizations", (2 * 9 * 36 - 2 * 72) + (4 * 81 * 6 - 4 * 9 * 36 + 4 * 72),
    ),
    "q and r of a wide matrix": (
        qr("reduced"), (WIDE,), "factorizations", (2 * 9 * 36 - 2 * 72) + (4 * 6**3 - 4 * 6**3 + 4 * 72),
    ),
    "reflectors": (qr("raw"), (TALL,), "factorizations", 2 * 9 * 36 - 2 * 72),
    "reflectors multiplied": (
        lax.linalg.householder_product, (S((9, 6), F), S((6,), F)), "factorizations", 2 * 9 * 36 - 2 * 72,
    ),
    "hessenberg": (lambda a: lax.linalg.hessenberg(a)[0], (SQUARE,), "factorizations", 10 * 12**3 // 3),
    "tridiagonal": (lambda a: lax.linalg.tridiagonal(a)[0], (SQUARE,), "factorizations", 4 * 12**3 // 3),
    "a symmetric product": (
        lax.linalg.symmetric_product, (TALL, S((9, 9), F)), "factorizations", 9 * 10 * 6,
    ),
    "eigh": (jnp.linalg.eigh, (SQUARE,), "iterative", 9 * 12**3),
    "eigenvalues alone": (jnp.linalg.eigvalsh, (SQUARE,), "iterative", 4 * 12**3 // 3),
    "eig": (jnp.linalg.eig, (SQUARE,), "iterative", 79 * 12**3 // 3),
    "eigvals": (jnp.linalg.eigvals, (SQUARE,), "iterative", 10 * 12**3),
    "schur": (jsl.schur, (SQUARE,), "iterative", 25 * 12**3),
    "svd": (svd(), (TALL,), "iterative", 4 * 81 * 6 + 8 * 9 * 36 + 9 * 216),
    "thin svd": (svd(full_matrices=False), (TALL,), "iterative", 14 * 9 * 36 + 8 * 216),
    "thin svd of a wide matrix": (svd(full_matrices=False), (WIDE,), "iterative", 14 * 9 * 36 + 8 * 216),
    "singular values": (svd(compute_uv=False), (TALL,), "iterative", 4 * 9 * 36 - 4 * 72),
    "fft": (jnp.fft.fft, (S((3, 16), jnp.complex64),), "fft", 3 * 5 * 16 * 4),
    "fft of real numbers": (jnp.fft.rfft, (S((3, 16), F),), "fft", 3 * 5 * 16 * 4 // 2),
    "inverse fft to real numbers": (jnp.fft.irfft, (S((3, 9), jnp.complex64),), "fft", 3 * 5 * 16 * 4 // 2),
    "fft of two axes": (jnp.fft.fft2, (S((4, 8), jnp.complex64),), "fft", 5 * 32 * 5),
    "fft of an odd length": (jnp.fft.fft, (S((7,), jnp.complex64),), "fft", round(5 * 7 * math.log2(7))),
}  # fmt: skip


@pytest.mark.parametrize("what", BY_HAND)
def test_by_hand(what):
    fn, args, kind, flops = BY_HAND[what]
    made = work(fn, *args)
    assert made.flops.get(kind, 0) == flops
    assert made.in_no_flops == {}


def test_products_along_an_axis_are_those_found_one_by_one():
    """Each output position and kernel element, for 4,000 random axes."""
    rng = random.Random(0)
    for _ in range(4000):
        image, kernel, output = rng.randint(0, 9), rng.randint(1, 7), rng.randint(0, 9)
        stride, padding = rng.randint(1, 5), rng.randint(-4, 5)
        inserted, spread = rng.randint(1, 6), rng.randint(1, 5)
        positions = [i * stride + k * spread - padding for i, k in itertools.product(range(output), range(kernel))]
        expected = sum(at % inserted == 0 and 0 <= at // inserted < image for at in positions)
        assert products_along(Axis(image, kernel, output, stride, inserted, spread, padding)) == expected


def test_a_long_axis_is_not_walked():
    """An image and a kernel as long as a hundred thousand elements: the pairs would be ten thousand million."""
    long = 100_000
    assert products_along(Axis(long, long, long, 1, 1, 1, long // 2)) == 3 * long**2 // 4


SAME_AS_XLA = {
    what: (fn, args) for what, (fn, args, kind, _) in BY_HAND.items()
    if kind == "conv" and "nothing" not in what and "cuts" not in what
} | {
    "a product": (lambda a, b: a @ b, (TALL, WIDE)),
    "a matrix and a vector": (lambda a, b: a @ b, (SQUARE, S((12,), F))),
    "a chain of products": (lambda a, b: a @ b @ a, (TALL, WIDE)),
    "a gradient of a product": (jax.grad(lambda a, b: (a @ b).sum(), (0, 1)), (TALL, WIDE)),
    "elementwise": (lambda a: a * a + a / (a - 2.0), (SQUARE,)),
    "a depthwise convolution": (
        conv(feature_group_count=8, padding="SAME"), (S((2, 10, 8), F), S((3, 1, 8), F))
    ),
    "a transposed convolution": (lambda x, w: lax.conv_transpose(x, w, (3,), "SAME"), (X, W)),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME_AS_XLA)
def test_as_xla_counts_it(what):
    fn, args = SAME_AS_XLA[what]
    made = work(fn, *args)
    assert made.total_flops == by_xla(fn, *args) > 0
    assert made.in_no_flops == {}


LEFT_OUT = {
    "left eigenvectors": (
        lambda a: lax.linalg.eig(a, compute_left_eigenvectors=True), (SQUARE,), {"eig": 1},
    ),
    "an update of a factorization": (
        lambda a: lax.linalg.cholesky_update(a, a[0]), (SQUARE,), {"cholesky_update": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_has_no_formula_is_named(what):
    fn, args, names = LEFT_OUT[what]
    assert work(fn, *args).in_no_flops == names


def test_order_is_no_flop():
    made = work(lambda x: (jnp.sort(x), jnp.argsort(x)), S((64,), F))
    assert (made.flops, made.in_no_flops) == ({}, {})


def test_a_factorization_in_a_loop():
    def step(a: Any, _: None) -> Any:
        return jnp.linalg.cholesky(a), None

    made = work(lambda a: lax.scan(step, a, None, length=7)[0], SQUARE)
    assert made.flops["factorizations"] == 7 * 12**3 // 3
