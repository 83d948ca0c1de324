"""One spelling of element types on all three levels: each type of each JAX through a real program, and in a rule."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from ltc_ir import assert_ir, inspect
from ltc_ir.records import element_types
from tests.api.assertions.programs import failure

pytestmark = pytest.mark.versions

PLAIN = {
    "bool": "bool", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "uint8": "u8", "uint16": "u16",
    "uint32": "u32", "uint64": "u64", "float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64",
    "complex64": "c64", "complex128": "c128", "int4": "i4", "uint4": "u4", "float8_e4m3fn": "f8_e4m3fn",
    "float8_e5m2": "f8_e5m2", "float8_e4m3b11fnuz": "f8_e4m3b11fnuz", "float8_e4m3fnuz": "f8_e4m3fnuz",
    "float8_e5m2fnuz": "f8_e5m2fnuz",
}  # fmt: skip
NEWER = {
    "int2": "i2", "uint2": "u2", "float8_e3m4": "f8_e3m4", "float8_e4m3": "f8_e4m3", "float8_e8m0fnu": "f8_e8m0fnu",
    "float4_e2m1fn": "f4_e2m1fn",
}  # fmt: skip
"""Types that not every supported JAX has."""
MLIR = {
    "i1": "bool", "i8": "i8", "si8": "i8", "ui8": "u8", "i4": "i4", "ui4": "u4", "i64": "i64", "ui64": "u64", "f32": "f32",
    "bf16": "bf16", "f64": "f64", "complex<f32>": "c64", "complex<f64>": "c128", "f8E4M3FN": "f8_e4m3fn",
    "f8E5M2": "f8_e5m2", "f8E4M3B11FNUZ": "f8_e4m3b11fnuz", "f8E8M0FNU": "f8_e8m0fnu", "f4E2M1FN": "f4_e2m1fn",
    "f8E3M4": "f8_e3m4", "i2": "i2", "ui2": "u2", "index": "index",
}  # fmt: skip
HLO = {
    "pred": "bool", "s8": "i8", "u8": "u8", "s4": "i4", "u4": "u4", "s64": "i64", "f32": "f32", "bf16": "bf16", "f64": "f64",
    "c64": "c64", "c128": "c128", "f8e4m3fn": "f8_e4m3fn", "f8e5m2": "f8_e5m2", "f8e4m3b11fnuz": "f8_e4m3b11fnuz",
    "f8e8m0fnu": "f8_e8m0fnu", "f4e2m1fn": "f4_e2m1fn", "f8e3m4": "f8_e3m4", "s2": "i2", "opaque": "opaque",
}  # fmt: skip


def dtype_of(name: str) -> np.dtype:
    """The dtype of that name; the test that asks is skipped where this JAX does not take it."""
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    try:
        with jax.enable_x64() if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
            jax.eval_shape(lambda x: x, jax.ShapeDtypeStruct((2,), dtype))
            jax.jit(lambda x: x).lower(jax.ShapeDtypeStruct((2,), dtype))
    except (TypeError, ValueError, KeyError, NotImplementedError) as error:
        pytest.skip(f"this JAX does not take {name}: {error}")
    return dtype


@pytest.mark.parametrize("name", [*PLAIN, *NEWER])
def test_one_spelling_at_every_level(name):
    dtype, short = dtype_of(name), (PLAIN | NEWER)[name]
    x = jax.ShapeDtypeStruct((2, 3), dtype)
    found = inspect(lambda y: y.reshape(3, 2).T, (x,), x64=True)
    for word in (short, name):
        assert found.count(f"transpose[{word}]") == 1
        assert found.count(f"transpose[{word}]", level="stablehlo") == 1
        assert found.count(f"parameter[->{word}]", level="hlo") > 0
    for level, operation in (("jaxpr", "transpose"), ("stablehlo", "stablehlo.transpose"), ("hlo", "parameter")):
        entries = found.inventory(hlo=True).levels[level].weights
        assert {one.results for one in entries if one.name == operation} == {(short,)}
    other = "f32" if short != "f32" else "f64"
    assert found.count(f"transpose[{other}]") == found.count(f"transpose[{other}]", level="stablehlo") == 0
    assert found.bytes("transpose") == found.bytes("transpose", level="stablehlo")


@pytest.mark.parametrize("name", PLAIN)
def test_jax_itself_spells_it_so(name):
    dtype = dtype_of(name)
    assert jax.core.ShapedArray((), dtype).str_short(short_dtypes=True) == f"{PLAIN[name]}[]"


@pytest.mark.parametrize("name", [*PLAIN, *NEWER])
def test_of_a_dtype(name):
    assert element_types.of_dtype(name) == (PLAIN | NEWER)[name]


@pytest.mark.parametrize("name", MLIR)
def test_of_mlir(name):
    assert element_types.of_mlir(name) == MLIR[name]


@pytest.mark.parametrize("name", HLO)
def test_of_hlo(name):
    assert element_types.of_hlo(name) == HLO[name]


def test_keys():
    key = jax.random.key(0)
    assert element_types.of_dtype(str(key.dtype)) == "key<fry>"
    found = inspect(lambda k: jax.random.bits(k, (4,)), (key,))
    bits = [one for one in found.inventory().levels["jaxpr"].weights if one.name == "random_bits"]
    assert [(one.operands, one.results) for one in bits] == [(("key<fry>",), ("u32",))]
    assert found.count("random_bits[key<fry>->u32]") == 1
    assert found.count("random_split[key<fry>]") == 0
    assert inspect(jax.random.split, (key,)).count("random_split[key<fry>]") == 1


def test_tokens_are_no_type():
    def says(x):
        jax.debug.callback(lambda y: None, x, ordered=True)
        return x * 2

    found = inspect(says, (np.ones(3, np.float32),)).inventory(hlo=True)
    for level in found.levels.values():
        for entry in level.weights:
            assert not [kind for kind in (*entry.results, *entry.operands) if "token" in kind]
            assert entry.bytes is not None


def test_classes():
    def mixed(x):
        return (
            x.astype(jnp.int8),
            x.astype(jnp.uint8),
            x.astype(jnp.complex64),
            x.astype(jnp.bool_),
            x.astype(jnp.bfloat16),
        )

    x = (np.ones(3, np.float32),)
    for level in ("jaxpr", "stablehlo"):
        name = {"jaxpr": "convert_element_type", "stablehlo": "convert"}[level]
        assert_ir(mixed, x, *(f"{name}[->{kind}] = 1" for kind in ("int", "uint", "complex", "float")), level=level)
        assert f"{name}: 1" in failure(lambda: assert_ir(mixed, x, f"{name}[->int] = 2", level=level))  # noqa: B023
