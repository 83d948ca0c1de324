"""Random functions to differentiate: loops, rules, recomputation, branches and calls around one another, by seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tests.phases.programs import Specimen, floats

Layer = Callable[[Any, Any], Any]
"""Takes a vector that is differentiated and one that is not."""

LEAVES: tuple[Layer, ...] = (
    lambda x, b: jnp.sin(x) * jnp.exp(b),
    lambda x, b: jnp.tanh(x + jnp.log(b)),
    lambda x, b: jnp.where(jnp.arange(4) > 1, x, 0.0) * b,
    lambda x, b: x / jnp.sum(jnp.cos(b)),
    lambda x, b: jnp.cumsum(x) * lax.stop_gradient(jnp.max(x)),
    lambda x, b: jax.nn.softmax(x * b) @ jnp.eye(4),
    lambda x, b: jnp.sort(x) + jnp.flip(b),
    lambda x, b: jax.nn.relu(x) - b,
    lambda x, b: x[jnp.array([3, 1, 0, 2])] * jnp.sqrt(b),
)


def with_rule(f: Layer) -> Layer:
    rule = jax.custom_vjp(f)
    rule.defvjp(lambda x, b: (f(x, b), (x, b)), lambda kept, g: (g * jnp.cos(kept[0]), g * kept[1]))
    return rule


def with_tangent_rule(f: Layer) -> Layer:
    rule = jax.custom_jvp(f)
    rule.defjvp(lambda p, t: (rule(*p), t[0] * jnp.cos(p[0]) + t[1] * p[1]))
    return rule


def wrapped(choose: random.Random, f: Layer, g: Layer) -> Layer:
    """One more thing done with two functions."""
    steps, policy = choose.randint(1, 3), choose.choice([None, jax.checkpoint_policies.dots_saveable])
    ways: tuple[Callable[[], Layer], ...] = (
        lambda: lambda x, b: f(g(x, b), b),
        lambda: lambda x, b: f(x, b) + g(x, b),
        lambda: jax.jit(f),
        lambda: jax.checkpoint(f, policy=policy),
        lambda: with_rule(f),
        lambda: with_tangent_rule(f),
        lambda: lambda x, b: lax.scan(lambda c, _: (f(c, b), None), x, None, length=steps)[0],
        lambda: lambda x, b: lax.scan(lambda c, y: (f(c, b), c * y), x, jnp.stack([x, b]))[1].sum(0),
        lambda: lambda x, b: lax.scan(lambda c, y: (f(c, y), None), x, jnp.stack([b, b]), reverse=True)[0],
        lambda: lambda x, b: lax.fori_loop(0, steps, lambda i, c: f(c, b) * i, x),
        lambda: lambda x, b: lax.map(lambda y: f(y, b), jnp.stack([x, x])).sum(0),
        lambda: lambda x, b: lax.cond(x.sum() > 1, f, g, x, b),
        lambda: lambda x, b: jax.vmap(f, in_axes=(0, None))(jnp.stack([x, x]), b).sum(0),
        lambda: lambda x, b: jax.vmap(lambda y: lax.cond(y.sum() > 1, f, g, y, b))(jnp.stack([x, x])).sum(0),
        lambda: jax.named_scope("transpose(x)")(f),
    )
    return choose.choice(ways)()


def random_specimen(seed: int) -> Specimen:
    """The function of a seed, differentiated by one or both of its arguments."""
    choose = random.Random(seed)
    functions = [choose.choice(LEAVES), choose.choice(LEAVES)]
    for _ in range(choose.randint(2, 6)):
        functions.append(wrapped(choose, functions[-1], choose.choice(functions)))
    last = functions[-1]
    return Specimen(lambda x, b: jnp.sum(last(x, b)), (floats(4), floats(4)), choose.choice([0, (0, 1)]))
