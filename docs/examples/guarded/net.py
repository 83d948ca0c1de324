"""A network rolled out in one loop, and its energy: the small project whose IR the documentation guards."""

import jax
import jax.numpy as jnp


def cell(w, x):
    """One step: a product and a tanh."""
    return jnp.tanh(x @ w)


def energy(w, x):
    """The sum of squares after fifty steps."""

    def body(x, _):
        return cell(w, x), None

    x, _ = jax.lax.scan(body, x, length=50)
    return jnp.sum(x**2)


energy_args = (jax.ShapeDtypeStruct((8, 8), jnp.float32), jax.ShapeDtypeStruct((4, 8), jnp.float32))
