"""How people hold a program with JAX alone: each form through six verbs, or refused with the reason and the way."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.forms import Form, check_refused, check_works

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("quick_compile")]

X = jnp.ones((4, 3))
W = jnp.full((3, 2), 0.5)
P = jax.sharding.PartitionSpec
MESH = jax.sharding.Mesh(np.array(jax.devices()[:4]), ("d",))
shard_map = (
    getattr(jax, "shard_map", None) or __import__("jax.experimental.shard_map", fromlist=["shard_map"]).shard_map
)


def loss(w: Any, x: Any) -> Any:
    return (jnp.tanh(x @ w) ** 2).mean()


def step(w: Any, x: Any) -> Any:
    return w - 0.1 * jax.grad(loss)(w, x), loss(w, x)


def power(x: Any, n: int = 2) -> Any:
    for _ in range(n):
        x = jnp.sin(x)
    return x.sum()


def passes_on(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


def casts(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(x: Any) -> Any:
        return fn(x.astype("bfloat16"))

    return wrapper


class Model:
    def __init__(self) -> None:
        self.w = W
        self.name = "model"

    @functools.partial(jax.jit, static_argnums=0)
    def energy(self, x: Any) -> Any:
        return (x @ self.w).sum()

    @functools.partial(jax.jit, static_argnums=(0, 2))
    def power(self, x: Any, n: int = 2) -> Any:
        return power(x, n)

    @functools.partial(jax.jit, static_argnums=0)
    def scaled(self, x: Any, scale: float = 2.0) -> Any:
        return (x * scale).sum()

    @classmethod
    @functools.partial(jax.jit, static_argnums=0)
    def of_class(cls, x: Any) -> Any:
        return power(x)

    @staticmethod
    @jax.jit
    def of_none(x: Any) -> Any:
        return power(x)

    def plain(self, x: Any) -> Any:
        return (x @ self.w).sum()


@dataclass
class Layer:
    w: Any
    b: Any
    name: str = "layer"

    def __call__(self, x: Any) -> Any:
        return jnp.tanh(x @ self.w + self.b)


class Jitted:
    @functools.partial(jax.jit, static_argnums=0)
    def __call__(self, x: Any) -> Any:
        return power(x)


class Params(NamedTuple):
    w: Any
    b: Any = None


class Transformed(NamedTuple):
    """As haiku makes one: two functions, of which one is applied."""

    init: Any
    apply: Any


class OnlyLowers:
    """As a library may wrap `jax.jit`: it lowers, and shows no jaxpr."""

    def __init__(self, fn: Any) -> None:
        self.__name__ = fn.__name__
        self._fn = jax.jit(fn)

    def __call__(self, x: Any) -> Any:
        return self._fn(x)

    def lower(self, x: Any) -> Any:
        return self._fn.lower(x)


class Counter:
    def __init__(self) -> None:
        self.w = W


def of_layer(layer: Layer, x: Any) -> Any:
    return layer(x).sum()


def moves(counter: Counter, x: Any) -> None:
    counter.w = counter.w - 0.1 * jax.grad(loss)(counter.w, x)


@jax.custom_vjp
def ruled(x: Any) -> Any:
    return jnp.sin(x).sum()


ruled.defvjp(lambda x: (ruled(x), x), lambda x, g: (g * jnp.cos(x),))
MODEL, LAYER = Model(), Layer(W, jnp.ones(2))
donating = jax.jit(step, donate_argnums=0)
sharded = jax.device_put(X, jax.sharding.NamedSharding(MESH, P("d")))
mapped = jax.pmap(lambda x: jax.lax.psum(jnp.sin(x), "i"), axis_name="i")
over_mesh = shard_map(jnp.sin, mesh=MESH, in_specs=P("d"), out_specs=P("d"))


def by_jit(fn: Any, *args: Any, **kwargs: Any) -> Any:
    return lambda: jax.jit(fn).trace(*args, **kwargs)


def same(fn: Any, *args: Any, **kwargs: Any) -> Form:
    """A function that JAX's own jit takes as it is."""
    return Form(fn, args, by_jit(fn, *args, **kwargs), kwargs)


def own(fn: Any, *args: Any, **kwargs: Any) -> Form:
    """A function that traces itself."""
    return Form(fn, args, lambda: fn.trace(*args, **kwargs), kwargs)


FORMS = {
    "a function": same(step, W, X),
    "a lambda": same(lambda x: x * 2, X),
    "a jit": own(jax.jit(step), W, X),
    "a jit that donates": own(donating, W, X),
    "a jit on a sharded array": own(jax.jit(jnp.sin), sharded),
    "a jit with statics by name": own(jax.jit(power, static_argnames="n"), X, n=3),
    "a jit with statics by position": own(jax.jit(power, static_argnums=1), X, 3),
    "jax.grad": same(jax.grad(loss), W, X),
    "jax.value_and_grad": same(jax.value_and_grad(loss), W, X),
    "jax.vmap": same(jax.vmap(loss, (None, 0)), W, jnp.ones((5, 4, 3))),
    "jax.checkpoint": same(jax.grad(jax.checkpoint(loss)), W, X),
    "jax.custom_vjp": same(ruled, X),
    "a partial": same(functools.partial(loss, W), X),
    "a partial of a jit": Form(functools.partial(donating, W), (X,), lambda: donating.trace(W, X)),
    "a partial of a jit with a static": Form(
        functools.partial(jax.jit(power, static_argnames="n"), n=3), (X,),
        lambda: jax.jit(power, static_argnames="n").trace(X, n=3),
    ),
    "a partial that is a tree": Form(
        jax.tree_util.Partial(jax.jit(step), W), (X,), lambda: jax.jit(step).trace(W, X)
    ),
    "a method": same(MODEL.plain, X),
    "a jitted method": Form(MODEL.energy, (X,), lambda: Model.energy.trace(MODEL, X)),
    "a jitted method with a static": Form(MODEL.power, (X, 3), lambda: Model.power.trace(MODEL, X, 3)),
    "a jitted method with a default": Form(MODEL.scaled, (X,), lambda: Model.scaled.trace(MODEL, X)),
    "a jitted class method": Form(Model.of_class, (X,), lambda: Model.of_class.__func__.trace(Model, X)),
    "a jitted static method": own(Model.of_none, X),
    "a dataclass that is called": same(LAYER.__call__, X),
    "an object that is called": Form(LAYER, (X,), by_jit(LAYER.__call__, X)),
    "an object with a jitted call": Form(jitted := Jitted(), (X,), lambda: Jitted.__call__.trace(jitted, X)),
    "a decorated jit": Form(passes_on(donating), (W, X), lambda: donating.trace(W, X)),
    "a decorated jit, twice": Form(passes_on(passes_on(donating)), (W, X), lambda: donating.trace(W, X)),
    "jax.vmap of a jit": same(jax.vmap(jax.jit(jnp.sum)), X),
    "jax.grad of a jit": same(jax.grad(jax.jit(loss)), W, X),
    "a decorator that casts": same(casts(jax.jit(jnp.sin)), X),
    "jax.pmap": Form(mapped, (jnp.ones((4, 3)),), lambda: mapped.lower(jnp.ones((4, 3)))),
    "shard_map": same(over_mesh, X),
    "a jit of shard_map": own(jax.jit(over_mesh), X),
    "a haiku-like apply": same(Transformed(None, loss).apply, W, X),
    "a dictionary, a list, None": same(lambda p, x, n: loss(p["w"][0], x), {"w": [W]}, X, None),
    "a named tuple": same(lambda p, x: loss(p.w, x), Params(W), X),
    "NumPy arrays": same(loss, np.asarray(W), np.asarray(X)),
    "a NumPy scalar": same(lambda x, s: x * s, X, np.float32(2)),
    "Python numbers": same(lambda x, n, s: x * n + s, X, 3, 0.5),
    "a random key": same(lambda key: jax.random.normal(key, (3,)), jax.random.key(0)),
    "a shape": Form(loss, (jax.ShapeDtypeStruct((3, 2), "float32"), X), by_jit(loss, W, X)),
    "keywords": same(loss, w=W, x=X),
    "a text": Form(lambda x, how: getattr(jnp, how)(x), (X, "sin"), by_jit(jnp.sin, X)),
    "a function as an argument": Form(lambda f, x: f(x).sum(), (jnp.sin, X), by_jit(lambda x: jnp.sin(x).sum(), X)),
    "a dataclass as an argument": Form(of_layer, (LAYER, X), by_jit(
        lambda w, b, x: of_layer(Layer(w, b), x), W, jnp.ones(2), X
    )),
    "a text as a keyword": Form(
        lambda x, how: getattr(jnp, how)(x), (X,), by_jit(jnp.sin, X), {"how": "sin"}
    ),
    "an object that is changed": Form(moves, (Counter(), X), by_jit(
        lambda w, x: w - 0.1 * jax.grad(loss)(w, x), W, X
    )),
    "only a lower method": Form(
        OnlyLowers(power), (X,), refused=("has a lower method and no trace method", "as_text(debug_info=True)")
    ),
    "an object for a jit": Form(
        jax.jit(of_layer), (LAYER, X), refused=("failed to trace", "every argument is a tree of arrays"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", [name for name in FORMS if not FORMS[name].refused])
def test_a_form_is_the_program_that_runs(form: str, tmp_path: Path) -> None:
    check_works(FORMS[form], tmp_path)


@pytest.mark.parametrize("form", [name for name in FORMS if FORMS[name].refused])
def test_a_form_is_refused_with_the_way(form: str, tmp_path: Path) -> None:
    check_refused(FORMS[form], tmp_path)
