"""What `ltc-ir follow` prints: a first screen that fits, every format from one record, and what a kernel came from."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

import ltc_ir
from ltc_ir.records.serialization import dumps
from tests.cli.conftest import Command, data_of, record_of

pytestmark = pytest.mark.versions


def test_the_first_screen_of_the_ltc_gradient_fits_a_terminal(command: Command) -> None:
    lines = data_of(command("follow", "ltc", "--grad")).splitlines()
    assert len(lines) <= 23 and max(map(len, lines)) <= 80
    assert lines[0].startswith("ltc grad: ") and lines[0].endswith(" equations")
    assert sum(line.lstrip().startswith(("kept", "merged", "inlined", "folded", "gone")) for line in lines[:12]) >= 4


def test_json_is_the_record_of_the_api(command: Command) -> None:
    made = record_of(command("follow", "mine:energy", "--grad", "--format", "json"))
    assert (made["kind"], made["schema"], made["target"], made["selection"]) == ("follow", 1, "mine:energy", {})
    followed = ltc_ir.follow("mine:energy", program="grad")
    assert data_of(command("follow", "mine:energy", "--grad", "--format", "json")) == dumps(followed)
    program = made["programs"]["grad"]
    assert [row["number"] for row in program["rows"]] == list(range(1, program["equations"] + 1))


def test_csv_has_a_line_for_each_equation_whatever_top_says(command: Command) -> None:
    followed = ltc_ir.follow("mine:energy").programs["forward"]
    text = data_of(command("follow", "mine:energy", "--format", "csv", "--top", "1"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["number"], row["name"], row["types"], row["fate"]) for row in rows] == [
        (str(row.number), row.name, ";".join(row.types), row.fate.value) for row in followed.rows
    ]
    assert rows[0]["stablehlo"] == "stablehlo.multiply=1" and rows[0]["executed"] == ""


def test_markdown_and_table_show_the_same_equations(command: Command) -> None:
    table = data_of(command("follow", "mine:step", "--op", "tanh"))
    markdown = data_of(command("follow", "mine:step", "--op", "tanh", "--format", "markdown"))
    for text in (table, markdown):
        assert "2 tanh f32[5,4]" in text and "mine.py:8" in text and "1 stablehlo.tanh" in text


def test_top_limits_a_selection_and_says_so(command: Command) -> None:
    text = data_of(command("follow", "ltc", "--op", "mul", "--top", "2"))
    assert "more equations not shown (--top 0 shows all)" in text
    shown = [line for line in text.splitlines() if " mul f32" in line]
    assert len(shown) == 2


def test_a_kernel_shows_its_lines_first(command: Command) -> None:
    row = next(row for row in ltc_ir.follow("mine:step").programs["forward"].rows if row.name == "tanh")
    text = data_of(command("follow", "mine:step", "--kernel", row.kernels[0]))
    assert text.index("mine.py:8") < text.index("2 tanh f32[5,4]")


def test_what_is_merged_is_named_by_its_number_on_both_sides(command: Command) -> None:
    made = record_of(command("follow", "ltc", "--op", "mul", "--format", "json"))
    rows = {row["number"]: row for row in made["programs"]["forward"]["rows"] if row["merged_with"]}
    text = data_of(command("follow", "ltc", "--op", "mul", "--top", "0"))
    for number, row in rows.items():
        line = next(line for line in text.splitlines() if line.startswith(f" {number} "))
        words = "merged with" if row["fate"] == "merged" else f"{row['fate']}, merged with"
        assert f" {words} {row['merged_with'][0]}" in line
    assert {row["fate"] for row in rows.values()} >= {"kept"}


def test_executed_names_how_it_was_determined(command: Command) -> None:
    text = data_of(command("follow", "mine:step", "--equation", "2", "--executed"))
    assert "executed           1 (static)" in text


def test_a_foreign_platform_leaves_hlo_null_with_the_reason(command: Command) -> None:
    made = record_of(command("follow", "mine:step", "--platform", "tpu", "--format", "json"))
    program = made["programs"]["forward"]
    assert {row["hlo"] for row in program["rows"]} == {None}
    assert "needs a tpu device" in program["reasons"]["hlo"]
    assert made["environment"]["platform"] == "tpu"


def test_a_program_without_operations_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "same.py").write_text("import jax.numpy as jnp\ndef f(x): return x\nf_args = (jnp.ones(3),)\n")
    ran = command("follow", f"{tmp_path}/same.py:f")
    assert ran.code == 2 and "has no operations" in ran.err
