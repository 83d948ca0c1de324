"""Output is data: whatever things are called, no format holds what a terminal or a CI obeys, and every parser reads it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from ltc_ir.escape import escape, quote
from ltc_ir.render.formats import FORMATS
from ltc_ir.render.table import Printable
from ltc_ir.render.tabular import to_html
from ltc_ir_cli.emit import laid_out
from tests.hostile import (
    CHECK,
    COUNT,
    NAMES,
    PASSES,
    RECORDS,
    STACKS,
    cells_of,
    obeyed_lines,
    raw_characters,
    renamed,
    strings,
)
from tests.timing.passes.test_pprof import fields as protobuf_fields

PICTURES = {"svg", "png"}
NEEDS_MORE = {("count", "folded"), ("count", "speedscope"), ("count", "pprof"), ("time", "pprof")}
LONG = NAMES["long"]
of_every_kind = pytest.mark.parametrize(
    ("kind", "record", "options"), [r[1:] for r in RECORDS], ids=[r[0] for r in RECORDS]
)


def rendered(kind: str, format: str, record: Any, **options: Any) -> str:
    """What a command prints."""
    made = FORMATS[kind][format](record, **options)
    if isinstance(made, list):
        assert all(isinstance(block, Printable) for block in made)
        return laid_out(made, "a file")
    assert isinstance(made, str)
    return made


def nothing_is_obeyed(text: str) -> None:
    """No raw control character, and no line that a CI takes for a command."""
    assert raw_characters(text) == set()
    assert obeyed_lines(text) == []


@of_every_kind
def test_a_table_is_text_and_nothing_else(kind: str, record: Any, options: dict[str, Any]):
    for name in NAMES.values():
        a_table_is_text_and_nothing_else(kind, record, options, name)


def a_table_is_text_and_nothing_else(kind: str, record: Any, options: dict[str, Any], name: str) -> None:
    text = rendered(kind, "table", renamed(record, name), **options)
    nothing_is_obeyed(text)
    assert LONG not in text
    if name == LONG:
        assert "…" in text
    elif name.strip() == name:  # titles and cells are not cut
        assert escape(name)[:8] in text


@of_every_kind
def test_markdown_has_the_same_columns_in_every_row(kind: str, record: Any, options: dict[str, Any]):
    for name in NAMES.values():
        markdown_has_the_same_columns_in_every_row(kind, record, options, name)


def markdown_has_the_same_columns_in_every_row(kind: str, record: Any, options: dict[str, Any], name: str) -> None:
    text = rendered(kind, "markdown", renamed(record, name), **options)
    nothing_is_obeyed(text)
    fence, columns = "", 0
    for line in text.splitlines():
        if fence or line.startswith("```"):
            mark = re.match("`*", line)
            assert mark is not None
            fence = ("" if mark[0] == line == fence else fence) if fence else mark[0]
        elif line.startswith("|"):
            columns = columns or len(cells_of(line))
            assert len(cells_of(line)) == columns, line
            assert not re.search(r"<|`|\]\(|(?<!\w)\*", line), line
        else:
            columns = 0
            assert "<script" not in line
            assert "<br" not in line
    assert not fence


@of_every_kind
def test_json_holds_every_name_exactly(kind: str, record: Any, options: dict[str, Any]):
    for name in NAMES.values():
        json_holds_every_name_exactly(kind, record, options, name)


def json_holds_every_name_exactly(kind: str, record: Any, options: dict[str, Any], name: str) -> None:
    hostile = renamed(record, name)
    text = rendered(kind, "json", hostile, **options)
    nothing_is_obeyed(text)
    text.encode()
    plain = json.loads(rendered(kind, "json", record, **options))
    names = {found for text in strings(plain) for found in re.findall(r"\b(?:N\d+|T2?|P2?)\b", text)}
    everything = list(strings(json.loads(text)))
    for placeholder in names:
        exact = name if placeholder in {"T", "N0"} else f"{name}{placeholder}"
        assert any(exact in found for found in everything), placeholder


@of_every_kind
def test_csv_is_exact_or_inert(kind: str, record: Any, options: dict[str, Any]):
    for name in NAMES.values():
        csv_is_exact_or_inert(kind, record, options, name)


def csv_is_exact_or_inert(kind: str, record: Any, options: dict[str, Any], name: str) -> None:
    hostile = renamed(record, name)
    made = FORMATS[kind]["csv"](hostile)
    nothing_is_obeyed(made)
    made.encode()
    plain = list(csv.reader(io.StringIO(FORMATS[kind]["csv"](record))))
    exact = list(csv.reader(io.StringIO(made.exact, newline="")))
    shown = list(csv.reader(io.StringIO(made)))
    assert list(map(len, exact)) == list(map(len, shown)) == list(map(len, plain))
    for exact_row, shown_row, plain_row in zip(exact, shown, plain, strict=True):
        for cell, inert, placeholder in zip(exact_row, shown_row, plain_row, strict=True):
            assert inert.removeprefix("'") == escape(cell) or inert == escape(cell)
            assert not re.match(r"\s*[=+@-]", inert) or re.fullmatch(r"[+-]?[\d.]+", inert)
            if placeholder in {"T", "N0"}:
                assert cell == name
            elif not re.search(r"\b(N\d+|T2?|P2?)\b", placeholder):
                assert inert == placeholder


def test_junit_is_xml_that_holds_all_cases():
    for name in NAMES.values():
        junit_is_xml_that_holds_all_cases(name)


def junit_is_xml_that_holds_all_cases(name: str) -> None:
    text = rendered("check", "junit", renamed(CHECK, name))
    nothing_is_obeyed(text)
    cases = ET.fromstring(text).findall(".//testcase")
    assert len(cases) == len(ET.fromstring(rendered("check", "junit", CHECK)).findall(".//testcase"))
    assert cases[0].get("classname") == escape(name)


def test_annotations_are_ours_and_nobody_elses():
    for name in NAMES.values():
        annotations_are_ours_and_nobody_elses(name)


def annotations_are_ours_and_nobody_elses(name: str) -> None:
    text = rendered("check", "github", renamed(CHECK, name))
    assert raw_characters(text) == set()
    plain = rendered("check", "github", CHECK)
    assert len(text.splitlines()) == len(plain.splitlines())
    for line, expected in zip(text.splitlines(), plain.splitlines(), strict=True):
        command = re.fullmatch(r"::(error|notice) ((?:\w+=[^:,\n]*)(?:,\w+=[^:,\n]*)*)::(.*)", line)
        assert command is not None, line
        assert command[1] == expected[2:].split()[0]
        assert "%" not in re.sub(r"%(0A|0D|25|3A|2C)", "", command[2] + command[3])
        assert not re.search(r"##(\[|vso\[|teamcity\[)", line)


class Texts(HTMLParser):
    """The tags of an HTML text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert attrs == []


def test_views_of_notebooks_hold_no_html_of_others():
    for name in NAMES.values():
        views_of_notebooks_hold_no_html_of_others(name)


def views_of_notebooks_hold_no_html_of_others(name: str) -> None:
    from ltc_ir.render.layouts.count import count_sheets

    text = to_html(count_sheets(renamed(COUNT, name)))
    nothing_is_obeyed(text)
    read = Texts()
    read.feed(text)
    assert read.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "p", "small"}


def test_folded_stacks_have_a_number_on_every_line():
    for name in NAMES.values():
        folded_stacks_have_a_number_on_every_line(name)


def folded_stacks_have_a_number_on_every_line(name: str) -> None:
    for kind, record in (("count", STACKS), ("passes", PASSES)):
        text = rendered(kind, "folded", renamed(record, name))
        nothing_is_obeyed(text)
        assert len(text.splitlines()) == len(rendered(kind, "folded", record).splitlines())
        assert all(re.fullmatch(r"[^ ]+ \d+", line) for line in text.splitlines())


def test_profiles_are_read_by_their_parsers():
    for name in NAMES.values():
        profiles_are_read_by_their_parsers(name)


def profiles_are_read_by_their_parsers(name: str) -> None:
    for kind, format, record in (
        ("count", "speedscope", STACKS),
        ("passes", "speedscope", PASSES),
        ("passes", "chrome-trace", PASSES),
    ):
        text = rendered(kind, format, renamed(record, name))
        nothing_is_obeyed(text)
        text.encode()
        assert any(name in found for found in strings(json.loads(text)))
    profile = gzip.decompress(FORMATS["count"]["pprof"](renamed(STACKS, name)))
    texts = [content.decode() for content in protobuf_fields(profile)[6]]
    assert any(escape(name) in text for text in texts)
    nothing_is_obeyed("\n".join(texts))


@pytest.mark.parametrize("kind", ["surrogate", "cdata", "long"])
@pytest.mark.parametrize("record", ["time", "sweep"])
def test_pictures_are_drawn_whatever_is_on_them(record: str, kind: str):
    shown = next(sample for name, _, sample, _ in RECORDS if name == record)
    svg = FORMATS[record]["svg"](renamed(shown, NAMES[kind]))
    ET.fromstring(svg)
    nothing_is_obeyed(svg.decode())


def test_what_accepts_is_pasted_as_the_name():
    for name in NAMES.values():
        what_accepts_is_pasted_as_the_name(name)


def what_accepts_is_pasted_as_the_name(name: str) -> None:
    nothing_is_obeyed(f"  accept: ltc-ir snapshot update {quote(name)}")


def test_numbers_in_text_have_no_apostrophe():
    from ltc_ir.render.tabular import to_csv

    cells = ["-1", "+2.5", "-1e-9", "+5%", "-", "=1", "@x", "\t=1", "a=1", "-x", " =1", "\uff1d1", -3, -2.5, None]
    assert list(csv.reader(io.StringIO(to_csv([cells])))) == [
        ["-1", "+2.5", "-1e-9", "'+5%", "'-", "'=1", "'@x", "\\t=1", "a=1", "'-x", "' =1", "'\uff1d1", "-3", "-2.5", ""]
    ]
