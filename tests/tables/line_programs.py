"""Programs that name the line of each of their operations: a size of an array is written in one line alone.

Values between lines are scalars, so whatever makes an array of 101 elements, its derivative included, is the work of the
line where 101 is written. Some kinds of line have a part in the arrays of others, and are marked: one that runs a loop, a
branch or a call (``# region``) slices, stacks and zero-fills its arrays, and one that calls a function with its own rule of
differentiation (``# rule``) is the line that JAX gives to all the rule does inside a loop or in a backward pass. So it is, from
JAX 0.12 on, with one that runs a solver (``# solver``), which JAX traces again when it lowers the program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import io_callback
from jax.experimental import pallas as pl

LIBRARY = """\
import jax, jax.numpy as jnp
from jax import lax
def act(x):
    return jnp.tanh(x) * x
def down(depth, function, x):
    return function(x) if depth == 0 else down(depth - 1, function, x)
def through(function, x):
    return function(x * 1.5) + 0.5
def scanned(function, x):
    return lax.scan(lambda c, _: (function(c), None), x, None, length=3)[0]
@jax.custom_jvp
def smooth(x):
    return jnp.log(1 + jnp.exp(x))
smooth.defjvps(lambda t, result, x: t * lax.logistic(x))
"""
_names: dict[str, Any] = {"__name__": "somelib.core"}
exec(compile(LIBRARY, "/anywhere/site-packages/somelib/core.py", "exec"), _names)
library = SimpleNamespace(**_names)


def straight(x):
    y = jnp.sin(x * jnp.arange(101.0)).sum()
    z = (jnp.cos(y + jnp.arange(103.0)) ** 2).max()
    return jnp.exp(z * jnp.ones(107)).mean()


def wave(x):
    return jnp.sin(x * jnp.arange(101.0)).sum()


def helpers(x):
    def inner(y):
        return jnp.tanh(y * jnp.arange(103.0)).sum()

    return inner(wave(x)) + jnp.abs(inner(x) - jnp.arange(107.0)).sum()


def lambdas(x):
    first, second = (lambda y: jnp.sin(y * jnp.arange(101.0)).sum()), lambda y: jnp.cos(y * jnp.arange(103.0)).sum()
    return (  # noqa: PLC3002 - lambdas over several lines
        lambda y: (
            jnp.tanh(y * jnp.arange(107.0)).sum(),
            jnp.exp(y + jnp.arange(109.0)).sum(),
        )
    )(second(first(x)))[1]


def comprehensions(x):
    parts = [jnp.sin(x * k * jnp.arange(101.0)).sum() for k in (1.0, 2.0)]
    table = {
        k: jnp.cos(part * jnp.arange(103.0)).sum()
        for k, part in enumerate(parts)
    }  # fmt: skip
    return sum(jnp.tanh(v * jnp.arange(107.0)).sum() for v in table.values())


def generators(x):
    def pieces(y) -> Iterator[Any]:
        yield jnp.sin(y * jnp.arange(101.0)).sum()
        yield jnp.cos(y * jnp.arange(103.0)).sum()

    return functools.reduce(lambda a, b: a + jnp.tanh(b * jnp.arange(107.0)).sum(), pieces(x))


def library_in_scan(x):
    def body(c, _):
        d = jax.nn.gelu(c * jnp.arange(101.0)).sum()
        e = jnp.linalg.norm(library.act(d * jnp.arange(103.0)))
        return e, jnp.sin(e)

    return lax.scan(body, x, None, length=3)[0]  # region


def library_in_fori(x):
    def body(i, c):
        return jax.nn.softmax(c * i * jnp.arange(101.0)).max()

    return lax.fori_loop(0, 4, body, x)  # region


def library_in_while(x):
    def going(c):
        return jnp.linalg.norm(c * jnp.arange(101.0)) < 10

    def body(c):
        return 2 * jax.nn.gelu(c * jnp.arange(103.0)).sum()

    return lax.while_loop(going, body, x)  # region


def branches(x):
    y = lax.cond(  # region
        x > 0,
        lambda z: jax.nn.gelu(z * jnp.arange(101.0)).sum(),
        lambda z: jnp.linalg.norm(z * jnp.arange(103.0)),
        x,
    )
    cases = [lambda z: library.act(z * jnp.arange(107.0)).sum(), lambda z: z, wave_of_109]
    return lax.switch(jnp.int32(y), cases, y)  # region


def wave_of_109(x):
    return jnp.cos(x + jnp.arange(109.0)).sum()


def deep(x):
    def body(c, _):
        def inner(d, _):
            e = lax.cond(  # region
                d > 0,
                lambda z: jax.nn.gelu(z * jnp.arange(101.0)).sum(),
                jax.checkpoint(lambda z: jnp.linalg.norm(jnp.sin(z * jnp.arange(103.0)))),
                d,
            )
            return e, None

        return lax.scan(inner, library.act(c * jnp.arange(107.0)).sum(), None, length=3)[0], None  # region

    return lax.scan(body, x, None, length=2)[0]  # region


def remat(x):
    @jax.checkpoint
    def block(y):
        z = jnp.sin(y * jnp.arange(101.0)).sum()
        return library.act(z * jnp.arange(103.0)).sum()

    return jnp.cos(block(x) * jnp.arange(107.0)).sum()


def remat_in_scan(x):
    @functools.partial(jax.checkpoint, policy=jax.checkpoint_policies.dots_saveable)
    def layer(c, _):
        d = jnp.sin(c * jnp.arange(101.0)).sum()
        return jax.nn.gelu(d * jnp.arange(103.0)).sum(), None

    return lax.scan(layer, x, None, length=3)[0]  # region


def hoisted(x):
    def body(c, _):
        masked = jnp.where(jnp.abs(jnp.arange(101) - 7) > 2, 0.0, jnp.exp(x)).sum()
        return masked * jnp.sin(c), jnp.exp(x * jnp.arange(103.0)).sum()

    y, ys = lax.scan(body, x, None, length=3)  # region
    return y + ys.sum()


@jax.custom_jvp
def with_jvp(x):
    return jnp.sin(x * jnp.arange(127.0)).sum()


@with_jvp.defjvp
def with_jvp_rule(primals, tangents):
    (x,), (t,) = primals, tangents
    value = jnp.sin(x * jnp.arange(131.0)).sum()
    return value, t * jnp.cos(x * jnp.arange(137.0)).sum()


def own_jvp(x):
    y = with_jvp(x)  # rule
    return jnp.exp(y * jnp.arange(109.0)).sum()


@jax.custom_vjp
def with_vjp(x):
    return jnp.sin(x * jnp.arange(101.0)).sum()


def with_vjp_forward(x):
    return jnp.sin(x * jnp.arange(103.0)).sum(), x


def with_vjp_backward(x, t):
    return (t * jnp.cos(x * jnp.arange(107.0)).sum(),)


with_vjp.defvjp(with_vjp_forward, with_vjp_backward)


def own_vjp(x):
    y = with_vjp(x)  # rule
    return jnp.exp(y * jnp.arange(109.0)).sum()


def own_rules_in_scan(x):
    def body(c, _):
        d = with_vjp(c) + with_jvp(c)  # rule
        return library.smooth(d * jnp.arange(109.0)).sum(), None

    return lax.scan(body, x, None, length=3)[0]  # region


@jax.jit
def jitted(x):
    return library.act(x * jnp.arange(101.0)).sum()


def nested_jits(x):
    @jax.jit
    def outer(y):
        return jitted(y) + jnp.cos(y * jnp.arange(103.0)).sum()

    def body(i, c):
        d = jitted(c)  # region
        return d * jnp.sin(c * jnp.arange(107.0)).sum()

    a = outer(x)
    b = outer(a)
    return jitted(b) + lax.fori_loop(0, 3, body, b)  # region


def doubled(function):
    @functools.wraps(function)
    def wrapped(*arguments):
        return jnp.abs(function(*arguments) * jnp.arange(101.0)).sum()

    return wrapped


@doubled
@jax.jit
@doubled
def decorated_once(x):
    return jnp.sin(x * jnp.arange(103.0)).sum()


def decorated(x):
    return decorated_once(x) + jnp.cos(x * jnp.arange(107.0)).sum()


class Layer:
    scale = 2.0

    def __call__(self, x):
        return jnp.sin(self.scale * x * jnp.arange(101.0)).sum()

    @classmethod
    def made(cls, x):
        return jnp.cos(cls.scale * x * jnp.arange(103.0)).sum()

    @staticmethod
    def plain(k, x):
        return jnp.tanh(k * x * jnp.arange(107.0)).sum()

    @property
    def bound(self):
        return functools.partial(self.plain, 3.0)

    def __add__(self, x):
        return jnp.exp(x * jnp.arange(109.0)).sum()


def objects(x):
    layer = Layer()
    return layer + layer.bound(Layer.made(layer(x)))


def called_back(x):
    a = library.through(lambda y: jnp.sin(y * jnp.arange(101.0)).sum(), x)
    b = library.scanned(lambda y: jnp.cos(y * jnp.arange(103.0)).sum(), a)  # region
    tree = jax.tree.map(lambda y: jnp.tanh(y * jnp.arange(107.0)).sum(), {"a": a, "b": b})
    return library.down(20, library.act, (tree["a"] + tree["b"]) * jnp.arange(109.0)).sum()


def vectorized(x):
    each = jnp.vectorize(lambda y: jnp.sin(y * jnp.arange(101.0)).sum())
    one = jax.vmap(lambda y: jnp.cos(y * jnp.arange(103.0)).sum())(each(x)[None])
    return one.sum() * lax.map(lambda y: jnp.tanh(y * jnp.arange(107.0)).sum(), one).sum()  # region


def integrated(x):
    from jax.experimental.ode import odeint

    def rate(y, t, x):
        return -y * jnp.sin(x * t * jnp.arange(101.0)).sum()

    return odeint(rate, x, jnp.array([0.0, 1.0]), x)[1]  # region


def solved(x):
    def residual(y):
        return jnp.sin(y + x * jnp.arange(101.0)).sum() - 0.5

    def solve(f, y):
        return lax.fori_loop(0, 5, lambda _, z: z - 0.1 * f(z) * jnp.cos(z * jnp.arange(103.0)).sum(), y)  # region

    def tangent(g, y):
        return y / g(jnp.cos(jnp.arange(107.0)).sum())  # solver

    return lax.custom_root(residual, x, solve, tangent)  # solver


def derivatives(x):
    def f(y):
        return jnp.sin(y * jnp.arange(101.0)).sum()

    _, tangent = jax.jvp(f, (x,), (jnp.cos(x * jnp.arange(103.0)).sum(),))
    value, pullback = jax.vjp(lambda y: jnp.exp(y * jnp.arange(107.0)).sum(), tangent)
    return pullback(value)[0] + jax.hessian(lambda y: jnp.tanh(y * jnp.arange(109.0)).sum())(x)


def gradient_in_scan(x):
    def body(c, _):
        g = jax.grad(lambda y: (jax.nn.gelu(y * jnp.arange(101.0)) ** 3).sum())(c)
        return jnp.sin(g * jnp.arange(103.0)).sum(), None

    return jnp.cos(lax.scan(body, x, None, length=3)[0] * jnp.arange(107.0)).sum()  # region


def vmapped_cond(x):
    def one(y):
        return lax.cond(  # region
            y > 0,
            lambda z: jnp.sin(z * jnp.arange(101.0)).sum(),
            lambda z: jnp.cos(z * jnp.arange(103.0)).sum(),
            y,
        )

    return jax.vmap(one)(jnp.stack([x])).sum()


def host(size: int) -> Callable[..., Any]:
    return lambda v: np.full(size, v.sum(), np.float32)


def callbacks(x):
    y = jax.pure_callback(host(101), jax.ShapeDtypeStruct((101,), jnp.float32), x).sum()
    z = io_callback(host(103), jax.ShapeDtypeStruct((103,), jnp.float32), y, ordered=True).sum()
    jax.debug.print("{v}", v=jnp.cos(z * jnp.arange(107.0)))

    def body(c, _):
        ones = jax.ShapeDtypeStruct((109,), jnp.float32)
        d = library.through(lambda v: jax.pure_callback(host(109), ones, v), c).sum()
        return library.act(d * jnp.arange(113.0)).sum(), jax.debug.callback(host(127), c * jnp.arange(127.0))

    return lax.scan(body, z, None, length=2)[0]


def foreign(x):
    def body(i, c):
        other = jax.ffi.ffi_call("some_other", jax.ShapeDtypeStruct((103,), jnp.float32))
        return c + (library.through(other, c) * jnp.ones(103)).sum()  # the kernel is made where it is called

    kernel = jax.ffi.ffi_call("some_kernel", jax.ShapeDtypeStruct((101,), jnp.float32))
    y = (kernel(x) * jnp.ones(101)).sum()
    return lax.fori_loop(0, 2, body, y)


def updates(x):
    y = jnp.zeros(101).at[jnp.int32(x)].add(jnp.sin(x)).sum()
    z = jnp.sort(jnp.cos(y * jnp.arange(103.0)))[0]
    return jnp.cumsum(z * jnp.arange(107.0))[-1] + jax.random.normal(jax.random.key(0), (109,)).sum()


def scale_kernel(x_ref, o_ref):
    o_ref[...] = jnp.sin(x_ref[...] * jnp.arange(101.0))


def kernels(x):
    def call(y, z):
        return pl.pallas_call(scale_kernel, jax.ShapeDtypeStruct((101,), jnp.float32), interpret=True)(y + z)  # region

    def body(c, _):
        return library.through(lambda y: call(y, jnp.zeros(101)).sum(), c), None  # region

    return lax.scan(body, call(x, jnp.cos(jnp.arange(103.0)).sum()[None])[0], None, length=2)[0]


def double_kernel(x_ref, o_ref):
    o_ref[...] = x_ref[...] * 2.0  # in the kernel


def tpu_kernel(x):
    call = pl.pallas_call(double_kernel, jax.ShapeDtypeStruct((8, 128), jnp.float32))

    def body(c, _):
        return library.through(call, c), None  # kernel called

    return lax.scan(body, jnp.broadcast_to(x, (8, 128)), None, length=2)[0].sum()


PROGRAMS: tuple[Callable[..., Any], ...] = (
    straight, helpers, lambdas, comprehensions, generators, library_in_scan, library_in_fori, library_in_while, branches,
    deep, remat, remat_in_scan, hoisted, own_jvp, own_vjp, own_rules_in_scan, nested_jits, decorated, objects, called_back,
    vectorized, integrated, solved, derivatives, gradient_in_scan, vmapped_cond, callbacks, foreign, updates, kernels,
)  # fmt: skip
WITHOUT_GRADIENT = frozenset({"library_in_while", "callbacks", "foreign", "kernels"})
NOT_COMPILED = frozenset({"foreign"})
"""Programs whose kernels exist nowhere."""
