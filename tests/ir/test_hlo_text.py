from __future__ import annotations

from functools import partial

import pytest

from ltc_ir.ir.hlo import parser
from ltc_ir.ir.hlo.parser import Instruction

from .hlo_programs import (
    TABLES,
)

parse = partial(
    parser.parse, printed=True
)  # these texts are about spelling: they define nothing but the line in question


def module_of(*lines, tail="", header="HloModule m"):
    body = "\n".join(f"  {line}" for line in lines)
    return parse(f"{header}\n\n{tail}\nENTRY %e (p: f32[2]) -> f32[2] {{\n{body}\n}}\n")


def only(*lines, **kwargs):
    [instruction] = module_of(*lines, **kwargs).entry.instructions
    return instruction


def test_the_parts_of_an_instruction():
    x = only('ROOT %y.2 = f32[2]{0} sine(%x.1), metadata={op_name="jit(f)/sin" source_file="m.py" source_line=3}')
    assert (x.name, x.opcode, x.shape, x.operands, x.is_root) == ("y.2", "sine", "f32[2]{0}", ("x.1",), True)
    assert (x.op_name, x.file, x.line, x.stack_frame) == ("jit(f)/sin", "m.py", 3, None)
    assert x.called == () and x.trip_count is None and x.custom_call_target is None


@pytest.mark.parametrize(
    "operands",
    [
        "%a, %b.1",
        "a, b.1",
        "f32[2]{0} %a, f32[2]{0:T(8,128)(2,1)} %b.1",
        "f32[2]{0} a, (f32[2], s32[]) b.1",
        "(f32[2]{0}, /*index=1*/(s32[], f32[3,4]{1,0})) %a, /*index=5*/f32[] %b.1",
        "\n    %a,\n    %b.1\n  ",
    ],
)
def test_operands_with_and_without_shapes_and_signs(operands):
    assert only(f"ROOT %y = f32[2]{{0}} add({operands})").operands == ("a", "b.1")


@pytest.mark.parametrize(
    "shape",
    [
        "f32[]",
        "bf16[2,3]{1,0:T(8,128)(2,1)}",
        "(f32[2]{0}, s32[])",
        "(f32[2,4]{1,0:T(8,128)(2,1)S(1)}, /*index=1*/(s32[], pred[3]{0}), token[])",
        "f32[<=5,3]{1,0}",
        "s4[9]{0:E(4)}",
        "()",
        "b(f32[2]{0})",
        "((f32[2]{0:T(256)}), f32[8]{0:T(256)}, u32[]{:S(2)})",
    ],
)
def test_shapes_are_kept_as_written(shape):
    x = only(f'ROOT %y = {shape} custom-call(%a, %b), custom_call_target="t"')
    assert (x.shape, x.opcode, x.operands) == (shape, "custom-call", ("a", "b"))


@pytest.mark.parametrize(
    "literal",
    [
        "1",
        "-inf",
        "1e-05",
        "{1, 2}",
        "{ { 1, 2 }, { 3, 4 } }",
        "{ { { {1, 2} } }, /*i=1*/ { { {3, 4} } } }",
        "{...}",
        "(1, -2.5)",
        "{\n  { 1, 2 },\n  { 3, 4 }\n}",
        "true",
        "nan",
        "",
    ],
)
def test_literals_are_no_operands(literal):
    x = only(f'ROOT %c = f32[2,2]{{1,0}} constant({literal}), metadata={{op_name="c"}}')
    assert (x.operands, x.arguments, x.op_name) == ((), literal, "c")


def test_parameter_number_is_no_operand():
    assert only("ROOT p = f32[2] parameter(0), sharding={devices=[2,1]<=[2]}").operands == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a \"b\" c", 'a "b" c'),
        (r"back\\slash", "back\\slash"),
        (r"two\nlines", "two\nlines"),
        ("two\nlines", "two\nlines"),
        (r"\303\251", "é"),
        ("é", "é"),
        (r"{[(, ) x = f32[] add(a), body=%none }", "{[(, ) x = f32[] add(a), body=%none }"),
        (r"\'/* no comment", "'/* no comment"),
        ("", ""),
    ],
)
def test_strings_are_skipped_and_unescaped(written, meant):
    line = f'ROOT %y = f32[] custom-call(%x), custom_call_target="{written}", metadata={{op_name="{written}"}}'
    for x in (only(line), only(line + ", backend_config={}")):
        assert (x.op_name, x.custom_call_target, x.operands) == (meant, meant, ("x",))


CONFIG = '{"known_trip_count":{"n":"7"},"text":"a \\"quoted\\" {brace","list":[{"a":[1]}]}'


@pytest.mark.parametrize("written", [CONFIG, '"' + CONFIG.replace("\\", "\\\\").replace('"', '\\"') + '"'])
def test_trip_count_from_both_spellings_of_a_backend_config(written):
    tail = "%b (q: f32[]) -> f32[] {\n  ROOT %r = f32[] parameter(0)\n}\n"
    x = only(f"ROOT %w = f32[] while(%i), condition=%b, body=%b, backend_config={written}", tail=tail)
    assert x.trip_count == 7
    assert x.called == (("condition", "b"), ("body", "b"))


NO_TRIP_COUNT = {
    "opaque": '"opaque"',
    "empty": "{}",
    "word": '{"known_trip_count":{"n":"x"}}',
    "number": '{"known_trip_count":3}',
    "no value": '{"known_trip_count"}',
    "negative": '{"known_trip_count":{"n":"-1"}}',
    "huge": '{"known_trip_count":{"n":"' + "9" * 5000 + '"}}',
    "huge number": '{"known_trip_count":{"n":' + "9" * 5000 + "}}",
    "deep": '{"known_trip_count":' + "[" * 99999 + "]" * 99999 + "}",
    "list": '["known_trip_count"]',
}


@pytest.mark.parametrize("config", NO_TRIP_COUNT.values(), ids=NO_TRIP_COUNT)
def test_a_config_without_a_trip_count(config):
    assert only(f"ROOT %w = f32[] while(%i), backend_config={config}").trip_count is None


CALLERS = """\
%a (q: f32[]) -> f32[] {
  ROOT %r = f32[] parameter(0)
}

%b (q: f32[]) -> f32[] {
  ROOT %r = f32[] parameter(0)
}
"""


@pytest.mark.parametrize("sign", ["%", ""])
@pytest.mark.parametrize(
    ("attributes", "called"),
    [
        ("condition=%a, body=%b", [("condition", "a"), ("body", "b")]),
        ("kind=kLoop, calls=%a", [("calls", "a")]),
        ("dimensions={0}, to_apply=%b", [("to_apply", "b")]),
        ("branch_computations={%a, %b, /*index=2*/%a}", [("branch_computations", n) for n in "aba"]),
        ("true_computation=%a, false_computation=%b", [("true_computation", "a"), ("false_computation", "b")]),
        ('custom_call_target="x", called_computations={%b}', [("called_computations", "b")]),
        ("window={size=2}, select=%a, scatter=%b", [("select", "a"), ("scatter", "b")]),
        ('metadata={op_name="x, body=%c"}, frontend_attributes={body="%c",to_apply=%c}', []),
    ],
)
def test_called_computations_with_their_roles(sign, attributes, called):
    text = f"HloModule m\n{CALLERS}ENTRY %e () -> f32[] {{\n  ROOT %y = f32[] some-op(%x), {attributes}\n}}\n"
    module = parse(text.replace("%", sign))
    assert module.entry.instructions[0].called == tuple(called)


def test_an_attribute_is_found_at_the_top_level_only():
    x = only(
        'ROOT %y = f32[] op(%x), sharding={kind="a", slot={b}}, frontend_attributes={kind="inner",index="9"},'
        ' backend_config={"kind":"json"}, replica_groups=[2,2]<=[4]T(1,0), window={size=3x3 pad=1_1x1_1}, index=3,'
        " dim_labels=b01f_01io->b01f, control-predecessors={%x, %z}, is_stable=true, kind=kLoop"
    )
    assert x.attribute("kind") == "kLoop"
    assert x.attribute("index") == "3"
    assert x.attribute("replica_groups") == "[2,2]<=[4]T(1,0)"
    assert x.attribute("dim_labels") == "b01f_01io->b01f"
    assert x.attribute("sharding") == '{kind="a", slot={b}}'
    assert x.attribute("control-predecessors") == "{%x, %z}"
    assert x.attribute("slot") is None and x.attribute("missing") is None and x.attribute("size") is None


def test_a_value_of_two_words_and_attributes_over_several_lines():
    entry = module_of(
        "%a = f32[] all-reduce(%x), replica_groups=mesh['x'=2] {'x'}, /* why */ index=1,",
        "    metadata={op_name=",
        '  "a"} // a remark, with = in it',
        "ROOT %b = f32[] sine(%a)",
    ).entry
    assert [(i.name, i.op_name) for i in entry.instructions] == [("a", "a"), ("b", None)]
    assert entry.instructions[0].attribute("index") == "1"


def test_several_instructions_on_one_line():
    assert [
        i.name for i in module_of("a = f32[] op(), x=1 ROOT b = f32[] op(a), y={2} c = s32[] op()").entry.instructions
    ] == (["a", "b", "c"])


def test_computations_long_short_and_with_attributes_behind_them():
    text = """// a remark
HloModule jit_f, is_scheduled=true, entry_computation_layout={(f32[2]{0:T(256)}, (s32[]))->f32[2]{0}}

%a.1 (p.1: f32[], t: (s32[], f32[2,3])) -> (f32[], s32[]) {
  ROOT %r = f32[] parameter(0)
}, execution_thread="host"

async_wrapped {
  ROOT r = f32[] parameter(0)
}

ENTRY %main.2 () -> f32[] {
  %s = ((f32[]), f32[], s32[]) async-start(f32[] %r), async_execution_thread="host", calls=%a.1
  %u = ((f32[]), f32[], s32[]) async-update(((f32[]), f32[], s32[]) %s)
  %g = (f32[2]{0}, f32[8]{0}) all-gather-start(%u), replica_groups={{0,1},{2,3}}, dimensions={0}
  ROOT %d = f32[] async-done(%g), calls=async_wrapped
}
"""
    module = parse(text)
    assert [(c.name, c.is_entry, len(c.instructions)) for c in module.computations] == [
        ("a.1", False, 1),
        ("async_wrapped", False, 1),
        ("main.2", True, 4),
    ]
    assert module.name == "jit_f"
    assert module.attributes.startswith("is_scheduled=true, entry_computation_layout={(f32[2]{0:T(256)}, (s32[]))->")
    opcodes = ["async-start", "async-update", "all-gather-start", "async-done"]
    assert [i.opcode for i in module.entry.instructions] == opcodes
    assert [c.name for c, _ in module.instructions()] == ["a.1", "async_wrapped"] + ["main.2"] * 4


def test_tuple_elements_without_an_instruction_are_marked():
    entry = module_of("%t = (f32[], s32[]) parameter(0)", "ROOT %y = f32[] add(%t#0, f32[] %t#0, %t#1)").entry
    assert entry.instructions[1].operands == ("t", "t", "t")
    assert entry.elided == 2


def test_windows_line_ends_and_a_byte_order_mark():
    tables = '\ufeffHloModule m\nFileNames\n1 "a.py"\n\nFunctionNames\nFileLocations\nStackFrames\n\n'
    text = tables + "ENTRY e {\n  a = f32[] op()\n  ROOT b = f32[] op(a), x=1\n}\n"
    assert parse(text.replace("\n", "\r\n")) == parse(text)


# stack frames

OUTER, INNER = ('/x/a "quoted".py', 10, "<module>"), ("/x/b.py", 20, "f.<locals>.g")


@pytest.mark.parametrize(
    ("frames", "frame", "stack"),
    [
        ("1 {file_location_id=1 parent_frame_id=1}\n2 {file_location_id=2 parent_frame_id=2}", 2, (OUTER, INNER)),
        ("1 {file_location_id=1 parent_frame_id=1}\n2 {file_location_id=2 parent_frame_id=2}", 1, (OUTER,)),
        ("1 {file_location_id=1 parent_frame_id=1}\n2 {file_location_id=2 parent_frame_id=2}", 9, ()),
        ("1 {file_location_id=1}\n2 {file_location_id=2 parent_frame_id=1}", 2, (OUTER, INNER)),  # without the shift
        ("1 {file_location_id=1 parent_frame_id=3}\n2 {file_location_id=2 parent_frame_id=2}", 2, (OUTER, INNER)),
        ("1 {file_location_id=1 parent_frame_id=2}\n2 {file_location_id=2 parent_frame_id=1}", 1, (OUTER,)),
        ("1 {file_location_id=8 parent_frame_id=1}\n2 {file_location_id=2 parent_frame_id=2}", 2, (INNER,)),
        ("1 {file_location_id=1 parent_frame_id=99999999999999999999999}", 1, (OUTER,)),
        ("1 {}", 1, ()),
        ("", 1, ()),
    ],
    ids=["two", "one", "unknown", "unshifted", "cycle", "self", "no location", "huge", "empty", "none"],
)
def test_stacks_from_the_tables(frames, frame, stack):
    module = parse(TABLES % (frames, frame))
    assert module.stack(module.entry.instructions[0]) == stack


def test_a_stack_of_a_hundred_thousand_frames_is_cut():
    frames = "\n".join(f"{n} {{file_location_id=1 parent_frame_id={n}}}" for n in range(1, 100_001))
    module = parse(TABLES % (frames, 100_000))
    assert 1_000 < len(module.stack(module.entry.instructions[0])) <= 10_000


def test_a_line_at_the_instruction_is_a_stack_of_one():
    module = module_of(
        'ROOT c = f32[] constant(1), metadata={op_name="c" source_file="/x/\\303\\251.py" source_line=5}'
    )
    assert module.stack(module.entry.instructions[0]) == (("/x/é.py", 5, None),)
    assert module.stack(Instruction("c", "constant", "f32[]")) == ()
