"""Programs with values, whose loops and branches depend on them: what executed counts are held against an oracle on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import io_callback
from jax.experimental.ode import odeint

Made = tuple[Callable[..., Any], tuple[Any, ...]]
PROGRAMS: dict[str, Callable[[], Made]] = {}

V = np.linspace(0.5, 1.5, 3, dtype=np.float32)


def program(make: Callable[[], Made]) -> Callable[[], Made]:
    PROGRAMS[make.__name__] = make
    return make


def until(limit: float, factor: float = 2.0) -> Callable[[Any], Any]:
    """Doubles until the sum exceeds a limit: a loop whose length hangs on the value."""
    return lambda x: lax.while_loop(lambda c: c.sum() < limit, lambda c: jnp.sin(c) + c * factor, x)


def capped(c: Any) -> Any:
    return lax.cond(c.sum() > 20, lambda d: d / 3, lambda d: jnp.cos(d) + d, c)


# loops and branches


@program
def scan() -> Made:
    return lambda x: lax.scan(lambda c, y: (c * y + 1, jnp.sin(c)), 1.0, x), (V,)


@program
def scan_of_nothing() -> Made:
    return lambda x: lax.scan(lambda c, y: (c * y, c), 1.0, x), (np.zeros(0, np.float32),)


@program
def while_loop() -> Made:
    return until(100), (V,)


@program
def while_never_entered() -> Made:
    return until(1), (V,)


@program
def while_in_while() -> Made:
    def body(c: Any) -> Any:
        return until(30)(c[0] / 4), c[1] + 1

    return lambda x: lax.while_loop(lambda c: c[1] < 5, body, (x, 0)), (V,)


@program
def while_in_scan_in_while() -> Made:
    def step(c: Any, y: Any) -> Any:
        return until(30)(c) / y, c.sum()

    def outer(c: Any) -> Any:
        return lax.scan(step, c[0], jnp.arange(2.0, 5.0))[0] * 3 + 1, c[1] + 1

    return lambda x: lax.while_loop(lambda c: c[1] < 3, outer, (x, 0)), (V,)


@program
def scan_reverse_of_while() -> Made:
    def step(c: Any, y: Any) -> Any:
        return until(10)(c * 0.3 + y), (c, y)

    return lambda x: lax.scan(step, x, jnp.arange(6.0).reshape(2, 3), reverse=True), (V,)


@program
def scan_unrolled_of_cond() -> Made:
    return lambda x: lax.scan(lambda c, y: (capped(c) + y, c), x, jnp.arange(7.0), unroll=3), (V,)


@program
def fori_dynamic() -> Made:
    return lambda n, x: lax.fori_loop(0, n, lambda i, c: jnp.sin(c) + i, x), (np.int32(6), V)


@program
def switch_in_scan() -> Made:
    branches = [jnp.sin, jnp.cos, lambda y: jnp.tanh(y) * 2, until(30)]
    return lambda i, x: lax.scan(lambda c, j: (lax.switch(j, branches, c), None), x, i)[0], (
        np.array([0, 3, -1, 2, 9, 1, 3], np.int32),
        V,
    )


@program
def two_conds_in_scan() -> Made:
    def step(c: Any, y: Any) -> Any:
        c = capped(c * y)
        return lax.cond(c[0] > 1, jnp.sin, jnp.exp, c), None

    return lambda x: lax.scan(step, x, jnp.linspace(0.5, 9.0, 11))[0], (V,)


@program
def cond_in_cond_in_while() -> Made:
    def body(c: Any) -> Any:
        return lax.cond(c[0][0] < 3, lambda d: capped(d) + 1, lambda d: d / 2, c[0]), c[1] + 1

    return lambda x: lax.while_loop(lambda c: c[1] < 9, body, (x, 0)), (V,)


@program
def while_in_branch() -> Made:
    return lambda x: lax.cond(x.sum() > 0, until(50), lambda y: y, x), (V,)


@program
def while_in_branch_not_taken() -> Made:
    return lambda x: lax.cond(x.sum() < 0, until(50), lambda y: y + 1, x), (V,)


@program
def while_in_condition() -> Made:
    return lambda x: lax.while_loop(lambda c: until(30)(c).sum() + c.sum() < 150, lambda c: c * 1.7, x), (V,)


@program
def cond_in_condition() -> Made:
    return lambda x: lax.while_loop(lambda c: capped(c).sum() < 30, lambda c: c * 1.7, x), (V,)


@program
def closed_over() -> Made:
    """A loop with constants for its condition and for its body."""

    def f(limit: Any, step: Any, x: Any) -> Any:
        return lax.while_loop(lambda c: c[1] < limit, lambda c: (c[0] + step, c[1] + c[0].sum()), (x, 0.0))

    return f, (np.float32(40), V, V)


@program
def scalar_choices() -> Made:
    """Steps accepted or rejected by one scalar that chooses several values."""

    def body(c: Any) -> Any:
        x, step, taken = c
        new = x + step
        good = (step < 0.5) | (taken % 3 == 0)
        return jnp.where(good, new, x), jnp.where(good, step * 1.5, step * 0.4), taken + 1

    return lambda x: lax.while_loop(lambda c: c[0] < 8, body, (x, 0.9, 0)), (np.float32(0.1),)


@program
def map_of_cond() -> Made:
    return lambda x: lax.map(lambda y: lax.cond(y > 1, jnp.sin, until(5), y), x), (V,)


@program
def associative_scan() -> Made:
    return lambda x: lax.associative_scan(jnp.multiply, x), (np.arange(9, dtype=np.float32),)


# batching


@program
def batched_while() -> Made:
    return jax.vmap(lambda x: lax.while_loop(lambda c: c < 100, lambda c: c * 2 + jnp.sin(c), x)), (V,)


@program
def batched_while_in_while() -> Made:
    def f(x: Any) -> Any:
        return lax.while_loop(lambda c: c < 100, lambda c: until(20)(c / 3) * 2 + c, x)

    return jax.vmap(f), (V,)


@program
def batched_while_shared_condition() -> Made:
    """The condition is one for all, what is carried is not."""

    def f(x: Any, n: Any) -> Any:
        return lax.fori_loop(0, n, lambda i, c: jnp.sin(c) + i, x)

    return jax.vmap(f, in_axes=(0, None)), (V, np.int32(4))


@program
def batched_cond_in_while() -> Made:
    return jax.vmap(lambda x: lax.while_loop(lambda c: c < 40, lambda c: capped(c[None])[0] + c + 1, x)), (V,)


@program
def batched_condition_with_while() -> Made:
    """The condition of a batched loop holds a loop itself."""
    return jax.vmap(lambda x: lax.while_loop(lambda c: until(5)(c) + c < 90, lambda c: c * 1.3, x)), (V,)


# calls and derivatives


@program
def jit_called_twice() -> Made:
    inner = jax.jit(until(30))
    return lambda x: inner(x) + inner(inner(x / 2)), (V,)


@program
def custom_vjp_of_while() -> Made:
    @jax.custom_vjp
    def f(x: Any) -> Any:
        return until(30)(x)

    f.defvjp(lambda x: (f(x), x), lambda x, g: (g,))
    return lambda x: f(x) * 2, (V,)


@program
def custom_vjp_grad() -> Made:
    @jax.custom_vjp
    def f(x: Any) -> Any:
        return until(30)(x)

    f.defvjp(lambda x: (until(30)(x), x), lambda x, g: (until(70)(x) * g,))
    return jax.grad(lambda x: f(x).sum()), (V,)


@program
def custom_jvp_grad() -> Made:
    @jax.custom_jvp
    def f(x: Any) -> Any:
        return until(30)(x)

    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0] * until(9)(primals[0])))
    return jax.grad(lambda x: f(x).sum()), (V,)


@program
def jvp_of_while() -> Made:
    return lambda x, t: jax.jvp(until(60), (x,), (t,)), (V, V)


@program
def remat_of_cond_grad() -> Made:
    return jax.grad(lambda x: jax.checkpoint(lambda y: capped(jnp.sin(y) * 9))(x).sum()), (V,)


@program
def scan_of_remat_of_cond_grad() -> Made:
    @jax.checkpoint
    def step(c: Any, y: Any) -> Any:
        return capped(jnp.sin(c) * y), None

    return jax.grad(lambda x: lax.scan(step, x, jnp.arange(1.0, 14.0))[0].sum()), (V,)


@program
def cond_in_scan_grad() -> Made:
    return jax.grad(lambda x: lax.scan(lambda c, y: (capped(c * y), None), x, jnp.arange(1.0, 9.0))[0].sum()), (V,)


@program
def hessian_of_cond() -> Made:
    return jax.hessian(lambda x: (capped(x * 8) ** 3).sum()), (V,)


@program
def linear_solve() -> Made:
    """A solver with a loop of its own, in a scan, differentiated."""

    def solve(matvec: Any, b: Any) -> Any:
        far = lambda x: jnp.abs(b - matvec(x)).max() > 1e-3  # noqa: E731
        return lax.while_loop(far, lambda x: x + (b - matvec(x)) / 8, b)

    def f(a: Any, b: Any) -> Any:
        return lax.custom_linear_solve(lambda x: a @ x, b, solve, solve).sum()

    return jax.grad(f, argnums=(0, 1)), (np.eye(3, dtype=np.float32) * 4 + 1, V)


@program
def custom_root() -> Made:
    def solve(f: Any, x: Any) -> Any:
        return lax.while_loop(lambda y: jnp.abs(f(y)) > 1e-3, lambda y: y - f(y) / (2 * y), x)

    def root(x: Any) -> Any:
        return lax.custom_root(lambda y: y * y - x, x, solve, lambda g, y: y / g(1.0))

    return jax.value_and_grad(root), (np.float32(2.0),)


@program
def dense_solve_grad() -> Made:
    return jax.grad(lambda a, b: jnp.linalg.solve(a, b).sum()), (np.eye(3, dtype=np.float32) * 4 + 1, V)


@program
def composite_of_cond() -> Made:
    @partial(lax.composite, name="tests.capped")
    def inner(x: Any) -> Any:
        return capped(x)

    return lambda x: inner(x * 20) + inner(x), (V,)


@program
def adaptive_ode() -> Made:
    return lambda x: odeint(lambda y, t, w: -w * jnp.sin(y), x, jnp.array([0.0, 1.0, 3.0]), 0.5), (V,)


@program
def adaptive_ode_grad() -> Made:
    def f(x: Any, w: Any) -> Any:
        return odeint(lambda y, t, w: -w * jnp.sin(5 * y), x, jnp.array([0.0, 1.0, 3.0]), w).sum()

    return jax.grad(f, argnums=(0, 1)), (V, np.float32(0.5))


# what is computed on


@program
def random_rejection() -> Made:
    def body(c: Any) -> Any:
        key, _ = jax.random.split(c[0])
        return key, jax.random.normal(key)

    return lambda key: lax.while_loop(lambda c: c[1] < 1.2, body, (key, 0.0))[1], (jax.random.key(3),)


@program
def batched_keys() -> Made:
    def body(c: Any) -> Any:
        key, _ = jax.random.split(c[0])
        return key, jax.random.normal(key)

    return jax.vmap(lambda key: lax.while_loop(lambda c: c[1] < 0.5, body, (key, 0.0))), (
        jax.random.split(jax.random.key(3), 4),
    )


@program
def int4() -> Made:
    def f(i: Any) -> Any:
        return lax.while_loop(lambda c: c[1] < 5, lambda c: ((c[0] + jnp.int4(1)), c[1] + 1), (i, 0))

    return f, (jnp.array([1, 2, -3], jnp.int4),)


@program
def bfloat16() -> Made:
    return until(100), (jnp.asarray(V, jnp.bfloat16),)


@program
def complex_numbers() -> Made:
    return lambda x: lax.while_loop(lambda c: jnp.abs(c).sum() < 50, lambda c: c * (1 + 1j), x), (
        V.astype(np.complex64),
    )


@program
def weakly_typed() -> Made:
    """Python numbers carried: weakly typed at first."""
    return lambda n: lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] * 1.5, ~c[2]), (0, 1.0, True)), (9,)


@program
def scatter_in_while() -> Made:
    return lambda x: lax.while_loop(lambda c: c.sum() < 50, lambda c: c.at[jnp.array([0, 2, 0])].add(c), x), (V,)


@program
def sorted_search() -> Made:
    return lambda a, x: jnp.searchsorted(jnp.sort(a), x, method="scan"), (V, V * 1.1)


@program
def platform_in_while() -> Made:
    def either(x: Any) -> Any:
        return lax.platform_dependent(x, tpu=jnp.cos, default=lambda y: until(3)(y) - 1)

    return lambda x: lax.while_loop(lambda c: c[1] < 4, lambda c: (either(c[0]), c[1] + 1), (x, 0)), (V,)


@program
def dead_loop() -> Made:
    """A loop whose result nobody takes, beside one that is needed."""

    def f(x: Any) -> Any:
        dead, live = until(1e6)(x), until(30)(x)
        return live, lax.scan(lambda c, _: (c + 1, until(1e5)(c)), dead, None, length=100)[0][:0]

    return lambda x: f(x)[0], (V,)


@program
def pure_callback_in_while() -> Made:
    def sine(x: Any) -> Any:
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    return lambda x: lax.while_loop(lambda c: c.sum() < 100, lambda c: c * 2 + sine(c), x), (V,)


@program
def ordered_effects() -> Made:
    def step(c: Any) -> Any:
        io_callback(lambda x: None, None, c, ordered=True)
        return capped(c) * 2

    return lambda x: lax.fori_loop(0, jnp.int32(x[0] * 10), lambda _, c: step(c), x), (V,)


@program
def debug_callback_in_branch() -> Made:
    def told(y: Any) -> Any:
        jax.debug.callback(lambda x: None, y)
        return y + 1

    return lambda x: lax.fori_loop(0, 5, lambda i, c: lax.cond(i > 2, told, jnp.sin, c), x), (V,)
