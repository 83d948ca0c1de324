"""Rules as people write them: what each one means, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_ir.errors import UsageError
from ltc_ir.records.element_types import is_of_type, parse_element_type
from ltc_ir.rules.grammar import parse_rule
from ltc_ir.rules.names import levels_of, needs_detail
from tests.compare.inventories import Entry


@pytest.mark.parametrize(
    ("text", "level", "program", "phase", "name", "op", "value", "kind"),
    [
        ("while = 0", None, None, None, "while", "=", 0, "invariant"),
        ("while == 0", None, None, None, "while", "=", 0, "invariant"),
        ("while=0", None, None, None, "while", "=", 0, "invariant"),
        ("backward.dot_general <= 6", None, None, "backward", "dot_general", "<=", 6, "invariant"),
        ("grad/backward.dot_general != 1_000", None, "grad", "backward", "dot_general", "!=", 1000, "invariant"),
        ("grad/total +5%", None, "grad", None, "total", "+", 5, "step"),
        ("total +20", None, None, None, "total", "+", 20, "step"),
        ("total+0", None, None, None, "total", "+", 0, "step"),
        ("total +0.5%", None, None, None, "total", "+", 0.5, "step"),
        ("constants.bytes <= 1MiB", None, None, None, "constants.bytes", "<=", 2**20, "invariant"),
        ("constants.embedded.bytes = 0", None, None, None, "constants.embedded.bytes", "=", 0, "invariant"),
        ("constants.bytes +4KiB", None, None, None, "constants.bytes", "+", 4096, "step"),
        ("hlo:collectives = 0", "hlo", None, None, "collectives", "=", 0, "invariant"),
        ("hlo:grad/forward.all-gather > 1", "hlo", "grad", "forward", "all_gather", ">", 1, "invariant"),
        ("memory.temporary_bytes < 2MB", None, None, None, "memory.temporary_bytes", "<", 2_000_000, "invariant"),
        ("bytes_accessed <= 1.5kB", None, None, None, "bytes_accessed", "<=", 1500, "invariant"),
        ("flops <= 1.5e9", None, None, None, "flops", "<=", 1_500_000_000, "invariant"),
        ("flops >= 0.5", None, None, None, "flops", ">=", 0.5, "invariant"),
        ("  stablehlo : total   <=  7 ", "stablehlo", None, None, "total", "<=", 7, "invariant"),
    ],
)  # fmt: skip
def test_what_a_rule_says(text, level, program, phase, name, op, value, kind):
    rule = parse_rule(text)
    selector = rule.selector
    assert (selector.level, selector.program, selector.phase, selector.name) == (level, program, phase, name)
    assert (rule.op, rule.value, rule.kind) == (op, value, kind)
    assert rule.percent == text.endswith("%")
    assert selector.filter is None and not selector.bytes


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("all_reduce.bytes = 4096", "all_reduce"),
        ("hlo:collectives.bytes <= 1GiB", "collectives"),
        ("backward.all-gather.bytes = 0", "all_gather"),
        ("dot_general[f32].bytes <= 1KiB", "dot_general"),
    ],
)
def test_bytes_of_results(text, name):
    selector = parse_rule(text).selector
    assert selector.bytes
    assert selector.name == name


def test_the_text_is_kept_with_single_spaces_and_its_place():
    rule = parse_rule("  total   +20 ", where="pyproject.toml", targets=["ltc"])
    assert (rule.text, rule.where, rule.targets) == ("total +20", "pyproject.toml", ("ltc",))


def test_a_default_level_gives_way_to_a_written_one():
    assert parse_rule("case = 0", level="stablehlo").selector.level == "stablehlo"
    assert parse_rule("jaxpr:case = 0", level="stablehlo").selector.level == "jaxpr"


@pytest.mark.parametrize(
    ("text", "says", "hints"),
    [
        ("", "has no operator", "write [level:]"),
        ("while", "has no operator", "write [level:]"),
        ("= 0", "has no name", "write [level:]"),
        ("while =", "has no value", "write [level:]"),
        ("while ~ 0", "has no operator", "write [level:]"),
        ("while => 0", "operator '=>'", "operators are"),
        ("while = zero", "value 'zero'", "write a whole number"),
        ("while = -1", "value '-1'", "write a whole number"),
        ("while = 1.5", "value '1.5'", "write a whole number"),
        ("while <= 5%", "percentage", "total +5%"),
        ("while <= 1MiB", "by a size", "while.bytes"),
        ("constants.bytes <= 1XB", "unit 'XB'", "KiB"),
        ("flops <= 1e999", "no number", "finite"),
        ("total <= " + "9" * 5000, "too long", "15 digits"),
        ("hl:while = 0", "level 'hl'", "jaxpr, stablehlo, hlo"),
        ("backwards.dot_general = 0", "phase 'backwards'", "backward"),
        ("shared.dot_general = 0", "phase 'shared'", "unattributed"),
        ("stablehlo.while = 0", "with its dialect", "stablehlo:while"),
        ("constants.byte = 0", "figure 'constants.byte'", "constants.bytes"),
        ("dot general = 0", "where a name belongs", "write [level:]"),
        ("dot_general[] = 0", "nothing in its brackets", "a,b->c"),
        ("dot_general[int8,foo->int32] = 0", "'foo' is no type", "types are bool"),
        ("dot_general[->] = 0", "no type beside its arrow", "a,b->c"),
        ("k[=True] = 0", "an attribute and its value", "attribute=value"),
        ("dot_general[f32]x = 0", "behind its filter", ".bytes"),
        ("jaxpr:collectives = 0", "only in optimised HLO", "hlo:collectives"),
        ("stablehlo:collectives.bytes = 0", "only in optimised HLO", "hlo:collectives"),
        ("jaxpr:lines <= 3", "does not have it", "stablehlo:lines"),
        ("stablehlo:flops <= 3", "does not have it", "hlo:flops"),
        ("backward.lines <= 3", "one figure", "lines alone"),
        ("lines[f32] <= 3", "one figure", "lines alone"),
        ("hlo:total +3", "a step at hlo", "absolute"),
        ("flops +3", "a step at hlo", "absolute"),
        ("dot_general[f32] +1", "does not keep", "absolute"),
        ("dot_general.bytes +1", "does not keep", "absolute"),
        ("max_depth +1", "does not keep", "absolute"),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_said_with_the_way_to_write_it(text, says, hints):
    with pytest.raises(UsageError) as caught:
        parse_rule(text, where="pyproject.toml")
    assert says in caught.value.message
    assert hints in (caught.value.hint or "")
    assert caught.value.message.startswith("pyproject.toml: rule ")
    assert "\n" not in caught.value.message + (caught.value.hint or "")


def test_collectives_at_a_default_level_that_has_none():
    with pytest.raises(UsageError, match="optimised HLO"):
        parse_rule("collectives = 0", level="stablehlo")


@given(st.text(max_size=40) | st.from_regex(r"[a-z:/.\[\]=<>+0-9% _,-]{0,30}"))
def test_no_text_ends_in_anything_but_a_rule_or_words(text):
    try:
        rule = parse_rule(text)
    except UsageError as error:
        assert error.hint
    else:
        assert parse_rule(rule.text) == rule


@pytest.mark.parametrize(
    ("spellings", "one"),
    [
        (("float32", "f32", "F32"), "f32"),
        (("int8", "i8", "s8", "si8"), "i8"),
        (("uint8", "u8", "ui8"), "u8"),
        (("bf16", "bfloat16"), "bf16"),
        (("bool", "pred", "i1"), "bool"),
        (("complex64", "c64", "complex<f32>"), "c64"),
        (("float8_e4m3fn", "f8_e4m3fn", "f8E4M3FN", "f8e4m3fn"), "f8e4m3fn"),
        (("float",), "float"),
        (("tpu_custom_call", "f33", "relu", "s1x", "b16"), None),
    ],
)
def test_every_spelling_of_a_type_is_one_type(spellings, one):
    assert {parse_element_type(spelling) for spelling in spellings} == {one}


@pytest.mark.parametrize(
    ("kind", "of"),
    [("bf16", "float"), ("f8_e4m3fn", "float"), ("s32", "int"), ("u8", "uint"), ("c64", "complex"), ("pred", "bool")],
)
def test_a_class_holds_its_types_and_no_others(kind, of):
    assert [word for word in ("float", "int", "uint", "complex", "bool") if is_of_type(kind, word)] == [of]


PRODUCT = Entry("dot_general", "forward", results=("i32",), operands=("i8", "i8"))
KERNEL = Entry("ffi_call", "forward", results=("f32",), attributes=(("attribute", "True"), ("target", "kernel")))


@pytest.mark.parametrize(
    ("filter", "entry", "admitted"),
    [
        ("int8,int8->int32", PRODUCT, True),
        ("s8,i8->s32", PRODUCT, True),
        ("int,int->int", PRODUCT, True),
        ("int8,int8->f32", PRODUCT, False),
        ("int8->int32", PRODUCT, False),
        ("int8,int8", PRODUCT, True),
        ("int8,int8->", PRODUCT, True),
        ("->int32", PRODUCT, True),
        ("->int8", PRODUCT, False),
        ("int32", PRODUCT, True),
        ("int8", PRODUCT, False),
        ("float", PRODUCT, False),
        ("f32", Entry("while", "primal", results=("i32", "f32")), True),
        ("kernel", KERNEL, True),
        ("kern", KERNEL, False),
        ("attribute=True", KERNEL, True),
        ("attribute=true", KERNEL, True),
        ("attribute=False", KERNEL, False),
        ("attribute=True,target=kernel", KERNEL, True),
        ("attribute=True,target=other", KERNEL, False),
    ],
)
def test_what_a_filter_admits(filter, entry, admitted):
    asked = parse_rule(f"x[{filter}] = 0").selector.filter
    assert asked is not None
    assert asked.admits(entry.row) == admitted


@pytest.mark.parametrize(
    ("text", "detail", "levels"),
    [
        ("dot_general = 0", False, {"jaxpr"}),
        ("while = 0", False, {"stablehlo"}),
        ("lines <= 4", False, {"stablehlo"}),
        ("hlo:fusion = 0", False, {"hlo"}),
        ("collectives = 0", False, {"hlo"}),
        ("flops <= 4", False, {"hlo"}),
        ("dot_general[f32] = 0", False, {"jaxpr"}),
        ("dot_general[f32->f64] = 0", True, {"jaxpr"}),
        ("dot_general[precision=HIGHEST] = 0", True, {"jaxpr"}),
        ("dot_general.bytes = 0", True, {"jaxpr"}),
        ("custom_call[kernel] = 0", True, {"stablehlo"}),
        ("my_kernel = 4", True, {"jaxpr", "stablehlo"}),
        ("optimization_barrier = 0", False, {"jaxpr"}),
        ("case = 0", False, {"jaxpr", "stablehlo"}),
    ],
)
def test_what_has_to_be_read_for_a_rule(text, detail, levels):
    rule = parse_rule(text)
    assert needs_detail([rule]) == detail
    assert levels_of([rule]) == levels


def test_types_take_steps_alone():
    assert parse_rule("types +2").kind == "step"
    assert parse_rule("donated.bytes +4KiB").value == 4096
    with pytest.raises(UsageError, match="which is how many became wider than in the snapshot") as refused:
        parse_rule("types <= 4")
    assert refused.value.hint == "write a step: types +0"
