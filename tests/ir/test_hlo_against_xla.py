from __future__ import annotations

import collections
import re
import sys

import jax
import jax.numpy as jnp
import pytest

from ltc_ir.ir.hlo import parser as hlo_text
from ltc_ir.ir.hlo import scanner as hlo_scan
from ltc_ir.ir.hlo.parser import TextFrame, parse
from ltc_ir.ir.hlo.shapes import shape_bytes

from .hlo_programs import (
    PROGRAMS,
    Listed,
    dumped,
    lower,
    program,
    sharded_program,
    xla_listing,
    xla_module,
)


def read_listing(text):
    """What our reader says of each instruction, in the terms of XLA's listing."""
    module = parse(text)
    return [
        Listed(c.name, i.name, i.opcode, i.operands, tuple(name for _, name in i.called), i.op_name or "", i.is_root)
        for c, i in module.instructions()
    ]


def unordered(listing):
    """Order free; and a while names its condition first in the text, its body first in XLA's listing."""
    return collections.Counter(item._replace(called=tuple(sorted(item.called))) for item in listing)


@pytest.mark.versions
@pytest.mark.parametrize("name", PROGRAMS)
def test_reads_what_xla_lists(name):
    listing = xla_listing(xla_module(program(name)).as_serialized_hlo_module_proto())
    assert listing
    assert unordered(read_listing(program(name).as_text())) == unordered(listing)


# where the Python names differ from the opcodes by more than dashes and capitals
ABBREVIATED = {
    "sin": "sine",
    "cos": "cosine",
    "log1p": "logplusone",
    "exp": "exponential",
    "expm1": "exponentialminusone",
}


@pytest.mark.versions
@pytest.mark.parametrize("name", PROGRAMS)
def test_names_and_opcodes_equal_xlas_python_listing(name):
    module = xla_module(program(name))
    if not hasattr(module.computations()[0], "instructions"):
        pytest.skip(f"JAX {jax.__version__} has no HloComputation.instructions()")
    listing = collections.Counter(  # opcodes are spelled like "kGetTupleElement" here
        (c.name, i.name, ABBREVIATED.get(i.opcode.name[1:].lower(), i.opcode.name[1:].lower()))
        for c in module.computations()
        for i in c.instructions()
    )
    read = read_listing(program(name).as_text())
    assert collections.Counter((item.computation, item.name, item.opcode.replace("-", "")) for item in read) == listing


@pytest.mark.versions
def test_reads_collectives_of_four_devices():
    texts, serialised = sharded_program()
    read = read_listing(texts[0])
    assert unordered(read) == unordered(xla_listing(serialised))
    assert {"all-reduce", "all-gather"} & {item.opcode for item in read}
    assert "num_partitions=4" in parse(texts[0]).attributes


@pytest.mark.versions
def test_a_dump_has_all_instructions_or_marks_those_left_out(tmp_path):
    """JAX 0.12 leaves most ``get-tuple-element`` out of its dumps and writes ``%t#0`` in their place."""
    text, serialised = dumped(tmp_path)
    read = parse(text)
    assert sum(1 for _ in read.instructions()) + sum(c.elided for c in read.computations) == len(
        xla_listing(serialised)
    )
    others = collections.Counter(item.name for item in xla_listing(serialised) if item.opcode != "get-tuple-element")
    assert collections.Counter(i.name for _, i in read.instructions() if i.opcode != "get-tuple-element") == others


@pytest.mark.versions
@pytest.mark.parametrize("name", PROGRAMS)
def test_reads_unoptimised_text(name):
    lowered = lower(name)
    module = lowered.compiler_ir("hlo")
    text = module.as_hlo_text()
    expected = xla_listing(module.as_serialized_hlo_module_proto())
    read = parse(text)
    # newer versions spell an element of a tuple "%t#0" in some texts; nothing of that kind may pass unmarked
    assert sum(c.elided for c in read.computations) == 0
    names = collections.Counter((item.name, item.opcode) for item in expected)
    assert collections.Counter((i.name, i.opcode) for _, i in read.instructions()) == names
    assert collections.Counter(i.opcode for _, i in parse(lowered.as_text(dialect="hlo")).instructions()) == (
        collections.Counter(item.opcode for item in expected)
    )


@pytest.mark.versions
@pytest.mark.parametrize("name", PROGRAMS)
def test_shape_bytes_of_the_arguments_equal_xlas_memory_analysis(name):
    parameters = [i for i in parse(program(name).as_text()).entry.instructions if i.opcode == "parameter"]
    expected = program(name).memory_analysis().argument_size_in_bytes
    assert sum(shape_bytes(i.shape) for i in parameters) == expected


@pytest.mark.versions
@pytest.mark.parametrize("dtype", ["int4", "uint4", "bfloat16", "float8_e4m3fn", "bool", "complex64", "int8"])
def test_packed_and_small_types_take_what_xla_says(dtype):
    x = jax.ShapeDtypeStruct((9,), dtype)
    made = jax.jit(lambda a: (a, a[:5])).lower(x).compile()
    [parameter] = [i for i in parse(made.as_text()).entry.instructions if i.opcode == "parameter"]
    assert shape_bytes(parameter.shape) == made.memory_analysis().argument_size_in_bytes


@pytest.mark.versions
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_shape_of_every_program_has_bytes(name):
    for _, instruction in parse(program(name).as_text()).instructions():
        assert isinstance(shape_bytes(instruction.shape), int), instruction.shape


@pytest.mark.versions
def test_trip_counts_of_nested_scans():
    whiles = [i for _, i in parse(program("nested_scan").as_text()).instructions() if i.opcode == "while"]
    assert sorted(i.trip_count for i in whiles) == [4, 4]
    assert all(dict(i.called).keys() == {"condition", "body"} for i in whiles)
    [unknown] = [i for _, i in parse(program("while").as_text()).instructions() if i.opcode == "while"]
    assert unknown.trip_count is None


@pytest.mark.versions
def test_scope_with_quotes_and_accents():
    names = [i.op_name for _, i in parse(program("scopes").as_text()).instructions() if i.op_name]
    assert any('quoted "x" \\ {brace é/sin' in name for name in names)


STACKED = """
import jax.numpy as jnp
def innermost(x):
    return jnp.tanh(x)
def middle(x):
    return innermost(x) * 2
def outermost(x):
    return middle(x) + 1
"""


@pytest.mark.versions
def test_stack_is_the_python_stack(tmp_path, monkeypatch):
    (tmp_path / "stacked_program.py").write_text(STACKED)
    monkeypatch.syspath_prepend(tmp_path)
    import stacked_program

    try:
        module = parse(jax.jit(stacked_program.outermost).lower(jnp.ones(3)).compile().as_text())
    finally:
        del sys.modules["stacked_program"]
    file = str(tmp_path / "stacked_program.py")
    stacks = [module.stack(i) for _, i in module.instructions() if i.opcode == "tanh"]
    assert stacks
    for stack in stacks:
        if stack[-1].function is None:  # JAX 0.6: one line, no stack
            assert stack == (TextFrame(file, 4, None),)
        else:
            mine = [frame for frame in stack if frame.file == file]
            assert mine[-3:] == [(file, 8, "outermost"), (file, 6, "middle"), (file, 4, "innermost")]
            assert stack[0].file != file  # the test that called it stands outside
    frames = module.tables.frames
    assert all(0 <= parent < number for number, (_, parent) in frames.items())


@pytest.mark.versions
@pytest.mark.parametrize("name", [*PROGRAMS, "sharded"])
def test_the_usual_case_and_the_full_grammar_agree(name, monkeypatch):
    text = sharded_program()[0][0] if name == "sharded" else program(name).as_text()
    usual = parse(text)
    never = re.compile(r"(?!)")
    monkeypatch.setattr(hlo_text, "_USUAL", never)
    monkeypatch.setattr(hlo_scan, "_GROUP", never)
    monkeypatch.setattr(hlo_scan, "_ATTRIBUTES", re.compile(""))
    assert parse(text) == usual
