"""A target at another size: what it offers by name, a dimension of an argument, a static argument, an open size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from ltc_ir import Target, TargetError, UsageError
from ltc_ir.records.request import Options
from ltc_ir.targets.find import find
from ltc_ir.targets.sizes import resized, sizes_of

pytestmark = pytest.mark.versions


def sized(name: str, size: str, value: int, **options: Any) -> Target:
    return find(f"sized:{name}", Options(size=(size, value), **options))


def shapes(target: Target) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in jax.tree.leaves((target.args, target.kwargs)) if hasattr(leaf, "shape")]


@pytest.mark.parametrize(
    ("name", "size", "found"),
    [
        ("product", "x.0", [(16, 4), (4, 2)]),
        ("product", "x.1+y.0", [(8, 16), (16, 2)]),
        ("product", "y.-1", [(8, 4), (4, 16)]),
        ("product", "1.1", [(8, 4), (4, 16)]),
        ("layer", "params.w.0+params.b.0", [(16, 4), (16,), (4,)]),
        ("layer", "params.w.1+batch.x.0", [(8, 16), (8,), (16,)]),
        ("tower", "height", [(16,)]),
    ],
)
def test_a_dimension(name: str, size: str, found: list[tuple[int, ...]], folder: Path):
    made = sized(name, size, 16)
    assert shapes(made) == found
    assert made.name == f"sized:{name}"


def test_a_static_argument_that_has_a_default(folder: Path):
    made = sized("unrolled", "steps", 16)
    assert (made.kwargs, made.static_argnames) == ({"steps": 16}, ("steps",))


def test_a_static_argument_by_place(folder: Path):
    made = resized(Target(lambda x, n: x * n, (jnp.ones(3), 2), static_argnums=(-1,)), "n", 16)
    assert made.args[1] == 16


def test_an_open_size_of_args(folder: Path):
    made = sized("product", "k", 16, args="f32[8, k] f32[k,k]")
    assert shapes(made) == [(8, 16), (16, 16)]


@pytest.mark.parametrize(
    ("size", "found"), [("k+m", [(16, 16), (16, 16)]), ("k+y.1", [(16, 4), (4, 16)])]
)  # fmt: skip
def test_open_sizes_that_belong_together(size: str, found: list[tuple[int, ...]], folder: Path):
    assert shapes(sized("product", size, 16, args="f32[k,m] f32[m,k]" if "m" in size else "f32[k,4] f32[4,2]")) == found


def test_a_size_that_the_target_offers(folder: Path):
    made = sized("STACK", "depth", 5)
    assert jax.make_jaxpr(made.fn)(*made.args).jaxpr.eqns.__len__() == 5


@pytest.mark.parametrize(("size", "parameters", "points"), [("hidden", 624, 100), ("points", 184, 16)])
def test_the_models_offer_hidden_and_points(size: str, parameters: int, points: int):
    made = find("ltc", Options(size=(size, 16)))
    assert made.args[0].shape == (parameters,)
    assert jax.eval_shape(made.fn, *made.args).shape == (points, 16 if size == "hidden" else 8)
    assert all(program.args[0].shape == (parameters,) for program in made.programs.values())
    values, _ = made.programs["grad"].values()
    assert values[0].shape == (parameters,)


def test_values_of_another_size_are_not_kept():
    target = Target(jnp.sin, (jnp.ones(3),), values=lambda: ((jnp.ones(3),), {}))
    made = resized(target, "0.0", 8)
    assert isinstance(made.args[0], jax.ShapeDtypeStruct)
    assert made.values is None


@pytest.mark.parametrize(
    ("name", "size", "message", "hint"),
    [
        ("product", "z.0", "sized:product has no size 'z.0'", "it has x.0, x.1, y.0, y.1"),
        ("product", "x.2", "sized:product has no size 'x.2'", "it has x.0"),
        ("product", "x.w.0", "sized:product has no size 'x.w.0'", "it has x.0"),
        ("product", "x.", "sized:product has no size 'x.'", "it has x.0"),
        ("product", "k", "sized:product has no size 'k'", "it has x.0"),
        ("product", "x.--1", "sized:product has no size 'x.--1'", "it has x.0"),
        ("product", "x.\u00b2", "sized:product has no size 'x.\u00b2'", "it has x.0"),
        ("product", "\u00b2.0", "sized:product has no size '\u00b2.0'", "it has x.0"),
        ("moded", "mode", "sized:moded: the default of mode is no integer", "it has x.0"),
        ("moded", "flag", "sized:moded: the default of flag is no integer", "it has x.0"),
        ("layer", "params.0", "sized:layer has no size 'params.0'", "params.w.0, params.w.1, params.b.0, batch.x.0"),
        ("traced", "n", "sized:traced: n is traced", "--static-argnames n"),
        ("STACK", "none", "sized:STACK: none=16 gave int", "return (fn, (x,))"),
    ],
)
def test_what_is_no_size(name: str, size: str, message: str, hint: str, folder: Path):
    with pytest.raises(UsageError) as caught:
        sized(name, size, 16)
    assert message in caught.value.message
    assert hint in str(caught.value.hint)


def test_a_target_with_programs_of_its_own_has_the_sizes_it_offers():
    with pytest.raises(UsageError) as caught:
        find("ltc", Options(size=("0.0", 16)))
    assert caught.value.hint == "it has hidden, points"


def test_a_size_that_fails_is_the_target_s_failure(folder: Path):
    with pytest.raises(TargetError, match=r"picky=16 failed to make: ValueError: too deep \(sized.py:"):
        sized("STACK", "picky", 16)


def test_an_open_size_without_a_value(folder: Path):
    with pytest.raises(UsageError, match="the size k of 'f32") as caught:
        find("sized:product", Options(args="f32[8,k] f32[4,2]"))
    assert "--sweep k=8,16,32" in str(caught.value.hint)


def test_what_a_target_has(folder: Path):
    assert sizes_of(find("sized:unrolled")) == ["x.0", "steps"]
    assert sizes_of(find("sized:STACK")) == ["depth", "picky", "none", "x.0"]
    assert sizes_of(find("ltc")) == ["hidden", "points"]
