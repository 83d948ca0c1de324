"""Test programs for the language of JAX: control flow, derivatives, names, calls and effects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import io_callback

from tests.registry import Made, matrix, program, vector

# control flow


@program()
def cond() -> Made:
    """Two branches, one of them longer."""
    return lambda x: lax.cond(x.sum() > 0, jnp.sin, lambda y: jnp.cos(y) * 2, x), (vector(),)


@program()
def switch() -> Made:
    """Four branches."""
    branches = [jnp.sin, jnp.cos, jnp.tanh, lambda y: y * 2]
    return lambda i, x: lax.switch(i, branches, x), (1, vector())


@program(grad=True)
def cond_grad() -> Made:
    """A gradient through both branches."""
    return jax.grad(lambda x: lax.cond(x.sum() > 0, jnp.sin, lambda y: y * y, x).sum()), (vector(),)


@program()
def nested_scan() -> Made:
    """A scan of 3 in a scan of 4."""

    def outer(carry: Any, _: Any) -> Any:
        carry, ys = lax.scan(lambda c, y: (jnp.sin(c * y), jnp.cos(c)), carry, vector())
        return carry + ys.sum(), None

    return lambda x: lax.scan(outer, x, None, length=4)[0], (1.0,)


@program()
def fori_static() -> Made:
    """A fori_loop of known length: a scan."""
    return lambda x: lax.fori_loop(0, 5, lambda i, c: jnp.sin(c) + i, x), (vector(),)


@program()
def fori_dynamic() -> Made:
    """A fori_loop of unknown length: a while."""
    return lambda n, x: lax.fori_loop(0, n, lambda i, c: jnp.sin(c) + i, x), (5, vector())


@program()
def while_loop() -> Made:
    """A condition and a body, in a while of the same kind."""

    def body(c: Any) -> Any:
        return lax.while_loop(lambda d: d.sum() < 100, lambda d: d * 2 + 1, c) - 50

    return lambda x: lax.while_loop(lambda c: jnp.cos(c).sum() < 0, body, x), (vector(),)


@program(grad=True)
def scan_grad() -> Made:
    """The gradient of a scan whose body is jitted."""

    @jax.jit
    def step(c: Any, y: Any) -> Any:
        return jnp.tanh(c * y), c

    return jax.grad(lambda x: lax.scan(step, x.sum(), x)[0]), (vector(),)


# derivatives


def _plain_loss(params: Any, x: Any) -> Any:
    (w1, w2) = params
    return (lax.tanh(x @ w1) @ w2).sum()


@program(grad=True)
def mlp_grad() -> Made:
    """Two layers without any inner jit."""
    return jax.grad(_plain_loss), ((jnp.ones((3, 4)), jnp.ones((4, 2))), jnp.ones((5, 3)))


def _clipped() -> Any:
    @jax.custom_vjp
    def clip(x: Any) -> Any:
        return jnp.clip(x, -1, 1)

    clip.defvjp(lambda x: (clip(x), x), lambda x, g: (g * jnp.cos(x),))
    return clip


@program()
def custom_vjp() -> Made:
    """A custom_vjp nobody differentiates."""
    clip = _clipped()
    return lambda x: clip(x * x).sum(), (vector(),)


@program(grad=True)
def custom_vjp_grad() -> Made:
    clip = _clipped()
    return jax.grad(lambda x: clip(x * x).sum()), (vector(),)


@program(grad=True)
def custom_jvp_grad() -> Made:
    @jax.custom_jvp
    def log1pexp(x: Any) -> Any:
        return jnp.log1p(jnp.exp(x))

    log1pexp.defjvps(lambda t, _, x: t * (1 - 1 / (1 + jnp.exp(x))))
    return jax.grad(lambda x: log1pexp(x * x).sum()), (vector(),)


@program(grad=True)
def symbolic_zeros() -> Made:
    """A custom_vjp whose rules see which arguments are not differentiated."""

    @jax.custom_vjp
    def scaled(x: Any, y: Any) -> Any:
        return x * jnp.sin(y)

    def forward(x: Any, y: Any) -> Any:
        return x.value * jnp.sin(y.value), (x.value if y.perturbed else None, y.value)

    def backward(kept: Any, g: Any) -> Any:
        x, y = kept
        return g * jnp.sin(y), None if x is None else g * x * jnp.cos(y)

    scaled.defvjp(forward, backward, symbolic_zeros=True)
    return jax.grad(lambda x, y: scaled(x, y).sum()), (vector(), vector())


@program(grad=True)
def shared_helper() -> Made:
    """A jitted function called from the forward rule and from the backward rule."""

    @jax.jit
    def helper(x: Any) -> Any:
        return jnp.exp(x) * jnp.sin(x)

    @jax.custom_vjp
    def f(x: Any) -> Any:
        return helper(x)

    f.defvjp(lambda x: (helper(x), x), lambda x, g: (g * helper(x),))
    return jax.grad(lambda x: f(x).sum()), (vector(),)


@program(grad=True)
def remat_grad() -> Made:
    return jax.grad(lambda x: jax.checkpoint(lambda y: jnp.sin(jnp.sin(y)))(x).sum()), (vector(),)


@program(grad=True)
def scan_of_remat_grad() -> Made:
    @jax.checkpoint
    def step(c: Any, y: Any) -> Any:
        return jnp.sin(c * y), None

    return jax.grad(lambda x: lax.scan(step, x.sum(), x)[0]), (vector(),)


@program(grad=True)
def vmap_of_grad() -> Made:
    return jax.vmap(jax.grad(lambda x: jnp.sin(x @ x) * x.sum())), (matrix(),)


@program(grad=True)
def hessian() -> Made:
    return jax.hessian(lambda x: (jnp.sin(x) ** 3).sum()), (vector(),)


@program()
def jacfwd() -> Made:
    return jax.jacfwd(lambda x: jnp.sin(x) * x.sum()), (vector(),)


@program()
def jvp_only() -> Made:
    return lambda x, t: jax.jvp(lambda y: jnp.sin(y * y), (x,), (t,)), (vector(), vector())


@program()
def linearize_only() -> Made:
    """The linear map is never transposed."""

    def f(x: Any, t: Any) -> Any:
        y, push = jax.linearize(lambda z: jnp.sin(z) * jnp.cos(z), x)
        return y, push(t)

    return f, (vector(), vector())


@program()
def linear_transpose() -> Made:
    """A transpose without any jvp: all backward."""

    def f(g: Any) -> Any:
        return jax.linear_transpose(lambda x: 3.0 * x + jnp.roll(x, 1), g)(g)

    return f, (vector(),)


@program(grad=True)
def linear_solve_grad() -> Made:
    return jax.grad(lambda a, b: jnp.linalg.solve(a, b).sum()), (matrix(), vector())


@program(grad=True)
def custom_linear_solve_grad() -> Made:
    """Carries its jaxprs in a named tuple; the transposed one stands inside forward equations."""

    def solve(matvec: Any, b: Any) -> Any:
        return lax.fori_loop(0, 3, lambda _, x: x + (b - matvec(x)) / 8, b)

    def f(a: Any, b: Any) -> Any:
        return lax.custom_linear_solve(lambda x: a @ x, b, solve, solve).sum()

    return jax.grad(f, argnums=(0, 1)), (matrix(), vector())


# names spelled like transforms


def _scoped(scope: str) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        with jax.named_scope(scope):
            return lax.sin(x * x).sum()

    return f


@program()
def scope_transpose() -> Made:
    """A scope of the user's named ``transpose(x)``: all primal."""
    return _scoped("transpose(x)"), (vector(),)


@program(grad=True)
def scope_transpose_grad() -> Made:
    return jax.grad(_scoped("transpose(x)")), (vector(),)


@program()
def scope_jvp() -> Made:
    """A scope of the user's named ``jvp(y)``: all primal."""
    return _scoped("jvp(y)"), (vector(),)


@program(grad=True)
def scope_jvp_grad() -> Made:
    return jax.grad(_scoped("jvp(y)")), (vector(),)


# calls


def doubled(levels: int) -> Made:
    """``levels`` jitted functions over a jitted sine, each calling the one below twice: 2**levels sines expanded."""

    def above(below: Any) -> Any:
        return jax.jit(lambda x: below(below(x)))

    f = jax.jit(lambda x: lax.sin(x) * x)
    for _ in range(levels):
        f = above(f)
    return f, (1.0,)


@program(compiles=False)
def doubling() -> Made:
    """20 levels, 1,048,576 sines: too many to inline, and near where JAX itself lowers in time that doubles too."""
    return doubled(20)


@program()
def doubling_small() -> Made:
    return doubled(3)


@program(grad=True)
def doubling_grad() -> Made:
    f, args = doubled(3)
    return jax.grad(f), args


@program()
def distinct_shapes() -> Made:
    """One jitted function at two shapes, so two functions of one name."""
    f = jax.jit(lambda x: jnp.sin(x) + 1)
    return lambda x, y: (f(x), f(y), f(x)), (vector(3), vector(4))


@program()
def composite() -> Made:
    """An operation with its decomposition as a function of its own, used twice."""

    @partial(lax.composite, name="tests.shifted")
    def shifted(x: Any) -> Any:
        return lax.sin(x) + 1

    return lambda x: shifted(x) * shifted(x), (vector(),)


# effects and callbacks


@program()
def pure_callback() -> Made:
    def f(x: Any) -> Any:
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x) + 1

    return f, (vector(),)


@program()
def ordered_effects() -> Made:
    """Tokens: two ordered callbacks, one in a scan."""

    def seen(x: Any) -> None:
        return None

    def step(c: Any, _: Any) -> Any:
        io_callback(seen, None, c, ordered=True)
        return c * 2, None

    def f(x: Any) -> Any:
        io_callback(seen, None, x, ordered=True)
        return lax.scan(step, x, None, length=2)[0]

    return f, (vector(),)


@program(grad=True)
def debug_print_grad() -> Made:
    """An unordered effect inside a gradient."""

    def f(x: Any) -> Any:
        jax.debug.print("x = {}", x)
        return jnp.sin(x).sum()

    return jax.grad(f), (vector(),)
