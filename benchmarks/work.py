"""Flops where the true number is known: of what ran, beside XLA's and JAX's own figures, which count a loop's body once."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import ltc_ir
from benchmarks.common import NO_BOUND, Result

SIZE = 8


def scanned(steps: int) -> Callable[..., Any]:
    """Matrix-vector products in a scan."""
    return lambda a, x: lax.scan(lambda c, _: (a @ c, None), x, None, length=steps)[0]


def unrolled(steps: int) -> Callable[..., Any]:
    """The same products, written one after the other."""

    def f(a: Any, x: Any) -> Any:
        for _ in range(steps):
            x = a @ x
        return x

    return f


def until(steps: int) -> Callable[..., Any]:
    """The same products in a while that ends by value: once the sum of the vector is what so many of them make it."""
    limit = np.float32(SIZE * 2.0 ** (steps - 1))
    return lambda a, x: lax.while_loop(lambda c: c.sum() <= limit, lambda c: a @ c, x)


def benchmark(*, quick: bool = False) -> list[Result]:
    """The lines of flops in the report: each counts the products and, in the while, the sums that its condition makes."""
    steps = 10 if quick else 100
    products = 2 * SIZE * SIZE * steps
    sums = (SIZE - 1) * (steps + 1)
    return [
        *of_program(f"{steps} matrix-vector products, unrolled", unrolled(steps), products),
        *of_program(f"{steps} matrix-vector products in a scan", scanned(steps), products),
        *of_program(f"{steps} matrix-vector products in a while", until(steps), products + sums),
    ]


def of_program(name: str, fn: Callable[..., Any], true: int) -> list[Result]:
    """Each way's flops of one program beside the number there are."""
    args = (jnp.full((SIZE, SIZE), 2.0 / SIZE), jnp.ones(SIZE))
    made = ltc_ir.count(fn, args=args, programs=["forward"], levels=["jaxpr"], executed=True)
    executed = made.programs["forward"]["jaxpr"].executed
    assert executed is not None and executed.work is not None
    bound = f"exactly {true:,}"
    return [
        Result(f"{name}: flops by count --executed", _of(executed.work.total_flops, true), bound, executed.how),
        Result(
            f"{name}: flops by XLA's cost_analysis", _of(xla_flops(fn, args), true), NO_BOUND, "of the compiled program"
        ),
        Result(
            f"{name}: flops by jax.experimental.roofline", _of(roofline_flops(fn, args), true), NO_BOUND, "of the jaxpr"
        ),
    ]


def _of(flops: float | None, true: int) -> str:
    return "unknown" if flops is None else f"{flops:,.0f} of {true:,}"


def xla_flops(fn: Callable[..., Any], args: Any) -> float | None:
    """XLA's own estimate for the compiled program."""
    found = jax.jit(fn).lower(*args).compile().cost_analysis()
    first = found[0] if isinstance(found, list) else found
    return None if not first else first.get("flops")


def roofline_flops(fn: Callable[..., Any], args: Any) -> float | None:
    """JAX's experimental roofline of the jaxpr; ``None`` where it knows an operation no rule for."""
    try:
        roofline = importlib.import_module("jax.experimental.roofline").roofline
        return float(roofline(fn)(*args)[1].unfused_flops)
    except Exception:
        return None
