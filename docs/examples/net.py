"""Three layers and a loss: the example of the README."""

import jax
import jax.numpy as jnp


def layer(w, x):
    """One layer: a product and a tanh."""
    return jnp.tanh(w @ x)


def loss(w, x):
    """The sum of squares after three layers."""
    for _ in range(3):
        x = layer(w, x)
    return jnp.sum(x**2)


loss_args = (jax.ShapeDtypeStruct((8, 8), jnp.float32), jax.ShapeDtypeStruct((8,), jnp.float32))
