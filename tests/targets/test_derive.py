"""The programs a target has, and the gradient that is made of its function: right, or refused with the reason."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir import Program, Target, TargetError, UsageError
from ltc_ir.targets.derive import make_program, program_names
from tests.oracles import jaxpr_recursion

pytestmark = pytest.mark.versions

X = jax.ShapeDtypeStruct((3,), "float32")
N = jax.ShapeDtypeStruct((3,), "int32")


def same(target: Target, program: str, fn: Any, *args: Any, **kwargs: Any) -> None:
    """Hold a program's text against that of the same written by hand."""
    made = ltc_ir.lower(target, program=program, form="jaxpr").decode()
    jax.clear_caches()
    assert made == str(jax.jit(fn).trace(*(args or target.args), **(kwargs or target.kwargs)).jaxpr) + "\n"


def energy(x: Any) -> Any:
    return (x * x).sum()


def product(x: Any, y: Any) -> Any:
    return (x * y).sum()


def test_a_scalar_function_has_its_gradient() -> None:
    same(Target(energy, (X,)), "grad", jax.grad(energy))


@pytest.mark.parametrize("argnums", [0, 1, (0, 1), (1, 0), -1])
def test_argnums(argnums: Any) -> None:
    same(Target(product, (X, X), argnums=argnums), "grad", jax.grad(product, argnums=argnums))


@pytest.mark.parametrize("loss", ["sum", "mean"])
def test_a_reduction_as_loss(loss: str) -> None:
    def by_hand(x: Any) -> Any:
        return getattr(jnp, loss)(jnp.sin(x))

    same(Target(jnp.sin, (X,), loss=loss), "loss", by_hand)
    same(Target(jnp.sin, (X,), loss=loss), "grad", jax.grad(by_hand))


def test_a_reduction_over_a_tree_is_over_all_of_it() -> None:
    def by_hand(x: Any) -> Any:
        doubled = x * 2
        return jnp.sum(x) + jnp.sum(doubled)

    same(Target(lambda x: {"a": x, "b": [x * 2]}, (X,), loss="sum"), "loss", by_hand)


def test_a_function_as_loss() -> None:
    same(Target(jnp.sin, (X,), loss=lambda y: (y**2).max()), "grad", jax.grad(lambda x: (jnp.sin(x) ** 2).max()))


def test_has_aux() -> None:
    def fn(x: Any) -> Any:
        return energy(x), x

    same(Target(fn, (X,), has_aux=True), "grad", jax.grad(fn, has_aux=True))
    same(
        Target(lambda x: (x, x), (X,), has_aux=True, loss="sum"), "grad",
        jax.grad(lambda x: (jnp.sum(x), x), has_aux=True),
    )  # fmt: skip


def test_keywords() -> None:
    same(Target(product, (X,), {"y": X}), "forward", product)
    same(Target(product, (X,), {"y": X}), "grad", jax.grad(product))


def test_statics() -> None:
    def power(n: int, x: Any, *, twice: bool = False) -> Any:
        return (x**n).sum() * (2 if twice else 1)

    target = Target(power, (3, X), {"twice": True}, static_argnums=(0,), static_argnames=("twice",), argnums=1)
    made = ltc_ir.lower(target, program="grad", form="jaxpr").decode()
    jax.clear_caches()
    by_hand = jax.jit(jax.grad(power, argnums=1), static_argnums=0, static_argnames="twice")
    assert made == str(by_hand.trace(3, X, twice=True).jaxpr) + "\n"


def test_names_in_order() -> None:
    assert program_names(Target(energy, (X,))) == ("forward", "grad")
    more = Target(
        energy, (X,), loss="sum", programs={"train_step": Program(energy, (X,)), "extra": Program(energy, (X,))}
    )
    assert program_names(more) == ("forward", "loss", "grad", "train_step", "extra")
    assert list(ltc_ir.count(more, levels=["jaxpr"]).programs) == ["forward", "loss", "grad", "train_step", "extra"]


def test_a_program_given_outright_replaces_the_derived_one() -> None:
    given = Program(jnp.cos, (X,))
    assert make_program(Target(energy, (X,), programs={"grad": given}), "grad") is given


REFUSED = {
    "array output": (Target(jnp.sin, (X,)), r"the output is float32\[3\], not a real scalar", "--loss"),
    "several outputs": (
        Target(lambda x: (x.sum(), x.sum()), (X,)),
        r"the output is float32\[\], float32\[\]",
        "--loss",
    ),
    "no output": (Target(lambda x: None, (X,)), "the output is nothing", "--loss"),
    "integer output": (Target(jnp.argmax, (X,)), r"the output is int32\[\]", "--loss"),
    "complex output": (Target(lambda x: (x * 1j).sum(), (X,)), r"the output is complex64\[\]", "--loss"),
    "integer argument": (Target(product, (N, X)), "argument 0 is int32, not a float", "--argnums"),
    "Python integer": (Target(product, (1, X)), "argument 0 is int32, not a float", "--argnums"),
    "integers in a tree": (Target(lambda p: p["n"].sum(), ({"n": N},)), r"argument 0\['n'\] is int32", "--argnums"),
    "text as an argument": (Target(product, ("a", X)), "argument 0 is str, not a float", "--argnums"),
    "no such argument": (Target(energy, (X,), argnums=1), "no argument 1 among 1", "--argnums"),
    "no arguments": (Target(lambda: 1.0), "no argument 0 among 0", "--argnums"),
    "static argument": (Target(product, (X, X), static_argnums=(-2,)), "argument 0 is static", "--argnums"),
    "unknown loss": (Target(energy, (X,), loss="max"), "unknown loss 'max'", "sum, mean"),
}


def test_the_gradient_is_of_the_inexact_leaves() -> None:
    def weighted(tree: Any, x: Any) -> Any:
        return (tree["x"] * x).sum() * tree["n"]

    target = Target(weighted, ({"n": jnp.int32(2), "x": X}, X))
    by_hand = jax.jit(jax.grad(lambda leaf, n, x: weighted({"n": n, "x": leaf}, x))).trace(X, jnp.int32(2), X)
    made = ltc_ir.count(target, programs=["grad"], levels=["jaxpr"])
    assert made.programs["grad"]["jaxpr"].tally.total == sum(jaxpr_recursion(by_hand.jaxpr).values())


def test_of_several_arguments_and_with_what_else_is_returned() -> None:
    def weighted(n: Any, tree: Any, x: Any) -> Any:
        return (tree["x"] * x).sum() * tree["n"], n

    values = jnp.ones(3)
    target = Target(weighted, (3, {"n": jnp.int32(2), "x": values}, values), argnums=(1, 2), has_aux=True)
    program = make_program(target, "grad")
    (tree, x), aux = program.fn(*program.args)
    assert tree["n"] is None and tree["x"].shape == x.shape == (3,) and aux == 3


@pytest.mark.parametrize("why", REFUSED)
def test_no_gradient_and_why(why: str) -> None:
    target, message, hint = REFUSED[why]
    with pytest.raises(UsageError, match=message) as caught:
        ltc_ir.lower(target, program="grad")
    assert hint in str(caught.value.hint)


def test_what_was_not_asked_for_is_left_out_with_its_reason() -> None:
    made = ltc_ir.count(Target(jnp.sin, (X,)), levels=["jaxpr"])
    assert list(made.programs) == ["forward"]
    assert "not a real scalar" in made.unavailable["grad"]
    with pytest.raises(UsageError):
        ltc_ir.count(Target(jnp.sin, (X,)), programs=["grad"], levels=["jaxpr"])


def test_a_function_that_fails_is_not_left_out() -> None:
    def fails(x: Any) -> Any:
        raise RuntimeError("boom")

    with pytest.raises(TargetError, match="boom"):
        ltc_ir.count(Target(fails, (X,)), levels=["jaxpr"])


def test_a_gradient_alone_that_fails_is_the_functions_failure() -> None:
    @jax.custom_vjp
    def f(x: Any) -> Any:
        return x.sum()

    def backward(_: Any, g: Any) -> Any:
        raise RuntimeError("no way back")

    f.defvjp(lambda x: (x.sum(), None), backward)
    with pytest.raises(TargetError, match="no way back"):
        ltc_ir.lower(Target(f, (X,)), program="grad")


def test_an_unknown_program_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="no program 'loss'") as caught:
        ltc_ir.lower(Target(energy, (X,)), program="loss")
    assert caught.value.hint == "this target has forward, grad"


class Scaled:
    """A callable object that has no hash, like one that holds arrays."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, x: Any) -> Any:
        return (x * 2).sum()


def test_a_callable_object_without_a_hash() -> None:
    target = Target(Scaled(), (X,))
    same(target, "forward", lambda x: (x * 2).sum())
    same(target, "grad", jax.grad(lambda x: (x * 2).sum()))


def test_what_a_function_says_is_one_whole_line() -> None:
    def fails(x: Any) -> Any:
        raise ValueError(f"seen {fails} (\n  with\n  more)\nand no more")

    with pytest.raises(TargetError) as caught:
        ltc_ir.lower(Target(fails, (X,), name="it"))
    assert "ValueError: seen <function" in caught.value.message
    assert "( with more)" in caught.value.message
    assert "no more" not in caught.value.message and " at 0x" not in caught.value.message


def test_a_loss_nobody_knows_is_refused_for_every_program():
    for program in ("forward", "loss", "grad"):
        with pytest.raises(UsageError, match="unknown loss 'sumx'"):
            make_program(Target(lambda x: x, (1.0,), loss="sumx"), program)


@pytest.mark.parametrize("argnums", [(0, 0), (1, -1)])
def test_an_argument_named_twice_is_refused(argnums):
    with pytest.raises(UsageError, match="is named twice"):
        make_program(Target(lambda x, y: x * y, (1.0, 2.0), argnums=argnums), "grad")
