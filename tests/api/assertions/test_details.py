"""Operands, results, bytes and attributes of operations, against JAX's avals, MLIR's text and XLA's protocol buffer."""

from __future__ import annotations

import collections
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltc_ir import inspect
from ltc_ir.compat import mlir
from ltc_ir.ir.details import MlirDetails
from ltc_ir.ir.hlo import parser as hlo_text
from ltc_ir.ir.hlo.details import of_instruction
from ltc_ir.ir.op import Details
from ltc_ir.targets.target import Target
from tests.api.assertions import programs as p
from tests.catalogue import get, names
from tests.ir import hlo_programs
from tests.oracles import jaxpr_recursion, jaxprs_within

pytestmark = pytest.mark.versions

_OF_MLIR = {
    "i1": ("bool", 1), "i4": ("i4", 0.5), "i8": ("i8", 1), "i16": ("i16", 2), "i32": ("i32", 4), "i64": ("i64", 8),
    "ui4": ("u4", 0.5), "ui8": ("u8", 1), "ui16": ("u16", 2), "ui32": ("u32", 4), "ui64": ("u64", 8), "f16": ("f16", 2),
    "bf16": ("bf16", 2), "f32": ("f32", 4), "f64": ("f64", 8), "complex<f32>": ("c64", 8), "complex<f64>": ("c128", 16),
    "f8E4M3FN": ("f8_e4m3fn", 1), "f8E5M2": ("f8_e5m2", 1),
}  # fmt: skip
_OF_XLA = {
    1: ("bool", 1), 2: ("i8", 1), 3: ("i16", 2), 4: ("i32", 4), 5: ("i64", 8), 6: ("u8", 1), 7: ("u16", 2), 8: ("u32", 4),
    9: ("u64", 8), 10: ("f16", 2), 11: ("f32", 4), 12: ("f64", 8), 15: ("c64", 8), 16: ("bf16", 2), 18: ("c128", 16),
    21: ("i4", 0.5), 22: ("u4", 0.5),
}  # fmt: skip
"""XLA's numbers of element types, in ``xla_data.proto``; 13 is a tuple, 14 opaque, 17 a token."""


def equations(jaxpr: Any) -> Iterator[Any]:
    """Every equation of a jaxpr, those of nested ones once per use."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_within(list(equation.params.values())):
            yield from equations(inner)


def of_avals(variables: Any) -> tuple[tuple[str, ...], int]:
    """The element types of variables as JAX prints them, and the bytes of their arrays."""
    kinds, size = [], 0
    for variable in variables:
        if hasattr(variable.aval, "dtype"):
            bare = jax.core.ShapedArray(variable.aval.shape, variable.aval.dtype)
            kinds.append(bare.str_short(short_dtypes=True).partition("[")[0])
            size += math.prod(bare.shape) * bare.dtype.itemsize
    return tuple(kinds), size


@pytest.mark.parametrize("name", names())
def test_of_equations(name):
    program = get(name)
    traced = program.trace()
    if jaxpr_recursion(traced.jaxpr).total() > 20_000:
        pytest.skip("its equations are too many to walk one by one")
    expected: Counter[Any] = Counter()
    for equation in equations(traced.jaxpr.jaxpr):
        (operands, _), (results, size) = of_avals(equation.invars), of_avals(equation.outvars)
        expected[equation.primitive.name, operands, results, size] += 1
    found: Counter[Any] = Counter()
    for row, number in inventory(name).levels["jaxpr"].weights.items():
        found[row.name, row.operands, row.results, row.bytes] += number
    assert found == expected


def inventory(name: str) -> Any:
    """The detailed tables of a test program, which is traced for its own platform."""
    program = get(name)
    with program.session():
        function, arguments = program.make()
        platform = None if program.lowers_on_cpu else program.platform
        return inspect(Target(function, arguments, name=name), platform=platform).inventory()


@pytest.mark.parametrize("name", names())
def test_of_mlir_operations(name):
    reader = MlirDetails()
    seen = 0
    for operation in flat_operations(get(name).lower().compiler_ir("stablehlo").operation):
        text = operation.get_asm(print_generic_op_form=True, large_elements_limit=4)
        signature = re.search(r" : \((.*)\) -> (.*)$", text.strip())
        assert signature, text
        detail = reader.of_operation(operation, Details.ALL)
        (operands, _), (results, size) = of_types(signature[1]), of_types(signature[2])
        assert (detail.operands, detail.results, detail.bytes) == (operands, results, size), text
        assert reader.of_operation(operation, Details.TYPES) == (results, (), (), None)
        seen += 1
    assert seen


def flat_operations(operation: Any) -> Iterator[Any]:
    """All operations below one, those that hold others left out."""
    pending = [operation]
    while pending:
        for region in pending.pop().regions:
            for block in region.blocks:
                for view in block.operations:
                    inner = view.operation
                    if len(inner.regions):
                        pending.append(inner)
                    else:
                        yield inner


def of_types(text: str) -> tuple[tuple[str, ...], int]:
    """The short element types of MLIR's text of some types, and the bytes of those tensors."""
    kinds, size = [], 0.0
    for dimensions, element in re.findall(r"tensor<((?:\d+x)*)((?:complex<\w+>)|\w+)", text):
        short, width = _OF_MLIR[element]
        kinds.append(short)
        size += math.ceil(math.prod(int(number) for number in dimensions.split("x") if number) * width)
    return tuple(kinds), int(size)


@pytest.mark.parametrize("name", hlo_programs.PROGRAMS)
def test_of_hlo_instructions(name):
    compiled = hlo_programs.program(name)
    serialised = hlo_programs.xla_module(compiled).as_serialized_hlo_module_proto()
    expected = shapes_of(serialised)
    module = hlo_text.parse(compiled.as_text())
    seen = 0
    for computation in module.computations:
        shapes = {one.name: one.shape for one in computation.instructions}
        for instruction in computation.instructions:
            detail = of_instruction(instruction, shapes, Details.ALL)
            results, size, operands = expected[computation.name, instruction.name]
            assert (detail.results, detail.bytes, detail.operands) == (results, size, operands), instruction
            seen += 1
    assert seen == len(expected)


def shapes_of(serialised: bytes) -> dict[tuple[str, str], tuple[tuple[str, ...], int, tuple[str, ...]]]:
    """Of each instruction of a serialised module its result types, their bytes, and its operands' types."""
    found = {}
    for number, value in hlo_programs.fields(serialised):
        if number != 3:
            continue
        computation = grouped(value)
        instructions = [grouped(one) for one in computation[2]]
        kinds = {instruction[35][0] & 0xFFFFFFFF: of_shape(instruction[3][0]) for instruction in instructions}
        for instruction in instructions:
            operands = [one & 0xFFFFFFFF for one in hlo_programs._numbers(instruction[36])]
            types = tuple(kind for one in operands for kind in kinds[one][0])
            results, size = of_shape(instruction[3][0])
            found[computation[1][0].decode(), instruction[1][0].decode()] = (results, size, types)
    return found


def grouped(message: bytes) -> dict[int, list[Any]]:
    found = collections.defaultdict(list)
    for number, value in hlo_programs.fields(message):
        found[number].append(value)
    return found


def of_shape(message: bytes) -> tuple[tuple[str, ...], int]:
    """The element types and the bytes of a ``ShapeProto``."""
    shape = grouped(message)
    kind = shape[2][0] if shape[2] else 0
    if kind == 13:
        parts = [of_shape(part) for part in shape[4]]
        return tuple(one for part in parts for one in part[0]), sum(part[1] for part in parts)
    if kind == 17:
        return (), 0
    short, width = _OF_XLA[kind]
    return (short,), math.ceil(math.prod(hlo_programs._numbers(shape[3])) * width)


def attributes(fn: Any, *args: Any, name: str, level: str, platform: str | None = None) -> dict[str, str]:
    """The attributes of the one operation of that name."""
    found = inspect(fn, args, platform=platform).inventory(hlo=level == "hlo").levels[level].weights
    [entry] = [one for one in found if one.name == name]
    return dict(entry.attributes)


def calls(x):
    options = {"flag": True, "other": np.bool_(False), "count": 3, "small": np.int32(4), "rate": np.float32(0.5)}
    return jax.ffi.ffi_call("my_kernel", x)(x, **options, word="fast", value=7, nested={"depth": 2})


def test_attributes_of_an_ffi_call_are_alike_in_a_jaxpr_and_in_stablehlo():
    x = jnp.ones(4)
    expected = {
        "flag": "True", "other": "False", "count": "3", "small": "4", "rate": "0.5", "word": "fast", "value": "7",
        "depth": "2", "target": "my_kernel",
    }  # fmt: skip
    for level, name in (("jaxpr", "ffi_call"), ("stablehlo", "stablehlo.custom_call")):
        found = attributes(calls, x, name=name, level=level)
        assert {key: found.get(key) for key in expected} == expected
    found = inspect(calls, (x,))
    for rule in ("flag=True", "flag=true", "other=False", "count=3", "rate=0.5", "word=fast", "value=7", "depth=2"):
        assert found.count(f"my_kernel[{rule}]") == found.count(f"custom_call[{rule}]") == 1
    assert found.count("my_kernel[flag=False]") == found.count("my_kernel[count=4]") == 0
    assert found.count("my_kernel[flag=True,count=3]") == 1
    assert found.count("my_kernel[flag=True,count=4]") == 0


def test_attributes_of_a_kernel_in_hlo():
    """A custom kernel cannot be compiled where it is not there, so one of JAX's own, and a text."""
    found = inspect(jnp.linalg.cholesky, (jnp.eye(4),))
    for level in ("stablehlo", "hlo"):
        assert found.count("custom_call[uplo=76]", level=level) == 1
        assert found.count("custom_call[uplo=77]", level=level) == 0
    given = '{a = true, b = 3 : i32, c = 5.000000e-01 : f32, d = "x = 1, y", e = dense<[1]> : tensor<1xi64>, f = {g = false}}'
    text = f'HloModule m\n\nENTRY e {{\n  ROOT k = f32[] custom-call(), custom_call_target="k", backend_config={given}\n}}\n'
    [(_, instruction)] = hlo_text.parse(text).instructions()
    attributes = dict(of_instruction(instruction, {}, Details.ALL).attributes)
    expected = {"a": "True", "b": "3", "c": "0.5", "d": "x = 1, y", "g": "False", "target": "k"}
    assert {key: value for key, value in attributes.items() if key != "backend_config"} == expected


def test_complex_values_of_attributes_are_left_out_and_end_nothing():
    def given(x):
        return jax.ffi.ffi_call("my_kernel", x)(x, weights=np.array([1 + 1j]), count=3) * (2 + 1j)

    x = jnp.ones(4, jnp.complex64)
    found = inspect(given, (x,))
    assert found.count("custom_call[count=3]") == found.count("my_kernel[count=3]") == 1
    assert found.count("constant[complex]", level="stablehlo") == 1
    assert (
        found.inventory().levels["stablehlo"].fingerprint
        == inspect(given, (x,)).inventory().levels["stablehlo"].fingerprint
    )


@pytest.mark.parametrize("level", ["jaxpr", "stablehlo", "hlo"])
def test_words_of_enumerations(level):
    name = "stablehlo.fft" if level == "stablehlo" else "fft"
    found = attributes(jnp.fft.fft, jnp.ones(4, jnp.complex64), name=name, level=level)
    assert found["fft_type"] == "FFT"
    assert inspect(jnp.fft.ifft, (jnp.ones(4, jnp.complex64),)).count("fft[fft_type=IFFT]", level=level) == 1
    assert inspect(jnp.fft.ifft, (jnp.ones(4, jnp.complex64),)).count("fft[fft_type=FFT]", level=level) == 0


def test_parameters_of_equations():
    def f(x):
        return jax.lax.sort(x, is_stable=False), jnp.cumsum(x, 0), x.astype(jnp.bfloat16)

    x = jnp.ones((4, 2))
    assert attributes(f, x, name="cumsum", level="jaxpr")["reverse"] == "False"
    assert attributes(f, x, name="cumsum", level="jaxpr")["axis"] == "0"
    assert attributes(f, x, name="sort", level="jaxpr")["is_stable"] == "False"
    assert attributes(f, x, name="convert_element_type", level="jaxpr")["new_dtype"] == "bfloat16"
    assert attributes(f, x, name="stablehlo.sort", level="stablehlo")["is_stable"] == "False"
    assert "dimensions" in attributes(f, x, name="sort", level="hlo")


def test_a_long_value_is_cut():
    def f(x):
        return jax.ffi.ffi_call("my_kernel", x)(x, word="a" * 5000)

    for level, name in (("jaxpr", "ffi_call"), ("stablehlo", "stablehlo.custom_call")):
        assert len(attributes(f, jnp.ones(4), name=name, level=level)["word"]) == 200


def test_the_name_of_a_pallas_kernel():
    x = jax.ShapeDtypeStruct((8, 128), jnp.float32)
    assert attributes(p.runs_pallas, x, name="pallas_call", level="jaxpr", platform="tpu")["name"] == "_doubles"


def test_a_string_that_is_no_text_ends_nothing():
    ir = mlir.mlir_ir()
    with ir.Context() as context:
        context.allow_unregistered_dialects = True
        module = ir.Module.parse(r'module { "x.y"() {body = "\FF\00", word = "é"} : () -> () }')
        [operation] = flat_operations(module.operation)
        found = dict(MlirDetails().of_operation(operation, Details.ALL).attributes)
    assert found["word"] == "é"
    assert "\\FF" in found["body"]


@pytest.mark.parametrize(
    ("dtype", "size"), [("int4", 5), ("uint4", 5), ("bool", 9), ("int8", 9), ("bfloat16", 18), ("complex64", 72)]
)
def test_bytes_of_nine_elements_are_the_same_at_every_level(dtype, size):
    found = inspect(lambda x: x[::-1], (jax.ShapeDtypeStruct((9,), dtype),))
    assert found.bytes("rev") == found.bytes("reverse", level="stablehlo") == size
    hlo = found.inventory(hlo=True).levels["hlo"].weights
    assert {one.bytes for one in hlo if one.name == "parameter"} == {size}


def test_all_operations_have_bytes():
    found = inspect(jax.grad(p.products), (jax.ShapeDtypeStruct((4, 4), jnp.float32),))
    for level in ("jaxpr", "stablehlo", "hlo"):
        assert found.bytes("total", level=level) > found.bytes("total", phase="backward", level=level) > 0
