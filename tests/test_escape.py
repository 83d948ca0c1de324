"""The one escaper: what people read holds no character that a terminal or a CI obeys, and JSON holds the same data."""

from __future__ import annotations

import json
import unicodedata

import pytest

from ltc_ir.errors import TargetError
from ltc_ir.escape import MESSAGE, capped, escape, escape_json, escape_lines, escape_message, indented

SPELLED = {
    "a\x1b[31mb": r"a\x1b[31mb",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "a\nb\rc\td": r"a\nb\rc\td",
    "nul\0 del\x7f c1\x9b": r"nul\x00 del\x7f c1\x9b",
    "\u202etxt\u2066\u2069\u200e\u200f\u061c": r"\u202etxt\u2066\u2069\u200e\u200f\u061c",
    "z\u200bw\ufeff\u2028\u2029": r"z\u200bw\ufeff\u2028\u2029",
    "lone \ud800": r"lone \ud800",
    "tag \U000e0041": r"tag \U000e0041",
    "::error::x": r"\x3a:error::x",
    " \u00a0::error::x": " \u00a0\\x3a:error::x",
    "x ##[error]y": r"x \x23#[error]y",
    "##vso[task.x]": r"\x23#vso[task.x]",
    "##teamcity[x]": r"\x23#teamcity[x]",
}
ORDINARY = ["a::b", "step é", "中\u3000文", "emoji 😀 🇦🇹 ❤️", "e\u0301", "## heading", "#[red]", "a\\x1b", "module:name"]


@pytest.mark.parametrize("text", SPELLED, ids=ascii)
def test_what_a_terminal_or_a_ci_obeys_is_spelled(text: str):
    assert escape(text) == SPELLED[text]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str):
    assert escape(text) == escape_lines(text) == escape_message(text) == text


EVERYTHING = "".join(
    map(chr, (*range(0x3100), *range(0xA000, 0xDC00), *range(0xE000, 0x20000), *range(0xE0000, 0xE2000)))
)


def test_every_character_is_spelled_or_harmless():
    obeyed = {"Cc", "Cs", "Zl", "Zp"}
    shown = set(escape(EVERYTHING))
    assert not {char for char in shown if unicodedata.category(char) in obeyed or char in "\u200b\u200d\u2060\ufeff"}
    assert not {char for char in shown if unicodedata.bidirectional(char) in BIDIRECTIONAL}
    assert set(escape_lines(EVERYTHING)) == {*shown, "\n"}


def test_json_holds_every_character():
    written = escape_json(json.dumps(EVERYTHING, ensure_ascii=False))
    assert json.loads(written) == EVERYTHING
    assert escape_lines(written) == written


BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_no_line_of_several_begins_with_a_command():
    assert escape_lines("a\n\t::error::b\n  ##[group]c\x1b") == "a\n    \\x3a:error::b\n  \\x23#[group]c\\x1b"
    assert indented("a\r\n::error::b\n") == "  | a\n  | \\x3a:error::b\n"


@pytest.mark.parametrize("text", [*SPELLED, *ORDINARY], ids=ascii)
def test_json_holds_the_same_data_and_nothing_that_is_obeyed(text: str):
    written = escape_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(written) == {text: [text]}
    assert "##[" not in written
    assert escape_lines(written) == written


def test_long_text_keeps_both_ends_and_tells_its_length():
    text = capped("a" * 5_000_000 + "z" * 5_000_000)
    assert text.startswith("aaa")
    assert text.endswith("zzz")
    assert "… (10,000,000 characters) …" in text
    assert len(text) == MESSAGE
    assert capped(text) == text


def test_an_error_holds_no_endless_message():
    error = TargetError("m" * 10_000_000, "h" * 10_000_000, "d" * 10_000_000)
    assert len(error.message) + len(error.hint or "") + len(str(error)) < 7_000
    assert len(error.detail or "") < 101_000
