"""Small programs of which some have a defect, with the line in which each defect stands; and how a failure is read."""

from __future__ import annotations

import inspect as python
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.experimental import pallas
from jax.interpreters import mlir
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

try:
    from jax import shard_map
except ImportError:  # JAX before 0.6.1 has it here only
    from jax.experimental.shard_map import shard_map

MOST_LINES = 12


def failure(assertion: Callable[[], None]) -> str:
    """What an assertion that must fail says, which is never long."""
    try:
        assertion()
    except AssertionError as error:
        text = str(error)
    else:
        raise RuntimeError("the assertion held")
    assert len(text.splitlines()) <= MOST_LINES, text
    return text


def line(fn: Any, fragment: str) -> str:
    """``file:line`` of the one line of a function's source that holds a fragment, as messages spell it."""
    lines, first = python.getsourcelines(python.unwrap(fn))
    [number] = [number for number, text in enumerate(lines) if fragment in text]
    return f"tests/api/assertions/programs.py:{first + number}"


def says(text: str, *words: str) -> bool:
    """Whether a message holds each of these words as a word of its own."""
    return all(re.search(rf"(?<![\w.]){re.escape(word)}(?![\w])", text) for word in words)


# 1: the primal of a rematerialised function, and its gradient, in which a barrier stands


def rematted(x):
    return jax.checkpoint(lambda y: jnp.sin(jnp.sin(y)))(x)


def with_barrier(x):
    return jax.grad(rematted)(x)  # a barrier


# 2, 12: a scan, rolled and unrolled

STEPS = np.ones(6, np.float32)


def _step(carry, x):
    return jnp.tanh(carry * x), carry


def rolled(carry, xs):
    return lax.scan(_step, carry, xs)  # a loop


def unrolled(carry, xs):
    return lax.scan(_step, carry, xs, unroll=True)


def by_hand(carry, xs):
    for x in xs:
        carry, _ = _step(carry, x)
    return carry, xs


# 3, 8, 10: programs over several devices


def mesh(number: int) -> Mesh:
    """So many of the virtual devices in a row."""
    return Mesh(np.array(jax.devices()[:number]), ("d",))


def spread(shape: tuple[int, ...], number: int) -> jax.ShapeDtypeStruct:
    """A float32 array whose first axis lies on so many devices."""
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh(number), P("d")))


def stays_put(x):
    return jnp.sin(x) * 2


def sums_all(x):
    return jnp.sin(x).sum()  # an all-reduce


def over_four(body: Callable[[Any], Any], out: P) -> Callable[[Any], Any]:
    """A function that runs a body on each of four devices."""

    def run(x):
        return shard_map(body, mesh=mesh(4), in_specs=P("d"), out_specs=out)(x)

    return run


def _reduces(block):
    return lax.psum(block, "d")


def _reduces_and_gathers(block):
    whole = lax.all_gather(block, "d", tiled=True)  # a gather
    return lax.psum(block, "d") + whole[: block.size]


reduces = over_four(_reduces, P())
reduces_and_gathers = over_four(_reduces_and_gathers, P("d"))


def _exchanges(block):
    return lax.all_to_all(block, "d", 1, 0, tiled=True)


def _exchanges_and_more(block):
    whole = lax.all_gather(block, "d", tiled=True)  # a gather
    turned = lax.ppermute(block, "d", [(0, 1), (1, 2), (2, 3), (3, 0)])  # a permutation
    return lax.all_to_all(turned * whole.sum(), "d", 1, 0, tiled=True)


exchanges = over_four(_exchanges, P(None, "d"))
exchanges_and_more = over_four(_exchanges_and_more, P(None, "d"))


# 4: a table that is passed, and one that is closed over

TABLE = np.arange(1024, dtype=np.float32)


def takes_table(x, table):
    return x + table


def holds_table(x):
    return x + jnp.asarray(TABLE)  # a constant


# 5: a gradient without and with a transposition


def squares(a):
    return (a * a).sum()


def products(a):
    return (a @ a.T).sum()  # transposed


# 6: products of quantised operands, forward and backward


def _quantised(x):
    scale = jnp.abs(x).max() / 127
    return (x / scale).astype(jnp.int8), scale


def _int8_product(a, b, axes):
    (a8, a_scale), (b8, b_scale) = _quantised(a), _quantised(b)
    dims = (((axes[0],), (axes[1],)), ((), ()))
    return lax.dot_general(a8, b8, dims, preferred_element_type=jnp.int32) * (a_scale * b_scale)


@jax.custom_vjp
def quantised_product(x, w):
    return _int8_product(x, w, (1, 0))


def _backward(kept, g):
    x, w = kept
    return _int8_product(g, w, (1, 1)), _int8_product(x, g, (0, 0))


def _half_backward(kept, g):
    x, w = kept
    return g @ w.T, _int8_product(x, g, (0, 0))


quantised_product.defvjp(lambda x, w: (quantised_product(x, w), (x, w)), _backward)


@jax.custom_vjp
def half_quantised_product(x, w):
    return _int8_product(x, w, (1, 0))


half_quantised_product.defvjp(lambda x, w: (half_quantised_product(x, w), (x, w)), _half_backward)


def layers(product: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The gradient of three layers with respect to the input and all weights."""

    def loss(x, weights):
        for weight in weights:
            x = jnp.tanh(product(x, weight))
        return x.sum()

    return jax.grad(loss, argnums=(0, 1))


LAYERS = (jax.ShapeDtypeStruct((4, 8), jnp.float32), [jax.ShapeDtypeStruct((8, 8), jnp.float32)] * 3)


# 7: a custom kernel within a checkpoint, whose result is kept or computed anew


@jax.custom_vjp
def attention(x):
    return _call(x)


def _call(x):
    return jax.ffi.ffi_call("flash_attention", x)(x)


def _attention_forward(x):
    out = checkpoint_name(_call(x), "kept")
    return out, (x, out)


def _attention_backward(kept, g):
    return (jax.ffi.ffi_call("flash_attention_grad", g)(*kept, g),)


attention.defvjp(_attention_forward, _attention_backward)


def attending(**options: Any) -> Callable[[Any], Any]:
    """Value and gradient of a checkpointed layer around the kernel; ``options`` are those of ``jax.checkpoint``."""

    def loss(x):
        return jax.checkpoint(lambda y: jnp.sin(attention(jnp.sin(y))), **options)(x).sum()

    return jax.value_and_grad(loss)


kept_attention = attending(policy=jax.checkpoint_policies.save_only_these_names("kept"))
recomputed_attention = attending()


def _doubles(source, target):
    target[...] = source[...] * 2


def runs_pallas(x):
    return pallas.pallas_call(_doubles, out_shape=x)(x)  # a kernel


# 9: calls of a kernel with an attribute, as a custom call and as a primitive of one's own


def _quantise(x, rowwise):
    return jax.ffi.ffi_call("quantise_rows", x)(x, rowwise=rowwise)  # the kernel


def quantises(x):
    return _quantise(_quantise(x, True), True) + _quantise(_quantise(x, False), False)


def quantises_less(x):
    return _quantise(_quantise(x, True), False) + _quantise(x, False)


packed = jax.extend.core.Primitive("packed")
packed.def_abstract_eval(lambda x, **_: x)
mlir.register_lowering(packed, mlir.lower_fun(lambda x, **_: x * 2, multiple_results=False))


def packs(x):
    once = packed.bind(packed.bind(x, transposed=np.bool_(True)), transposed=True)
    return packed.bind(packed.bind(once, transposed=False), transposed=False)


def packs_more(x):
    return packed.bind(packs(x), transposed=True)  # once more


# 11: a solver whose program does not grow with its iterations, and one whose does


def iterating(number: int) -> tuple[Callable[[Any], Any], tuple[Any, ...]]:
    """A loop of so many iterations, and its argument."""
    return (lambda x: lax.fori_loop(0, number, lambda _, y: jnp.cos(y), x)), (np.float32(1),)


def repeating(number: int) -> tuple[Callable[[Any], Any], tuple[Any, ...]]:
    """So many iterations, each written out, and their argument."""

    def solve(x):
        for _ in range(number):
            x = jnp.cos(x)  # each anew
        return x

    return solve, (np.float32(1),)


# 13: a spectral derivative, with and without a product of matrices; a loop, and two of them


def spectral(c):
    return jnp.fft.ifft(jnp.fft.fft(c) * 1j)


def by_matrix(c):
    return jnp.fft.fft(c) @ jnp.ones((c.size, c.size), c.dtype)  # a product


def one_loop(x):
    return lax.while_loop(lambda y: y < 10, lambda y: y * 2, x)


def two_loops(x):
    return one_loop(one_loop(x) - 9)
