"""Test programs for what JAX computes on: number types, library operations, several devices, hand-written kernels."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from tests.registry import Made, matrix, program, vector

# types


@program()
def small_types() -> Made:
    """int4 and bfloat16."""

    def f(i: Any, x: Any) -> Any:
        return i.astype(jnp.int8) + jnp.int8(1), x * 2 + x.astype(jnp.float32).astype(jnp.bfloat16)

    return f, (jnp.array([1, 2, -3], jnp.int4), vector().astype(jnp.bfloat16))


@program(x64=True)
def double_precision() -> Made:
    """f64 and i64, with a scalar constant of each."""
    return lambda x, i: (jnp.sin(x) + 0.1, i * 3), (jnp.arange(3.0), jnp.arange(3))


@program()
def complex_numbers() -> Made:
    return lambda x: (x * (1 + 2j)).conj() / (jnp.abs(x) + 1), (vector().astype(jnp.complex64),)


@program()
def closed_over_constant() -> Made:
    """An array of 4 KiB that is no argument."""
    table = jnp.asarray(np.random.default_rng(0).random((32, 32)), jnp.float32)
    return lambda x: x @ table, (vector(32),)


# library operations


@program()
def scatter_gather_sort() -> Made:
    """Operations with regions of their own: scatter, sort, argsort."""

    def f(x: Any) -> Any:
        at = jnp.array([2, 0, 2])
        return x.at[at].add(x), x[at], jnp.sort(x), jnp.argsort(-x)

    return f, (vector(),)


@program(grad=True)
def pooling_grad() -> Made:
    """reduce_window and its transpose, select_and_scatter."""

    def f(x: Any) -> Any:
        return lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID").sum()

    return jax.grad(f), (matrix(4),)


@program(grad=True)
def convolution_grad() -> Made:
    def f(w: Any, x: Any) -> Any:
        return lax.conv(x, w, (1, 1), "SAME").sum()

    return jax.grad(f), (jnp.ones((2, 1, 2, 2)), matrix(4)[None, None])


@program()
def beyond_stablehlo() -> Made:
    """erf and top_k: operations of another dialect, or none, by version."""
    return lambda x: (lax.erf(x), lax.top_k(x, 2), lax.erf_inv(x / 4)), (vector(),)


@program()
def transforms_and_factors() -> Made:
    """fft and cholesky: a custom call on the CPU."""
    return lambda a: (jnp.abs(jnp.fft.rfft(a)), jnp.linalg.cholesky(a)), (matrix(4),)


@program()
def cumulative() -> Made:
    """Prefix sums, and a reduction over a tuple."""
    return lambda x: (jnp.cumsum(x), jnp.argmax(x), jnp.median(x)), (vector(),)


@program()
def random_keys() -> Made:
    """Typed keys: extended types in the jaxpr, plain integers below."""

    def f(key: Any) -> Any:
        left, right = jax.random.split(key)
        return jax.random.normal(left, (3,)) + jax.random.uniform(right, (3,))

    return f, (jax.random.key(0),)


@program(grad=True)
def ode_grad() -> Made:
    """JAX's own adaptive solver: whiles in a scan, custom_vjp, closure conversion."""
    from jax.experimental.ode import odeint

    def f(x: Any) -> Any:
        return odeint(lambda y, t, w: -w * jnp.sin(y), x, jnp.array([0.0, 1.0]), 0.5).sum()

    return jax.grad(f), (vector(),)


# several devices


def _mesh() -> Mesh:
    return Mesh(np.array(jax.devices()[:4]), ("d",))


def _shard_map(fn: Any, mesh: Mesh, specs: Any, out: Any) -> Any:
    if hasattr(jax, "shard_map"):
        return jax.shard_map(fn, mesh=mesh, in_specs=specs, out_specs=out)
    from jax.experimental.shard_map import shard_map as old

    return old(fn, mesh=mesh, in_specs=specs, out_specs=out)


def _all_reduced(a: Any, b: Any) -> Any:
    return lax.psum(a @ b, "d")


@program(devices=4)
def shard_map() -> Made:
    """A matrix product summed over four devices by hand."""
    mesh = _mesh()
    return _shard_map(_all_reduced, mesh, (P(None, "d"), P("d", None)), P()), (jnp.ones((4, 8)), jnp.ones((8, 4)))


@program(devices=4, grad=True)
def shard_map_grad() -> Made:
    f = _shard_map(_all_reduced, _mesh(), (P(None, "d"), P("d", None)), P())
    return jax.grad(lambda a, b: jnp.sin(f(a, b)).sum()), (jnp.ones((4, 8)), jnp.ones((8, 4)))


@program(devices=4)
def automatic_sharding() -> Made:
    """A matrix product whose sum over devices only the compiler adds: its all-reduce stands in HLO alone."""
    mesh = _mesh()
    columns, rows, whole = (NamedSharding(mesh, spec) for spec in (P(None, "d"), P("d", None), P()))
    f = jax.jit(lambda a, b: jnp.sin(a @ b), in_shardings=(columns, rows), out_shardings=whole)
    return f, (jax.device_put(jnp.ones((4, 8)), columns), jax.device_put(jnp.ones((8, 4)), rows))


# kernels


def _kernel(x: Any, y: Any, out: Any) -> None:
    out[...] = jnp.sin(x[...]) + y[...]


def _added(**options: Any) -> Made:
    """One kernel on a grid of two blocks."""
    x = jnp.ones((16, 128))
    block = pl.BlockSpec((8, 128), lambda i: (i, 0))
    f = pl.pallas_call(
        _kernel,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        grid=(2,),
        in_specs=[block, block],
        out_specs=block,
        **options,
    )
    return f, (x, x)


@program()
def pallas_interpreted() -> Made:
    """A kernel run as ordinary operations, with a loop over its grid."""
    return _added(interpret=True)


@program(platform="tpu", compiles=False)
def pallas_tpu() -> Made:
    """A kernel for the TPU: in the jaxpr its equations, in StableHLO one custom call."""
    return _added()


@program(platform="cuda", compiles=False, max_jax=(0, 6, 2))
def pallas_cuda() -> Made:
    """A kernel for the GPU; newer versions ask for the GPU itself to lower it."""
    return _added()


@program(platform="cuda", compiles=False)
def cuda_lowering() -> Made:
    """A program lowered for a platform that is not here."""
    return lambda a: jnp.linalg.cholesky(a) @ a, (matrix(),)
