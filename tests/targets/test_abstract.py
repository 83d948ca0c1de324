"""Arguments from strings: what each short type is, and that no wrong type passes silently for another."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import pytest

from ltc_ir import UsageError
from ltc_ir.targets.parse_shapes import parse_types

pytestmark = pytest.mark.versions

NARROW = {
    "f32": "float32", "bf16": "bfloat16", "f16": "float16", "f8_e4m3fn": "float8_e4m3fn", "f8_e5m2": "float8_e5m2",
    "i4": "int4", "i8": "int8", "i16": "int16", "i32": "int32", "s32": "int32",
    "u4": "uint4", "u8": "uint8", "u16": "uint16", "u32": "uint32",
    "c64": "complex64", "pred": "bool", "bool": "bool", "float32": "float32", "bfloat16": "bfloat16",
}  # fmt: skip
WIDE = {"f64": "float64", "i64": "int64", "u64": "uint64", "c128": "complex128"}


@pytest.fixture
def wide() -> Iterator[None]:
    """64-bit types on."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("short", NARROW)
def test_an_element_type(short: str) -> None:
    (made,) = parse_types(f"{short}[2,3]")
    assert (made.shape, made.dtype.name) == ((2, 3), NARROW[short])
    assert isinstance(made, jax.ShapeDtypeStruct)


@pytest.mark.parametrize("short", WIDE)
def test_a_wide_type_where_those_are_on(short: str, wide: None) -> None:
    (made,) = parse_types(f"{short}[]")
    assert jax.eval_shape(lambda x: x, made).dtype.name == WIDE[short]


@pytest.mark.parametrize("short", WIDE)
def test_a_wide_type_never_becomes_a_narrow_one(short: str) -> None:
    with pytest.raises(UsageError, match="64-bit") as caught:
        parse_types(f"{short}[]")
    assert caught.value.hint == "add --x64"


@pytest.mark.parametrize("tag", ["fry", "rbg", "urbg"])
def test_a_random_key(tag: str) -> None:
    (made,) = parse_types(f"key<{tag}>[3]")
    assert made.shape == (3,)
    assert str(jax.jit(lambda key: key).trace(made).jaxpr.in_avals[0]) == f"key<{tag}>[3]"


def test_a_key_serves_as_one() -> None:
    (key,) = parse_types("key<fry>[]")
    assert jax.eval_shape(lambda key: jax.random.normal(key, (2,)), key).shape == (2,)


@pytest.mark.parametrize("text", ["f32[8,128] i32[] f32[8]", "f32[8, 128], i32[],f32[8]", "  f32[8,128];i32[] f32[8] "])
def test_several_arguments_however_they_are_parted(text: str) -> None:
    assert [(made.shape, made.dtype) for made in parse_types(text)] == [
        ((8, 128), jnp.float32), ((), jnp.int32), ((8,), jnp.float32),
    ]  # fmt: skip


def test_no_arguments_at_all() -> None:
    assert parse_types("") == ()


def test_a_size_of_zero_is_a_size() -> None:
    assert parse_types("f32[0]")[0].shape == (0,)


@pytest.mark.parametrize(
    "text",
    ["f32", "f32[8", "f32 8", "f32(8)", "[8]", "f32[-1]", "f32[2n]", "F32[8]", "f32[8]x", "f32[2.5]", "key<fry[]"],
)
def test_what_is_no_type_is_shown(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        parse_types(text)


@pytest.mark.parametrize(
    "text", ["q32[8]", "f33[8]", "sin[8]", "add[8]", "pi[8]", "ndarray[8]", "linalg[8]", "dtype[8]", "f8_x[2]"]
)
def test_a_name_that_is_no_element_type(text: str) -> None:
    with pytest.raises(UsageError, match="unknown element type"):
        parse_types(text)
    with pytest.raises(UsageError, match="unknown key type"):
        parse_types("key<foo>[]")


def test_nothing_is_allocated() -> None:
    assert parse_types("f32[1000000,1000000,1000000]")[0].shape == (10**6,) * 3


def test_a_size_may_be_named() -> None:
    sizes = {"n": 16, "m_1": 4}
    first, second = parse_types("f32[n, 8] i32[m_1]", sizes.get)
    assert (first.shape, second.shape) == ((16, 8), (4,))


def test_a_named_size_without_a_value_is_shown() -> None:
    with pytest.raises(UsageError, match="the size n of 'f32"):
        parse_types("f32[n]")


NO_TYPES = [
    "f32[2,,3]", "f32[,]", "f32[2,]", "f32[1 2]", "f32[-1]", "f32[1.5]", "f32[1e3]", "f32[0x1]", "f32[1_0]", "f32[\u0663]",
    "f32[\u00b2]", "f32[2,", "f32[[2]]", "f32]2[", "[2]", "f32", ",", ";", "f32[\0]", "\ud800", f"f32[{'9' * 19}]",
    f"f32[{'9' * 5000}]", "f" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_TYPES, ids=lambda text: ascii(text[:20])[1:-1])
def test_types_that_are_none_are_refused_and_never_guessed(text):
    with pytest.raises(UsageError, match=r"^--args: ") as caught:
        parse_types(text)
    assert len(caught.value.message.splitlines()) == 1


def test_types_may_be_spaced_and_large():
    shapes = parse_types(" f32[ 3 , 4 ] ;i32[]\n\tbf16[999999999999999999],u8[003]\n")
    assert [shape.shape for shape in shapes] == [(3, 4), (), (999999999999999999,), (3,)]
