"""A line lost, doubled or moved in an HLO text, or a word misspelt: refused as XLA refuses it, or counted as XLA counts it.

The differences: a parameter that nothing uses, and that is its computation's last, is missed here and not by XLA; so is a
ROOT in a text that has what XLA prints in its first line.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ltc_ir.compat.hlo import hlo_parser
from ltc_ir.ir.hlo.opcodes import OPERANDS
from ltc_ir.ir.hlo.parser import HloModule, HloSyntaxError, parse
from ltc_ir.ir.hlo.shapes import shape_bytes
from tests.oracles import mnemonic

from .hlo_programs import program, sharded_program

pytestmark = pytest.mark.skipif(hlo_parser() is None, reason="this JAX does not let Python parse HLO text")


def read_by_xla(texts: list[str]) -> list[Counter[str] | None]:
    """The opcodes of each text as XLA lists them, ``None`` for one that it refuses or dies of."""
    answers: list[Counter[str] | None] = []
    while len(answers) < len(texts):
        answers += _until_it_dies(texts[len(answers) :])
    return answers


def _until_it_dies(texts: list[str]) -> list[Counter[str] | None]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.ir.xla_listing_child"],
        input=json.dumps(texts),
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    listed = [json.loads(line) for line in done.stdout.splitlines()]
    answers = [found and Counter({mnemonic(name): number for name, number in found.items()}) for found in listed]
    assert answers or done.returncode < 0, done.stderr
    return answers if len(answers) == len(texts) else [*answers, None]


def opcodes(module: HloModule) -> Counter[str]:
    """Ours, as XLA lists them: what an asynchronous instruction wraps is a computation of its own there."""
    found: Counter[str] = Counter()
    for _, instruction in module.instructions():
        base, _, step = instruction.opcode.rpartition("-")
        if instruction.opcode in OPERANDS:
            found[instruction.opcode] += 1
            continue
        found[f"async-{step}"] += 1
        found += Counter({base: 1, "parameter": len(instruction.operands)} if step == "start" else {})
    return found


def damaged(text: str, damage: Callable[[list[str], int], None]) -> Iterator[tuple[str, str]]:
    """Each line of a computation damaged in turn: the line, and the text."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.startswith(("  ", "%", "ENTRY", "}")):
            changed = lines.copy()
            damage(changed, number)
            if changed != lines:
                yield line, "\n".join(changed)


def lost(lines: list[str], number: int) -> None:
    del lines[number]


def doubled(lines: list[str], number: int) -> None:
    lines.insert(number, lines[number])


def moved(lines: list[str], number: int) -> None:
    lines[number : number + 2] = lines[number : number + 2][::-1]


@pytest.mark.parametrize("name", ["switch", "top_k", "sharded", "select_and_scatter"])
def test_what_xla_refuses_is_refused_and_what_it_takes_counts_alike(name):
    if not hasattr(hlo_parser()(SMALL).computations()[0], "instructions"):
        pytest.skip("XLA lists its instructions in JAX from 0.10 on")
    text = sharded_program()[0][0] if name == "sharded" else program(name).as_text()
    cases = [case for damage in (lost, doubled, moved) for case in damaged(text, damage)]
    refused = 0
    for (line, changed), theirs in zip(cases, read_by_xla([text for _, text in cases]), strict=True):
        try:
            ours = opcodes(parse(changed))
        except HloSyntaxError as error:
            refused += 1
            stricter = ("parameter(" in line and "declares" in error.message) or "has no ROOT" in error.message
            assert theirs is None or stricter or not error.certain, line
        else:
            assert ours == theirs, line
    assert refused > len(cases) / 2


SMALL = "HloModule m\n\nENTRY e {\n  ROOT a = f32[] constant(1)\n}\n"

BODY = """HloModule m, %s

%%f (x: f32[3], y: f32[3]) -> f32[3] {
  %%x = f32[3]{0} parameter(0)
  %%y = f32[3]{0} parameter(1)
  ROOT %%s = f32[3]{0} sine(%%x)
}

ENTRY %%e (a: f32[3]) -> f32[3] {
  %%a = f32[3]{0} parameter(0)
  %%b = f32[3]{0} cosine(%%a)
  ROOT %%c = f32[3]{0} fusion(%%a, %%b), kind=kLoop, calls=%%f, control-predecessors={%%b}
}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("cosine(%a)", "cosine(%z)", 11, "'b' has the operand 'z', which nothing above it defines"),
        ("cosine(%a)", "cosine(f32[3]{0} %c)", 11, "'b' has the operand 'c', which nothing above it defines"),
        ("cosine(%a)", "cosine()", 11, "'cosine' takes 1 operand, 'b' has 0"),
        ("cosine(%a)", "cosine(%a, %a)", 11, "'cosine' takes 1 operand, 'b' has 2"),
        ("cosine(%a)", "cosime(%a)", 11, "XLA has no opcode 'cosime'"),
        ("cosine(%a)", "cosime-start(%a)", 11, "XLA has no opcode 'cosime-start'"),
        ("calls=%f", "calls=%g", 12, "'c' calls 'g', which nothing above it defines"),
        ("calls=%f", "calls=%e", 12, "'c' calls 'e', which nothing above it defines"),
        ("calls=%f", "calls={%f, %g}", 12, "'c' calls 'g', which nothing above it defines"),
        ("calls=%f", "calls={ ROOT q = f32[] constant(1) }", 12, "expected names of computations in calls"),
        ("s={%b}", "s={%b, %z}", 12, "'c' has the predecessor 'z', which nothing above it defines"),
        ("s={%b}", "s={%c}", 12, "'c' has the predecessor 'c', which nothing above it defines"),
        ("  ROOT %s = f32[3]{0} sine(%x)\n", "", 5, "computation 'f' has no ROOT instruction, and XLA prints one"),
        ("-> f32[3] {\n  %x", "-> (f32[3], s32[]) {\n  %x", 6, "is the line with ROOT lost?"),
        ("  %y = f32[3]{0} parameter(1)\n", "", 4, "computation 'f' declares 2 parameters and has 1"),
        ("  %x = f32[3]{0} parameter(0)\n", "", 5, "'s' has the operand 'x', which nothing above it defines"),
        ("parameter(1)", "parameter(2)", 4, "computation 'f' has no parameter 1, but one with a higher number"),
        ("parameter(1)", "parameter(0)", 5, "computation 'f' has a second parameter 0"),
        ("parameter(1)", "parameter(y)", 5, "expected a parameter's number, not 'y'"),
        ("  %b =", "  ROOT %b =", 12, "computation 'e' has a second ROOT"),
        ("  %b =", "  %a =", 12, "'c' has the operand 'b'"),
        ("ROOT %c =", "ROOT %a =", 12, "'a' is defined a second time in 'e'"),
        ("frontend_attributes={}", "input_output_alias={ {}: (1, {}, may-alias) }", 1, "names parameter 1, which 'e'"),
        ("frontend_attributes={}", "input_output_alias={ {0}: (0, {}, may-alias) }", 1, "names result 0, which 'e'"),
        ("frontend_attributes={}", "buffer_donor={ (0, {}), (3, {}) }", 1, "names parameter 3, which 'e'"),
        ("ENTRY ", "", 14, "the text has no ENTRY computation: it was cut off"),
    ],
)
def test_what_nothing_defines_is_named_with_its_line(old, new, line, words):
    whole = BODY % "frontend_attributes={}, entry_computation_layout={(f32[3]{0})->f32[3]{0}}"
    assert len(parse(whole).computations) == 2
    assert old in whole
    text = whole.replace(old, new, 1)
    with pytest.raises(HloSyntaxError) as caught:
        parse(text)
    assert caught.value.line == line
    assert words in caught.value.message


def test_names_are_looked_for_in_the_own_computation_alone():
    text = BODY.replace("cosine(%%a)", "cosine(%%y)") % "frontend_attributes={}"
    with pytest.raises(HloSyntaxError, match="'b' has the operand 'y'"):
        parse(text)


def test_without_entry_the_last_computation_is_it_unless_the_text_was_cut_off():
    whole = BODY.replace("ENTRY ", "") % "frontend_attributes={}"
    assert parse(whole).entry.name == "e"
    with pytest.raises(HloSyntaxError, match="no ENTRY"):
        parse(whole.replace("calls=%f, ", "").replace("fusion(%a, %b)", "add(%a, %b)"))  # then what is "f" for?
    bare = whole.split("\n", 2)[2].replace(" (x: f32[3], y: f32[3]) -> f32[3]", "")
    assert (parse(bare).name, parse(bare).entry.name) == ("", "e")


WORDS = r"metadata|op_name|stack_frame_id|source_file|calls|to_apply|body|condition|(?<= )[a-z]+\d+(?=\[)|pred(?=\[)"


def misspelt(text: str, every: int) -> Iterator[tuple[str, str]]:
    """A sample of the words that say what a count is of, each spelled wrong in three ways: the line, and the text."""
    instructions = text.index("\n\n%") if "\n\n%" in text else 0
    found = [match for match in re.finditer(rf"\b(?:{WORDS})\b(?=[=\[])", text) if match.start() > instructions]
    for number, match in enumerate(found[::every]):
        word, start, end = match[0], match.start(), match.end()
        line = text[text.rfind("\n", 0, start) + 1 : text.find("\n", end)]
        for wrong in (f"{word}x", word[1:], f"{word[:-1]}{'q' if word[-1] != 'q' else 'z'}")[number % 3 :][:1]:
            yield f"{word} → {wrong}: {line}", text[:start] + wrong + text[end:]
        if text[end] == "=":
            behind = re.compile(r"=%?\w").match(text, end)
            yield f"{word} cut: {line}", text[:start] + text[behind.end() if behind else end + 1 :]


@pytest.mark.parametrize("name", ["nested_scan", "top_k", "sharded"])
def test_a_misspelt_word_loses_nothing_that_xla_would_miss(name):
    text = sharded_program()[0][0] if name == "sharded" else program(name).as_text()
    cases = list(misspelt(text, 11))
    refused = 0
    for (what, changed), theirs in zip(cases, read_by_xla([changed for _, changed in cases]), strict=True):
        if theirs is not None:
            continue
        refused += 1
        try:
            ours = parse(changed)
        except HloSyntaxError as error:
            assert not error.certain
        else:
            assert told(ours) == told(parse(text)), what
    assert refused > len(cases) * 0.8


def told(module: HloModule) -> list[object]:
    """All that a count is made of."""
    return [
        (one.opcode, shape_bytes(one.shape), one.called, one.op_name, module.stack(one), one.trip_count)
        for _, one in module.instructions()
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (
            "fusion(%a, %b), ",
            'fusion(%a, %b), metadatax={op_name="x"}, ',
            12,
            "attribute 'metadatax', which this version does not know",
        ),
        (
            "fusion(%a, %b), ",
            'fusion(%a, %b), metadata={op_namex="x"}, ',
            12,
            "of metadata 'op_namex', which this version does not know",
        ),
        ("fusion(%a, %b), ", "fusion(%a, %b), metadata={op_name=x}, ", 12, "an invalid value of 'op_name'"),
        ("fusion(%a, %b), ", "fusion(%a, %b), metadata={}, metadata={}, ", 12, "attribute 'metadata' twice"),
        ("calls=%f", "call=%f", 12, "attribute 'call', which this version does not know"),
        ("calls=%f, ", "", 12, "'c' lacks the attribute 'calls', which fusion requires"),
        ("calls=%f", "to_apply=%f", 12, "'c' lacks the attribute 'calls', which fusion requires"),
        ("calls=%f", "calls=%f, calls=%f", 12, "attribute 'calls' twice"),
        ("%b = f32[3]{0}", "%b = f32x[3]{0}", 11, "'b' is of the type 'f32x[3]{0}', which XLA does not have"),
        ("%b = f32[3]{0}", "%b = (f32[3]{0}, g32[])", 11, "'b' is of the type '(f32[3]{0}, g32[])'"),
        ("%b = f32[3]{0}", "%b = f32[3o]{0}", 11, "'b' is of the type 'f32[3o]{0}'"),
        ("%b = f32[3]{0}", "%b = f32[3]{0:Q(4)}", 11, "'b' is of the type 'f32[3]{0:Q(4)}'"),
    ],
)
def test_a_word_that_xla_does_not_have_is_named_with_its_line(old, new, line, words):
    with pytest.raises(HloSyntaxError) as caught:
        parse((BODY % "frontend_attributes={}").replace(old, new, 1))
    assert (caught.value.line, caught.value.certain) == (line, False)
    assert words in caught.value.message
