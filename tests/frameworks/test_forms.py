"""How people hold a program with Flax, Equinox and optax: each form through six verbs, by the library's own trace."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir import Target
from ltc_ir.errors import NOTES
from tests.forms import Form, check_works
from tests.oracles import jaxpr_recursion

eqx = pytest.importorskip("equinox", reason="needs the frameworks extra: equinox")
optax = pytest.importorskip("optax", reason="needs the frameworks extra: optax")
pytest.importorskip("flax", reason="needs the frameworks extra: flax")

from flax import linen, nnx  # noqa: E402 - after what skips without it
from flax.training.train_state import TrainState  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.usefixtures("quick_compile")]

X = jnp.ones((4, 3))
SHAPE = jax.ShapeDtypeStruct((4, 3), "float32")


class Net(nnx.Module):
    """Two layers of NNX and statistics, which change in place."""

    def __init__(self, rngs: Any) -> None:
        self.first = nnx.Linear(3, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.second = nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.second(jnp.tanh(self.norm(self.first(x))))

    @nnx.jit
    def jitted(self, x: Any) -> Any:
        return self(x).sum()


def nnx_loss(model: Any, x: Any) -> Any:
    return (model(x) ** 2).mean()


def nnx_step(model: Any, optimizer: Any, x: Any) -> Any:
    value, gradient = nnx.value_and_grad(nnx_loss)(model, x)
    optimizer.update(model, gradient)
    return value


def scaled(model: Any, x: Any, how: str) -> Any:
    return getattr(jnp, how)(model(x))


class Dense(linen.Module):
    """A layer of Linen."""

    @linen.compact
    def __call__(self, x: Any) -> Any:
        return linen.Dense(2)(x)


class Head(eqx.Module):
    """An Equinox module with a jitted method."""

    weight: Any

    @eqx.filter_jit
    def jitted(self, x: Any) -> Any:
        return (x @ self.weight).sum()


def eqx_loss(model: Any, x: Any) -> Any:
    return (jax.vmap(model)(x) ** 2).mean()


def eqx_step(model: Any, state: Any, x: Any) -> Any:
    value, gradient = eqx.filter_value_and_grad(eqx_loss)(model, x)
    updates, state = ADAM.update(gradient, state, model)
    return eqx.apply_updates(model, updates), state, value


def linen_step(state: Any, x: Any) -> Any:
    gradient = jax.grad(lambda params: (state.apply_fn(params, x) ** 2).mean())(state.params)
    return state.apply_gradients(grads=gradient)


def optax_step(optimizer: Any, w: Any, state: Any, x: Any) -> Any:
    updates, state = optimizer.update(jax.grad(lambda w: ((x @ w) ** 2).mean())(w), state, w)
    return optax.apply_updates(w, updates), state


ADAM = optax.adam(1e-3)
NET = Net(nnx.Rngs(0))
OPTIMIZER = nnx.Optimizer(NET, ADAM, wrt=nnx.Param)
MLP = eqx.nn.MLP(3, 2, 8, 1, key=jax.random.key(0))
STATE = ADAM.init(eqx.filter(MLP, eqx.is_inexact_array))
ARRAYS, REST = eqx.partition(MLP, eqx.is_array)
HEAD = Head(jnp.ones((3, 2)))
W = jnp.ones((3, 2))
LINEN = Dense()
VARIABLES = LINEN.init(jax.random.key(0), X)
TRAIN = TrainState.create(apply_fn=LINEN.apply, params=VARIABLES, tx=ADAM)


def by_nnx(fn: Any, *args: Any, refer: Any = None) -> Form:
    """A function and NNX's own trace of it, or of ``refer``."""
    return Form(fn, args, lambda: (refer or nnx.jit(fn)).trace(*args))


def by_equinox(fn: Any, *args: Any) -> Form:
    """A function of Equinox's jit, which only lowers: its jit inside traces what it lowers."""
    return Form(fn, args, lambda: fn.lower(*args))


def on_arrays(fn: Any, *args: Any) -> Form:
    """A function on an Equinox module, by hand on the arrays in it, what is no array left out of the result."""

    def by_hand() -> Any:
        arrays, rest = eqx.partition(args, eqx.is_array)
        return jax.jit(lambda arrays: eqx.filter(fn(*eqx.combine(arrays, rest)), eqx.is_array)).trace(arrays)

    return Form(fn, args, by_hand)


jitted_step = nnx.jit(nnx_step)
donating_step = nnx.jit(nnx_step, donate_argnums=(0, 1))
filtered_step = eqx.filter_jit(eqx_step)
filtered_donating = eqx.filter_jit(eqx_step, donate="all")

FORMS = {
    "nnx.jit": by_nnx(jitted_step, NET, OPTIMIZER, X, refer=jitted_step),
    "nnx.jit that donates": by_nnx(donating_step, NET, OPTIMIZER, X, refer=donating_step),
    "nnx.jit on a shape": Form(jitted_step, (NET, OPTIMIZER, SHAPE), lambda: jitted_step.trace(NET, OPTIMIZER, X)),
    "nnx.jit with a static": by_nnx(
        nnx.jit(scaled, static_argnames="how"), NET, X, "sin", refer=nnx.jit(scaled, static_argnames="how")
    ),
    "a method under nnx.jit": Form(NET.jitted, (X,), lambda: Net.jitted.trace(NET, X)),
    "a partial of nnx.jit": Form(functools.partial(jitted_step, NET), (OPTIMIZER, X), lambda: jitted_step.trace(
        NET, OPTIMIZER, X
    )),
    "nnx.grad": by_nnx(nnx.grad(nnx_loss), NET, X),
    "nnx.value_and_grad": by_nnx(nnx.value_and_grad(nnx_loss), NET, X),
    "nnx.remat": by_nnx(nnx.remat(nnx_loss), NET, X),
    "an NNX loss": by_nnx(nnx_loss, NET, X),
    "an NNX step that changes its arguments": by_nnx(nnx_step, NET, OPTIMIZER, X),
    "an NNX loss with a text": Form(
        scaled, (NET, X, "sin"), lambda: nnx.jit(lambda model, x: scaled(model, x, "sin")).trace(NET, X)
    ),
    "eqx.filter_jit": by_equinox(filtered_step, MLP, STATE, X),
    "eqx.filter_jit that donates": by_equinox(filtered_donating, MLP, STATE, X),
    "eqx.filter_jit on a shape": Form(filtered_donating, (MLP, STATE, SHAPE), lambda: filtered_donating.lower(
        MLP, STATE, X
    )),
    "a method under eqx.filter_jit": Form(HEAD.jitted, (X,), lambda: Head.jitted.lower(HEAD, X)),
    "eqx.filter_grad": on_arrays(eqx.filter_grad(eqx_loss), MLP, X),
    "eqx.filter_value_and_grad": on_arrays(eqx.filter_value_and_grad(eqx_loss), MLP, X),
    "an Equinox step": on_arrays(eqx_step, MLP, STATE, X),
    "a module with functions in it": on_arrays(eqx_loss, MLP, X),
    "a module as a function": Form(MLP, (X[0],), lambda: jax.jit(MLP.__call__).trace(X[0])),
    "Linen's apply": Form(LINEN.apply, (VARIABLES, X), lambda: jax.jit(LINEN.apply).trace(VARIABLES, X)),
    "a train state": Form(linen_step, (TRAIN, X), lambda: jax.jit(linen_step).trace(TRAIN, X)),
    "an optimizer as an argument": Form(optax_step, (ADAM, W, ADAM.init(W), X), lambda: jax.jit(
        functools.partial(optax_step, ADAM)
    ).trace(W, ADAM.init(W), X)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_the_program_that_runs(form: str, tmp_path: Path) -> None:
    check_works(FORMS[form], tmp_path)


def test_the_users_model_is_left_as_it_was() -> None:
    model = Net(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, ADAM, wrt=nnx.Param)
    before = jax.tree.leaves((nnx.state(model), nnx.state(optimizer)))
    for _ in range(2):
        ltc_ir.count(Target(nnx_step, (model, optimizer, X)), programs=["forward"])
    ltc_ir.time(Target(nnx_step, (model, optimizer, X)), programs=["forward"], repeat=1, limit_s=0.01)
    after = jax.tree.leaves((nnx.state(model), nnx.state(optimizer)))
    assert all(old is new for old, new in zip(before, after, strict=True))


def test_the_gradient_of_a_module_is_of_its_inexact_arrays() -> None:
    made = ltc_ir.count(Target(eqx_loss, (MLP, X)), programs=["grad"], levels=["jaxpr"])
    by_hand = jax.jit(jax.grad(lambda a: eqx_loss(eqx.combine(a, REST), X))).trace(ARRAYS)
    assert made.programs["grad"]["jaxpr"].tally.ops["dot_general"] == str(by_hand.jaxpr).count("dot_general[")


def test_the_gradient_of_an_nnx_loss_is_of_its_parameters() -> None:
    made = ltc_ir.count(Target(nnx_loss, (NET, X)), programs=["grad"], levels=["jaxpr"])
    by_hand = nnx.jit(nnx.grad(nnx_loss)).trace(NET, X).traced
    assert made.programs["grad"]["jaxpr"].tally.total == sum(jaxpr_recursion(by_hand.jaxpr).values())


def test_what_is_static_is_said_in_one_line() -> None:
    NOTES.clear()
    ltc_ir.count(Target(eqx_loss, (MLP, X), name="loss"), programs=["forward", "grad"], levels=["jaxpr"])
    assert [note for note in NOTES if "static" in note] == [
        "eqx_loss: static are argument 0.activation, argument 0.final_activation (not arrays)"
    ]


def test_phases_of_a_step_under_a_library_jit() -> None:
    for fn, args in ((jitted_step, (NET, OPTIMIZER, X)), (filtered_step, (MLP, STATE, X))):
        made = ltc_ir.count(Target(fn, args), programs=["forward"]).programs["forward"]
        assert made["jaxpr"].attributed["phase"] == 1.0
        for level in ("jaxpr", "stablehlo"):
            assert {"primal", "forward", "backward"} <= set(made[level].tally.phases)
            assert "attributed.marks" not in made[level].reasons
