from __future__ import annotations

import pickle

import pytest

from ltc_ir.ir.hlo.parser import HloSyntaxError, parse

from .hlo_programs import (
    GOOD,
    program,
)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "begins with 'HloModule'"),
        (" \n\n// only a remark\n", 4, "begins with 'HloModule'"),
        ("module @m {\n}", 1, "begins with 'HloModule', not with 'module @m {'"),
        ("HloModule m\n", 2, "holds no computation"),
        (GOOD + GOOD, 7, "a second HloModule"),
        (GOOD + GOOD.split("\n", 1)[1], 8, "'e' is defined a second time"),
        (GOOD + "ENTRY f {\n  ROOT a = f32[] constant(1)\n}", 7, "one ENTRY computation; 'e' was it already"),
        (GOOD + "}", 7, "expected a computation, not '}'"),
        (GOOD + "trailing words", 7, "expected a computation"),
        (GOOD.replace("ROOT b", "ROOT a"), 5, "'a' is defined a second time in 'e'"),
        (GOOD.replace("ENTRY e {", "ENTRY e { }\nx {"), 3, "has no instructions"),
        (GOOD.replace("{1, 2}", "{1, 2)"), 4, "')' closes a bracket of another kind"),
        (GOOD.replace('"x"', '"x'), 5, "a string is not closed"),
        (GOOD.replace("(a, a)", "(a, /* a)"), 5, "a comment is not closed"),
        (GOOD.replace("(a, a)", "(a, , a)"), 5, "expected an operand"),
        (GOOD.replace("(a, a)", "(a, {a})"), 5, "expected an operand"),
        (GOOD.replace("metadata={", "metadata {"), 5, "expected 'name=value'"),
        (GOOD.replace(', metadata={op_name="x"}', ", metadata="), 6, "expected a value"),
        (GOOD.replace("f32[] add", "f32 add"), 5, "expected a shape"),
        (GOOD.replace("f32[] add", "f32[]"), 5, "expected an opcode"),
        (GOOD.replace("ROOT b", "ROOT $b"), 5, "expected an instruction of computation 'e'"),
        (GOOD.replace("add(a, a)", "call(a), to_apply=gone"), 5, "'b' calls 'gone', which nothing above it defines"),
        (GOOD.replace("ENTRY e {", "ENTRY e (a: f32[]) {"), 3, "expected '->'"),
        (GOOD.replace("HloModule m\n", "HloModule m\nFileNames\n1 a.py\n"), 3, "expected an entry of a table"),
        (GOOD[:-2], 6, "the text ends inside computation 'e'"),
    ],
)
def test_errors_name_the_line_and_what_is_wrong(text, line, words):
    with pytest.raises(HloSyntaxError) as caught:
        parse(text)
    assert caught.value.line == line
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"line {line}: ")


def test_an_error_survives_a_process_boundary():
    error = pickle.loads(pickle.dumps(HloSyntaxError("what", 7)))
    assert (str(error), error.line, isinstance(error, ValueError)) == ("line 7: what", 7, True)


@pytest.mark.versions
@pytest.mark.parametrize("name", ["nested_scan", "switch"])
def test_a_text_cut_off_anywhere_is_an_error(name):
    text = program(name).as_text().rstrip()
    assert len(parse(text).computations) > 1
    for end in range(0, len(text), 7):
        with pytest.raises(HloSyntaxError):
            parse(text[:end])
