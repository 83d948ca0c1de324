"""Programs made to mislead whoever attributes phases, each with the phases of some primitives reasoned out by hand.

``m @ x`` is one ``dot_general``, ``lax.sin`` one ``sin``; a gradient's ``sin`` and the ``cos`` of its derivative run forward,
only the products with cotangents run backward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Phases = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Case:
    """A maker of a fresh function and its arguments, and how many of some primitives each phase has."""

    make: Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]
    phases: Phases


CASES: dict[str, Case] = {}


def case(**phases: Mapping[str, int]) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a maker under its own name with the phases of its primitives."""

    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        CASES[make.__name__] = Case(make, phases)
        return make

    return register


def vector() -> jax.Array:
    return jnp.linspace(0.5, 1.5, 3, dtype=jnp.float32)


def product(x: Any) -> Any:
    """One ``dot_general`` by a constant."""
    return (jnp.eye(3, dtype=jnp.float32) * 2 + 0.1) @ x


def sine(x: Any) -> Any:
    return lax.sin(product(x))


def with_rule(helper: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The helper as a function with a rule of its own that calls it forward and, once, backward."""
    f = jax.custom_vjp(helper)
    f.defvjp(lambda x: (helper(x), x), lambda x, g: (g * helper(x),))
    return f


ONCE_EACH = {"primal": 1, "forward": 1, "backward": 1}

# gradients


@case(dot_general={"forward": 2, "backward": 3}, tanh={"forward": 1})
def plain_network() -> Any:
    """Two layers without inner jits: backward, each weight's gradient and the hidden layer's."""

    def loss(params: Any, x: Any) -> Any:
        return (lax.tanh(x @ params[0]) @ params[1]).sum()

    return jax.value_and_grad(loss), ((jnp.ones((3, 4)), jnp.ones((4, 2))), jnp.ones((5, 3)))


@case(dot_general={"forward": 2, "backward": 3, "primal": 2}, tanh={"forward": 1, "primal": 1})
def training_step() -> Any:
    """A jitted loss, its gradient and the loss again."""

    @jax.jit
    def loss(params: Any, x: Any) -> Any:
        return (lax.tanh(x @ params[0]) @ params[1]).sum()

    def step(params: Any, x: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(params, x)
        return value, jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), loss(params, x)

    return step, ((jnp.ones((3, 4)), jnp.ones((4, 2))), jnp.ones((5, 3)))


@case(dot_general={"forward": 2}, sin={"forward": 1}, cos={"forward": 1})
def jvp_alone() -> Any:
    return lambda x: jax.jvp(sine, (x,), (x,)), (vector(),)


@case(dot_general={"forward": 2}, sin={"forward": 1}, cos={"forward": 1})
def linearize_alone() -> Any:
    def f(x: Any) -> Any:
        y, push = jax.linearize(sine, x)
        return y, push(x)

    return f, (vector(),)


@case(dot_general={"backward": 1})
def transpose_alone() -> Any:
    return lambda g: jax.linear_transpose(product, g)(g), (vector(),)


@case(dot_general={"forward": 2, "backward": 2})
def second_derivative() -> Any:
    """Of the gradient's two products, each and its tangent."""
    return jax.hessian(lambda x: sine(x).sum()), (vector(),)


@case(dot_general={"forward": 1, "backward": 1}, sin={"forward": 1}, cos={"forward": 1})
def gradient_of_each_row() -> Any:
    return jax.vmap(jax.value_and_grad(lambda x: sine(x).sum())), (jnp.ones((2, 3)),)


@case(dot_general={"forward": 2, "backward": 2})
def gradient_in_a_jit_in_a_jvp() -> Any:
    inner = jax.jit(jax.grad(lambda x: sine(x).sum()))
    return lambda x: jax.jvp(jax.jit(inner), (x,), (x,)), (vector(),)


@case(dot_general={"forward": 1, "backward": 2}, sin={"forward": 1}, cos={"backward": 1})
def rule_of_its_own() -> Any:
    """All of a custom_vjp's second rule runs backward, its own products and functions too."""
    f = jax.custom_vjp(sine)
    f.defvjp(lambda x: (sine(x), x), lambda x, g: (product(g * lax.cos(product(x))),))
    return jax.value_and_grad(lambda x: f(x).sum()), (vector(),)


@case(dot_general={"forward": 2, "backward": 1}, sin={"forward": 1}, cos={"forward": 1})
def tangent_rule_of_its_own() -> Any:
    f = jax.custom_jvp(sine)
    f.defjvp(lambda p, t: (f(p[0]), lax.cos(product(p[0])) * product(t[0])))

    def loss(x: Any) -> Any:
        return f(x).sum()

    return lambda x: jax.vjp(loss, x)[1](1.0), (vector(),)


# recomputation


@case(
    dot_general={"forward": 2, "recompute": 2, "backward": 2},
    sin={"forward": 1, "recompute": 1},
    cos={"recompute": 1},
    tanh={"forward": 1, "recompute": 1},
)
def rematerialised() -> Any:
    def f(x: Any) -> Any:
        return jax.checkpoint(lambda y: lax.tanh(product(sine(y))))(x).sum()

    return jax.value_and_grad(f), (vector(),)


@case(dot_general={"forward": 1, "recompute": 1, "backward": 1}, tanh={"forward": 1, "recompute": 1})
def scan_of_rematerialised() -> Any:
    step = jax.checkpoint(lambda c, y: (lax.tanh(product(c * y)), None))
    return jax.value_and_grad(lambda x: lax.scan(step, x, x)[0].sum()), (vector(),)


@case(dot_general={"primal": 1, "forward": 1, "recompute": 1, "backward": 1}, cos={"recompute": 1})
def rematerialised_and_primal() -> Any:
    h = jax.checkpoint(sine)
    return lambda x: (h(x), jax.value_and_grad(lambda y: h(y).sum())(x)), (vector(),)


# one function, several phases


@case(dot_general=ONCE_EACH, sin=ONCE_EACH)
def helper_in_three_phases() -> Any:
    h = jax.jit(sine)
    f = with_rule(h)
    return lambda x: (jax.value_and_grad(lambda y: f(y).sum())(x), h(x)), (vector(),)


@case(dot_general=ONCE_EACH, sin=ONCE_EACH)
def helper_forward_then_primal_then_backward() -> Any:
    """JAX 0.6.x writes the first caller's names into the function."""
    h = jax.jit(sine)

    def program(x: Any) -> Any:
        y, pull = jax.vjp(with_rule(h), x)
        return pull(h(y))

    return program, (vector(),)


@case(dot_general=ONCE_EACH, sin=ONCE_EACH)
def helper_primal_then_forward_then_backward() -> Any:
    h = jax.jit(sine)

    def program(x: Any) -> Any:
        y, pull = jax.vjp(with_rule(h), h(x))
        return pull(y)

    return program, (vector(),)


@case(dot_general={"primal": 1, "forward": 1, "backward": 2}, sin=ONCE_EACH, cos={"forward": 1})
def helper_backward_first() -> Any:
    h = jax.jit(sine)
    f = jax.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (x * 2, x), lambda x, g: (g * h(x),))

    def program(x: Any) -> Any:
        y, pull = jax.vjp(f, x)
        (g,) = pull(y)
        z, pull = jax.vjp(h, g)
        return pull(z), h(z)

    return program, (vector(),)


@case(sin={"primal": 3, "forward": 2, "backward": 1})
def helper_of_helpers() -> Any:
    h = jax.jit(sine)
    twice = jax.jit(lambda x: h(h(x) + 1))
    f = jax.custom_vjp(twice)
    f.defvjp(lambda x: (twice(x), x), lambda x, g: (g * h(x),))

    def program(x: Any) -> Any:
        y, pull = jax.vjp(f, x)
        (g,) = pull(twice(y))
        return g, h(g)

    return program, (vector(),)


@case(dot_general=ONCE_EACH, sin=ONCE_EACH)
def shared_static_loop() -> Any:
    h = jax.jit(lambda x: lax.fori_loop(0, 3, lambda i, c: sine(c) * 2.5, x))
    f = with_rule(h)
    return lambda x: (jax.value_and_grad(lambda y: f(y).sum())(x), h(x)), (vector(),)


@case(dot_general=ONCE_EACH, sin=ONCE_EACH)
def shared_dynamic_loop() -> Any:
    h = jax.jit(lambda x: lax.while_loop(lambda c: c.sum() < 3.0, lambda c: sine(c) * 2.5, x))
    f = with_rule(h)
    return lambda x: (jax.value_and_grad(lambda y: f(y).sum())(x), h(x)), (vector(),)


@case(dot_general=ONCE_EACH, sin=ONCE_EACH, cos=ONCE_EACH)
def shared_branches() -> Any:
    h = jax.jit(lambda x: lax.cond(x.sum() > 1, sine, lambda y: lax.cos(y) * 3, x))
    f = with_rule(h)
    return lambda x: (jax.value_and_grad(lambda y: f(y).sum())(x), h(x)), (vector(),)


@case(dot_general=ONCE_EACH, sin=ONCE_EACH)
def shared_scatter() -> Any:
    """On JAX 0.6.x a scatter's update bears no name stack at all."""
    h = jax.jit(lambda x: sine(x.at[jnp.array([0, 1, 0])].add(x)))
    f = with_rule(h)
    return lambda x: (jax.value_and_grad(lambda y: f(y).sum())(x), h(x)), (vector(),)


@case(sin=ONCE_EACH)
def shared_callback() -> Any:
    """A lowering rule that asks for its location itself writes another kind of name from JAX 0.7 on."""

    def seen(x: Any) -> Any:
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return lax.sin(jax.pure_callback(np.sin, shape, x))

    f = with_rule(seen)
    return lambda x: (jax.value_and_grad(lambda y: f(y).sum())(x), seen(x)), (vector(),)


@case(sin={"primal": 1, "forward": 2}, cos={"forward": 2})
def sums_of_all_phases() -> Any:
    """From JAX 0.10 on the addition inside a function's sum has a name in HLO that does not tell its caller."""
    total = jax.jit(lambda x: jnp.sum(lax.sin(x)))
    return lambda x: (total(x), jax.value_and_grad(lambda y: total(y) * total(y * 2))(x)), (vector(),)


@case(dot_general={"primal": 1, "forward": 1}, sin={"primal": 1, "forward": 1})
def helper_in_a_jvp_and_beside() -> Any:
    """What does not depend on the argument is forward all the same, and every JAX lowers one function for both calls."""
    h = jax.jit(sine)
    return lambda x: (jax.jvp(lambda z: z * h(vector()), (x,), (x,)), h(x)), (vector(),)


# functions named like transforms


@case(sin={"primal": 1, "forward": 1}, cos={"forward": 1})
def functions_named_transpose_and_jvp() -> Any:
    @jax.jit
    def transpose(x: Any) -> Any:
        return lax.sin(x).sum()

    @jax.jit
    def jvp(x: Any) -> Any:
        return transpose(x * x)

    return lambda x: (jvp(x), jax.value_and_grad(jvp)(x)), (vector(),)


def _renamed(name: str) -> Any:
    def f(x: Any) -> Any:
        return lax.sin(x).sum()

    f.__name__ = name
    g = jax.jit(f)
    return lambda x: (g(x), jax.grad(lambda y: lax.tanh(y).sum())(x)), (vector(),)


@case(sin={"primal": 1}, tanh={"forward": 1})
def function_renamed_like_a_transform() -> Any:
    return _renamed("transpose(jvp(x))")


@case(sin={"primal": 1}, tanh={"forward": 1})
def function_renamed_like_a_path() -> Any:
    return _renamed("a/transpose(jvp())/b")


# scopes spelled like transforms

CLEAR = (
    "transpose(x)",
    "jvp(y)",
    "transpose(jvp(x))",
    "vmap(jvp(z))",
    "linearize(q)",
    "jvp(a)/jvp(a)b",
    "x)y",
    "f(x",
    "a/b",
)
"""Scopes of the user's that AD cannot have written in these programs, which have no scope ``x``, ``y``, …"""
ALIKE = ("jvp()", "transpose(jvp())", "a/transpose(jvp())/b", "jvp(", "transpose(", "jvp(while)")
"""Scopes of the user's that AD writes as well, or that break the names they stand in."""


def scoped(scope: str, body: Callable[[Any], Any] = lax.sin) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        with jax.named_scope(scope):
            return body(x * x).sum()

    return f


def _in_a_scan(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: lax.scan(lambda c, y: (f(c * y), None), x.sum(), x)[0]


def _of_all_phases(scope: str) -> Callable[[Any], Any]:
    h = jax.jit(scoped(scope))
    f = with_rule(lambda x: h(x) * x)
    return lambda x: (jax.value_and_grad(lambda y: f(y).sum())(x), h(x))


def _beside(scope: str, other: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: (scoped(scope)(x), jax.value_and_grad(other)(x))


def _table(scope: str) -> dict[str, tuple[Callable[[], Callable[..., Any]], Phases]]:
    forward: Phases = {"sin": {"forward": 1}, "cos": {"forward": 1}}
    beside: Phases = {"sin": {"primal": 1}, "tanh": {"forward": 1}}
    grad = jax.value_and_grad
    return {
        "primal": (lambda: scoped(scope), {"sin": {"primal": 1}}),
        "primal in jit": (lambda: lambda x: jax.jit(scoped(scope))(x) * 2, {"sin": {"primal": 1}}),
        "primal in scan": (lambda: _in_a_scan(scoped(scope)), {"sin": {"primal": 1}}),
        "gradient": (lambda: grad(scoped(scope)), forward),
        "gradient in jit": (lambda: grad(jax.jit(scoped(scope))), forward),
        "gradient of scan": (lambda: grad(_in_a_scan(scoped(scope))), forward),
        "beside a gradient": (lambda: _beside(scope, lambda y: lax.tanh(y).sum()), beside),
        "beside its own gradient": (lambda: _beside(scope, scoped(scope, lax.tanh)), beside),
        "beside what it spells": (lambda: _beside(scope, scoped("x", scoped("y", lax.tanh))), beside),
        "shared": (lambda: _of_all_phases(scope), {"sin": ONCE_EACH}),
    }


def _made(make: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: (make(), (vector(),))


SCOPED = {
    f"{place}: {scope}": Case(_made(make), phases)
    for scope in (*CLEAR, *ALIKE)
    for place, (make, phases) in _table(scope).items()
}
