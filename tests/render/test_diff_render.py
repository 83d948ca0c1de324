"""What a reader sees of a diff in each format."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest

from ltc_ir.compare.diff import diff_counts, diff_programs
from ltc_ir.records.diff import Change, Diff
from ltc_ir.render.formats import FORMATS
from ltc_ir.render.layouts.diff import phrase, ratio_in_words
from tests.compare.test_diff import GRADIENT, count, level

LINE = "ltc_ir/lab/models/ltc.py:57"


def printed(diff: Diff, **layout: object) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=160)
    console.print(*FORMATS["diff"]["table"](diff, **layout))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def grouped() -> Diff:
    before = level({"backward": {"mul": 1}}, by={LINE: {"backward": {"mul": 1}}})
    after = level(
        {"backward": {"mul": 5, "dot_general": 39}, "forward": {"mul": 1}},
        by={LINE: {"backward": {"mul": 5, "dot_general": 39}, "forward": {"mul": 1}}},
    )
    return diff_counts(count(before, grouped=("source",)), count(after, grouped=("source",)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change("dot_general", 16, 55, {"backward": 39}), f"+39 dot_general, all backward, {LINE}"),
        (Change("mul", 1, 6, {"forward": 1, "backward": 4}), f"+5 mul (backward +4, forward +1), {LINE}"),
        (Change("mul", 2, 2, {"forward": -1, "backward": 1}), f"±0 mul (backward +1, forward -1), {LINE}"),
        (Change("add", 3, 1, {"primal": -2}), f"-2 add, all primal, {LINE}"),
        (Change("lines", 1000, 3500), f"+2,500 lines, {LINE}"),
        (Change("lines", None, 3500), f"? lines, {LINE}"),
    ],
)
def test_a_change_is_said_in_words(change: Change, words: str) -> None:
    assert phrase(change, LINE) == words


def test_a_ratio_from_or_to_nothing_is_a_word() -> None:
    assert [ratio_in_words(Change("a", *sides)) for sides in ((0, 3), (3, 0), (16, 55), (0, 0), (None, 1))] == [
        "new", "gone", "3.44x", "", "",
    ]  # fmt: skip


def test_the_table_shows_the_headline_below_the_total_and_the_rest_by_size() -> None:
    lines = [line.split() for line in printed(diff_programs(GRADIENT)).splitlines() if line.strip()]
    names = [words[0] for words in lines]
    assert names[names.index("total") :][:8] == [
        "total", "dot_general", "scan", "while", "tanh", "transpose", "add", "mul",
    ]  # fmt: skip
    assert ["dot_general", "16", "55", "+39", "3.44x", "+39"] in lines
    assert ["mul", "0", "5", "+5", "new", "+1", "+4"] in lines


def test_top_limits_the_rows_but_not_the_headline_and_says_so() -> None:
    text = printed(diff_programs(GRADIENT), top=1)
    assert "transpose" in text
    assert " add " in text
    assert " mul " not in text
    assert "1 more rows not shown (--top 1)" in text


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_lines_of_source_are_read_off_as_phrases_largest_first(name: str) -> None:
    text = printed(grouped()) if name == "table" else FORMATS["diff"]["markdown"](grouped())
    first, second = f"+39 dot_general, all backward, {LINE}", f"+5 mul (backward +4, forward +1), {LINE}"
    assert 0 < text.index(first) < text.index(second)


def test_notes_stand_in_table_and_markdown() -> None:
    diff = diff_programs(GRADIENT)
    assert "not differentiated" in printed(diff)
    assert "not differentiated" in FORMATS["diff"]["markdown"](diff)


def test_no_difference_is_said() -> None:
    same = count(level({"primal": {"add": 1}}))
    assert "no operation differs" in printed(diff_counts(same, same))
    assert "no operation differs" in FORMATS["diff"]["markdown"](diff_counts(same, same))


def test_an_unknown_figure_is_shown_with_its_reason() -> None:
    left = level({}, "stablehlo", lines=None, reasons={"lines": "the text was not printed"})
    text = printed(diff_counts(count(left), count(level({}, "stablehlo", lines=7))))
    assert "lines: the text was not printed" in text
    assert ["lines", "7", "?"] in [line.split() for line in text.splitlines()]


def test_json_has_the_documented_layout() -> None:
    data = json.loads(FORMATS["diff"]["json"](grouped()))
    assert data.keys() == {"schema", "kind", "baseline", "current", "empty", "grouped", "notes", "pairs"}
    assert (data["schema"], data["kind"]) == (1, "diff")
    assert data["baseline"].keys() == {"target", "program", "environment"}
    made = data["pairs"][0]["levels"]["jaxpr"]
    assert made.keys() == {"ops", "metrics", "by", "fingerprints"}
    assert made["fingerprints"] == "same"
    assert made["ops"][0] == {
        "name": "dot_general", "baseline": 0, "current": 39, "change": 39, "ratio": None, "status": "new",
        "phases": {"backward": 39},
    }  # fmt: skip
    assert (made["by"][0]["key"], made["by"][0]["change"], len(made["by"][0]["ops"])) == (LINE, 44, 2)
    headline = json.loads(FORMATS["diff"]["json"](diff_programs(GRADIENT)))["pairs"][0]["levels"]["jaxpr"]["ops"]
    assert [row["name"] for row in headline if row.get("headline")] == [row["name"] for row in headline[:5]]


def test_csv_rows_can_be_summed() -> None:
    rows = list(csv.DictReader(io.StringIO(str(FORMATS["diff"]["csv"](grouped(), top=1)))))
    ops = [row for row in rows if row["view"] == "op"]
    total = next(row for row in rows if row["view"] == "metric" and row["name"] == "total")
    assert sum(int(row["change"]) for row in ops) == int(total["change"]) == 44
    assert sum(int(row["backward"]) for row in ops) == int(total["backward"]) == 43
    assert {row["key"] for row in rows if row["view"] == "by"} == {LINE}


def test_markdown_cells_escape_what_would_break_a_table() -> None:
    key = "a.py:1 | <lambda>"
    sides = [count(level({}, by={key: {"primal": {"add": n}}}), grouped=("source", "function")) for n in (1, 2)]
    assert "a.py:1 &#124; &#60;lambda>" in FORMATS["diff"]["markdown"](diff_counts(*sides))


def test_comparing_and_showing_import_neither_jax_nor_rich() -> None:
    code = (
        "import sys, ltc_ir.compare.text.canonical, ltc_ir.compare.diff, ltc_ir.render.formats;"
        "sys.exit(str(sorted({'jax', 'jaxlib', 'numpy', 'pandas', 'rich', 'networkx', 'matplotlib'} & sys.modules.keys())))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert made.stderr.strip() == "[]"
