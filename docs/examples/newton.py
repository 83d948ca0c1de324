"""A loop whose length hangs on its argument: the example of docs/executed.md."""

import jax
import jax.numpy as jnp


def root(x):
    """The square root of a number, by Newton's method."""
    return jax.lax.while_loop(lambda y: jnp.abs(y * y - x) > 0.001, lambda y: (y + x / y) / 2, x)


def root_args():
    """A hundred: an argument with a value, so that the loop can be run."""
    return (jnp.float32(100),)
