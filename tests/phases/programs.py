"""Functions to differentiate, each with example arguments: every kind of loop, rule and recomputation, and what leaves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Function = Callable[..., Any]


@dataclass(frozen=True)
class Specimen:
    """A scalar function, its arguments, which of them it is differentiated by, and whether it returns auxiliary values.

    ``again`` is what a gradient runs again, with its arguments: the function that is checkpointed, alone.
    """

    function: Function
    args: tuple[Any, ...]
    argnums: int | tuple[int, ...] = 0
    has_aux: bool = False
    again: tuple[Function, tuple[Any, ...]] | None = None


SPECIMENS: dict[str, Specimen] = {}


def specimen(
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    again: tuple[Function, tuple[Any, ...]] | None = None,
) -> Callable[[Function], Function]:
    """Register a function under its own name with its example arguments."""

    def register(function: Function) -> Function:
        SPECIMENS[function.__name__] = Specimen(function, args, argnums, has_aux, again)
        return function

    return register


def floats(*shape: int, dtype: Any = jnp.float32) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)


# loops that compute something without their carry


@specimen(floats(4), floats(4), argnums=(0, 1))
def decays(a: Any, b: Any) -> Any:
    def body(c: Any, _: None) -> Any:
        return jnp.sin(c * jnp.exp(b)), None

    return jnp.sum(lax.scan(body, a, None, length=3)[0])


@specimen(floats(4), floats(4))
def decay_of_a_constant(a: Any, b: Any) -> Any:
    def body(c: Any, _: None) -> Any:
        return jnp.sin(c * jnp.exp(b)), None

    return jnp.sum(lax.scan(body, a, None, length=3)[0])


@specimen(floats(3, 6), floats(6))
def masked_layers(w: Any, x: Any) -> Any:
    def layer(h: Any, w: Any) -> Any:
        far = jnp.abs(jnp.arange(6)[:, None] - jnp.arange(6)) > 2
        return jnp.where(far, 0.0, jnp.outer(h, h)) @ w + h, None

    return jnp.sum(lax.scan(layer, x, w)[0] ** 2)


@specimen({"q": floats(2, 8, 8), "k": floats(2, 8, 8), "v": floats(2, 8, 8)}, floats(5, 8))
def rotary_attention(layers: Any, x: Any) -> Any:
    def rotate(y: Any) -> Any:
        frequency = 1.0 / (10000.0 ** (jnp.arange(0, 8, 2) / 8))
        angles = jnp.arange(5)[:, None] * frequency
        left, right = jnp.split(y, 2, axis=-1)
        cos, sin = jnp.cos(angles), jnp.sin(angles)
        return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)

    def layer(h: Any, w: Any) -> Any:
        scores = rotate(h @ w["q"]) @ rotate(h @ w["k"]).T / jnp.sqrt(8.0)
        causal = jnp.tril(jnp.ones((5, 5), dtype=bool))
        return h + jax.nn.softmax(jnp.where(causal, scores, -1e9)) @ (h @ w["v"]), None

    return jnp.mean(lax.scan(layer, x, layers)[0] ** 2)


@specimen(floats(4), floats(4))
def loop_in_a_loop(a: Any, b: Any) -> Any:
    def inner(c: Any, _: None) -> Any:
        return jnp.tanh(c * jnp.exp(b)), None

    def outer(c: Any, x: Any) -> Any:
        return lax.scan(inner, c * jnp.log(b), None, length=2)[0] * x, None

    return jnp.sum(lax.scan(outer, a, jnp.arange(3.0))[0])


@specimen(floats(4), floats(4))
def counted_loop(a: Any, b: Any) -> Any:
    return jnp.sum(lax.fori_loop(0, 4, lambda i, c: jnp.sin(c * jnp.exp(b)) + i, a))


@specimen(floats(4), floats(5, 4))
def mapped_rows(w: Any, x: Any) -> Any:
    return jnp.sum(lax.map(lambda row: jnp.tanh(row * jnp.exp(w)), x))


@specimen(floats(4), floats(5, 4))
def reversed_loop_with_outputs(w: Any, x: Any) -> Any:
    def body(c: Any, row: Any) -> Any:
        y = jnp.tanh(c * w + row)
        return y, y * jnp.cos(w)

    c, ys = lax.scan(body, jnp.zeros(4), x, reverse=True)
    return jnp.sum(c) + jnp.sum(ys)


@specimen(floats(4), floats(4))
def loop_of_a_jitted_body(a: Any, b: Any) -> Any:
    @jax.jit
    def helper(c: Any) -> Any:
        return jnp.sin(c) * jnp.exp(b)

    return jnp.sum(lax.scan(lambda c, _: (helper(c), None), a, None, length=3)[0])


@specimen(floats(4), floats(4))
def loop_calling_a_jit_of_a_constant(a: Any, b: Any) -> Any:
    weight = jax.jit(lambda b: jnp.exp(b) / jnp.sum(jnp.exp(b)))
    return jnp.sum(lax.scan(lambda c, _: (jnp.sin(c * weight(b)), None), a, None, length=3)[0])


@specimen(floats(4))
def dynamic_loop_in_a_stopped_gradient(x: Any) -> Any:
    steps = lax.while_loop(lambda c: jnp.sum(c) < 10.0, lambda c: c * 2.0 + 1.0, lax.stop_gradient(x))
    return jnp.sum(jnp.sin(x) * steps)


@specimen(floats(2, 3, 3), floats(3))
def loop_with_a_branch(w: Any, x: Any) -> Any:
    def layer(h: Any, w: Any) -> Any:
        return lax.cond(jnp.sum(h) > 0, lambda h: jnp.tanh(w @ h), lambda h: h * jnp.cos(x), h), None

    return jnp.sum(lax.scan(layer, x, w)[0])


# recomputation


def two_layers(w: Any, x: Any) -> Any:
    return jnp.sin(w @ jnp.tanh(w @ x))


def masked_layer(h: Any, w: Any) -> Any:
    far = jnp.abs(jnp.arange(4)[:, None] - jnp.arange(4)) > 2
    return jnp.tanh(jnp.where(far, 0.0, jnp.outer(h, h)) @ w @ h)


def scaled_layers(w: Any, x: Any) -> Any:
    return lax.scan(lambda h, w: (jnp.tanh(h @ w) * jnp.exp(x), None), x, w)[0]


def jitted_layers(w: Any, x: Any) -> Any:
    helper = jax.jit(lambda w, y: jnp.sin(w @ y))
    return jnp.tanh(helper(w, helper(w, x)))


def bounded_exponential(z: Any) -> Any:
    return jnp.sum(jnp.exp(jnp.tanh(z)))


@specimen(floats(4, 4), floats(4), again=(two_layers, (floats(4, 4), floats(4))))
def checkpointed(w: Any, x: Any) -> Any:
    return jnp.sum(jax.checkpoint(lambda w: two_layers(w, x))(w))


@specimen(floats(3, 4, 4), floats(4), again=(masked_layer, (floats(4), floats(4, 4))))
def checkpointed_layers(w: Any, x: Any) -> Any:
    layer = jax.checkpoint(lambda h, w: (masked_layer(h, w), None))
    return jnp.sum(lax.scan(layer, x, w)[0])


@specimen(floats(3, 4, 4), floats(4), again=(scaled_layers, (floats(3, 4, 4), floats(4))))
def checkpoint_of_a_loop(w: Any, x: Any) -> Any:
    return jnp.sum(jax.checkpoint(lambda w: scaled_layers(w, x))(w))


@specimen(floats(4, 4), floats(4), again=(two_layers, (floats(4, 4), floats(4))))
def products_are_kept(w: Any, x: Any) -> Any:
    policy = jax.checkpoint_policies.dots_saveable
    return jnp.sum(jax.checkpoint(lambda w: two_layers(w, x), policy=policy)(w))


@specimen(floats(4, 4), floats(4))
def everything_is_kept(w: Any, x: Any) -> Any:
    policy = jax.checkpoint_policies.everything_saveable
    return jnp.sum(jax.checkpoint(lambda w: two_layers(w, x), policy=policy)(w))


@specimen(floats(4, 4), floats(4))
def checkpoint_in_a_checkpoint(w: Any, x: Any) -> Any:
    inner = jax.checkpoint(lambda y: jnp.sin(w @ y))
    return jnp.sum(jax.checkpoint(lambda w: jnp.tanh(inner(w @ x)))(w))


@specimen(floats(4, 4), floats(4), again=(jitted_layers, (floats(4, 4), floats(4))))
def checkpoint_of_a_jit(w: Any, x: Any) -> Any:
    return jnp.sum(jax.checkpoint(lambda w: jitted_layers(w, x))(w))


@specimen(floats(5))
def penalty(x: Any) -> Any:
    return jnp.sum(jax.grad(jax.checkpoint(bounded_exponential))(x) ** 2)


# rules


@jax.custom_vjp
def clipped(x: Any) -> Any:
    return jnp.sin(x)


clipped.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (jnp.clip(g, -1.0, 1.0) * jnp.cos(x),))


@jax.custom_jvp
def softened(x: Any) -> Any:
    return jnp.log1p(jnp.exp(x))


softened.defjvp(lambda p, t: (softened(p[0]), t[0] * jax.nn.sigmoid(p[0])))


@specimen(floats(4))
def rule_backward(x: Any) -> Any:
    return jnp.sum(clipped(x * 2.0))


@specimen(floats(4))
def rule_forward(x: Any) -> Any:
    return jnp.sum(softened(x * 2.0))


@specimen(floats(4), floats(4))
def rules_in_a_loop(x: Any, b: Any) -> Any:
    return jnp.sum(lax.scan(lambda c, _: (clipped(softened(c) * jnp.exp(b)), None), x, None, length=3)[0])


@specimen(floats(4))
def gradient_in_the_loss(x: Any) -> Any:
    return jnp.sum(jax.grad(lambda y: jnp.sum(jnp.sin(y) * y))(x) ** 2)


@specimen(floats(4), floats(4))
def tangent_in_the_loss(x: Any, v: Any) -> Any:
    return jnp.sum(jax.jvp(lambda y: jnp.sin(y) * y, (x,), (v,))[1] ** 2)


@specimen(floats(3))
def curvature_in_the_loss(x: Any) -> Any:
    return jnp.sum(jax.hessian(lambda y: jnp.sum(jnp.sin(y) ** 3))(x) ** 2)


@specimen(floats(4), floats(4))
def loop_of_gradients(x: Any, b: Any) -> Any:
    def energy(y: Any) -> Any:
        return jnp.sum(jnp.cos(y) * jnp.exp(b))

    return jnp.sum(lax.scan(lambda c, _: (c - jax.grad(energy)(c), None), x, None, length=3)[0])


@specimen(floats(3, 3), floats(3))
def solve(a: Any, b: Any) -> Any:
    return jnp.sum(jnp.linalg.solve(a, b))


@specimen(floats(3, 3), floats(3))
def conjugate_gradients(a: Any, b: Any) -> Any:
    return jnp.sum(jax.scipy.sparse.linalg.cg(lambda v: a @ v, b, maxiter=3)[0])


@specimen(floats(3))
def root(x: Any) -> Any:
    def solve(g: Any, y: Any) -> Any:
        return y / g(jnp.ones_like(y))

    found = lax.custom_root(
        lambda y: y**3 - x,
        x,
        lambda f, y: lax.fori_loop(0, 3, lambda _, y: y - f(y) * 0.1, y),
        solve,
    )
    return jnp.sum(found)


# branches, and what is chosen per row


@specimen(floats(4))
def branch(x: Any) -> Any:
    return jnp.sum(lax.cond(jnp.sum(x) > 0, lambda y: jnp.sin(y) * 2.0, jnp.exp, x))


@specimen(floats(4), floats(5, 4))
def branch_per_row(w: Any, x: Any) -> Any:
    def row(r: Any) -> Any:
        return lax.cond(jnp.sum(r) > 0, lambda y: jnp.sin(y * w), lambda y: jnp.exp(y) + w, r)

    return jnp.sum(jax.vmap(row)(x))


@specimen(floats(4), floats(5, 4))
def loop_per_row(w: Any, x: Any) -> Any:
    def body(c: Any, _: None) -> Any:
        return jnp.sin(c * jnp.exp(w)), None

    return jnp.sum(jax.vmap(lambda r: lax.scan(body, r, None, length=3)[0])(x))


# parameters that are not used, results that are no floats


@specimen({"used": floats(3), "unused": floats(7)})
def partly(p: Any) -> Any:
    return jnp.sum(jnp.exp(p["used"]))


@specimen({"used": floats(3), "ignored": floats(3)}, argnums=0)
def only_the_shape(p: Any) -> Any:
    return jnp.sum(jnp.exp(p["used"]) * jnp.zeros_like(p["ignored"]))


@specimen(floats(3), floats(3))
def stopped(x: Any, y: Any) -> Any:
    return jnp.sum(jnp.sin(x) * lax.stop_gradient(jnp.exp(x)) + lax.stop_gradient(jnp.cos(y)))


@specimen(floats(6), has_aux=True)
def with_auxiliary_values(x: Any) -> Any:
    order = jnp.argsort(x)
    return jnp.sum(jnp.sin(x[order])), {"order": order, "largest": jnp.max(x), "constant": jnp.ones(3)}


@specimen(floats(4), floats(4), has_aux=True)
def loop_with_auxiliary_outputs(a: Any, b: Any) -> Any:
    def body(c: Any, _: None) -> Any:
        return jnp.sin(c * jnp.exp(b)), (jnp.argmax(c), jnp.log(b))

    c, (best, logs) = lax.scan(body, a, None, length=3)
    return jnp.sum(c), (best, logs)


@specimen(floats(3))
def constant(x: Any) -> Any:
    return jnp.sum(jnp.ones(3)) + 0.0 * jnp.sum(lax.stop_gradient(x))


# collectives, on a mesh of one device


def over_devices(function: Function) -> Function:
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("d",))
    parts = jax.sharding.PartitionSpec
    return jax.shard_map(function, mesh=mesh, in_specs=(parts(), parts("d")), out_specs=parts())


@specimen(floats(4), floats(2, 4))
def sum_over_devices(w: Any, x: Any) -> Any:
    return over_devices(lambda w, x: lax.psum(jnp.sum(jnp.sin(x * w)), "d"))(w, x)


@specimen(floats(4), floats(2, 4))
def loop_over_devices(w: Any, x: Any) -> Any:
    def part(w: Any, x: Any) -> Any:
        body = jax.checkpoint(lambda c, row: (jnp.sin(c * jnp.exp(w)) + lax.pmean(row, "d"), None))
        return lax.psum(jnp.sum(lax.scan(body, w, lax.pmean(x, "d"))[0]), "d")

    return over_devices(part)(w, x)


# single operations


@specimen(floats(6, 4), jax.ShapeDtypeStruct((5,), jnp.int32))
def embedding(table: Any, tokens: Any) -> Any:
    return jnp.sum(table[tokens] ** 2)


@specimen(floats(6), floats(3))
def scattered(x: Any, y: Any) -> Any:
    return jnp.sum(jnp.sin(x.at[jnp.array([0, 2, 4])].add(y * 2.0)))


@specimen(floats(6))
def sorted_and_accumulated(x: Any) -> Any:
    return jnp.sum(jnp.cumsum(jnp.sort(x)) ** 2)


@specimen(floats(8), jax.ShapeDtypeStruct((), jnp.int32))
def sliced(x: Any, start: Any) -> Any:
    return jnp.sum(jnp.sin(lax.dynamic_slice(x, (start,), (3,))))


@specimen(floats(1, 12, 2), floats(3, 2, 5), argnums=(0, 1))
def convolved(x: Any, w: Any) -> Any:
    return jnp.sum(lax.conv_general_dilated(x, w, (2,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")) ** 2)


@specimen(floats(4, 4), jax.ShapeDtypeStruct((2,), jnp.uint32), floats(4))
def dropout(w: Any, key: Any, x: Any) -> Any:
    h = w @ x
    keep = jax.random.bernoulli(jax.random.wrap_key_data(key, impl="threefry2x32"), 0.5, h.shape)
    return jnp.sum(jnp.where(keep, h / 0.5, 0.0) ** 2)


@specimen(floats(3, 4, 4), jax.ShapeDtypeStruct((2,), jnp.uint32), floats(4))
def dropout_in_layers(w: Any, key: Any, x: Any) -> Any:
    def layer(carry: Any, w: Any) -> Any:
        h, key = carry
        key, sub = jax.random.split(key)
        keep = jax.random.bernoulli(sub, 0.5, h.shape)
        return (jnp.where(keep, w @ h, 0.0), key), None

    start = jax.random.wrap_key_data(key, impl="threefry2x32")
    return jnp.sum(lax.scan(layer, (x, start), w)[0][0] ** 2)


@specimen(floats(4, 4), floats(4))
def mixed_precision(w: Any, x: Any) -> Any:
    h = jnp.tanh(w.astype(jnp.bfloat16) @ x.astype(jnp.bfloat16))
    return jnp.mean(h.astype(jnp.float32) ** 2)


@specimen(floats(4), floats(4))
def closed_over_arrays(x: Any, y: Any) -> Any:
    table = np.linspace(0.0, 1.0, 4, dtype=np.float32)
    return jnp.sum(lax.scan(lambda c, _: (jnp.sin(c * jnp.exp(table)) + y, None), x, None, length=3)[0])


@specimen(floats(4, 4), jax.ShapeDtypeStruct((4,), jnp.int32))
def crossentropy(w: Any, labels: Any) -> Any:
    logits = jax.nn.log_softmax(jax.nn.relu(w))
    return -jnp.mean(jnp.sum(jax.nn.one_hot(labels, 4) * logits, axis=-1))


@specimen(floats(4, 6), floats(6), floats(6), argnums=(0, 1, 2))
def layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    normal = (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
    return jnp.sum(jax.nn.gelu(normal * scale + bias))


@specimen(floats(4))
def complex_numbers(x: Any) -> Any:
    return jnp.sum(jnp.abs(jnp.fft.fft(x)) ** 2)


@specimen(floats(3, 3))
def factorised(a: Any) -> Any:
    return jnp.sum(jnp.linalg.cholesky(a @ a.T + jnp.eye(3)))
