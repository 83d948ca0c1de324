"""The same iteration twice: a loop in Python, which JAX unrolls, and a loop of JAX's own."""

import jax
import jax.numpy as jnp


def unrolled(x, steps=4):
    """The sum after ``steps`` steps, each written out in the program."""
    for _ in range(steps):
        x = jnp.sin(x) + jnp.dot(x, x)
    return jnp.sum(x)


def rolled(x, steps=4):
    """The same, the step standing once in a scan."""
    last, _ = jax.lax.scan(lambda x, _: (jnp.sin(x) + jnp.dot(x, x), None), x, length=steps)
    return jnp.sum(last)


unrolled_args = rolled_args = (jax.ShapeDtypeStruct((8,), jnp.float32),)
