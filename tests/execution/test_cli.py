"""Executed counts on the command line: beside what stands, as JSON and CSV; what cannot be is said."""

from __future__ import annotations

import csv
import io
import json

import pytest

from ltc_ir_cli.app import main
from tests import golden

pytestmark = pytest.mark.versions

MODULE = """
import jax
import jax.numpy as jnp

def root(x):
    return jax.lax.while_loop(lambda y: jnp.abs(y * y - x) > 0.001, lambda y: (y + x / y) / 2, x)

def root_args():
    return (jnp.float32(100),)

def shaped(x):
    return root(x)

shaped_args = (jax.ShapeDtypeStruct((), jnp.float32),)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "newton.py").write_text(MODULE)
    return tmp_path


def test_what_ran_stands_beside_what_stands(here, capfd):
    assert main(["count", "newton.py:root", "--program", "forward", "--level", "jaxpr", "--executed"]) == 0
    shown = capfd.readouterr().out
    assert "executed" in shown and "identical to the plain run's" in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["div", "2", "14", "14"] in rows


def test_json_says_how(here, capfd):
    assert main(["count", "newton.py:root", "--program", "forward", "--executed", "--format", "json"]) == 0
    levels = json.loads(capfd.readouterr().out)["programs"]["forward"]
    executed = levels["jaxpr"]["executed"]
    assert executed["how"] == "measured" and executed["identical"] is True
    assert executed["ops"]["div"] == 2 * executed["regions"][0]["iterations"]
    assert executed["total"] == sum(executed["ops"].values())
    assert levels["stablehlo"]["executed"] is None and "trip count" in levels["stablehlo"]["reason"]


def test_csv_has_each_figure(here, capfd):
    assert main(["count", "newton.py:root", "--program", "forward", "--executed", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert [row["count"] for row in rows if row["view"] == "executed" and row["op"] == "div"] == ["14"]
    assert [row["count"] for row in rows if row["view"] == "region" and row["op"] == "iterations"] == ["7"]


def test_csv_and_frames_hold_numbers_alone(here):
    import ltc_ir

    frame = ltc_ir.count("newton.py:root", programs=("forward",), executed=True).to_pandas()
    assert frame["count"].dtype.kind in "if"
    facts = frame[(frame["view"] == "fact") & (frame["key"] == "executed") & (frame["level"] == "jaxpr")]
    assert dict(zip(facts["op"], facts["count"], strict=True)) | {"bytes": 0} == {
        "measured": 1,
        "identical": 1,
        "bytes": 0,
    }


def test_shapes_are_filled(here, capfd):
    asked = ["count", "newton.py:shaped", "--program", "forward", "--executed", "--format", "json"]
    assert main(asked) == 0
    assert "--fill" in json.loads(capfd.readouterr().out)["programs"]["forward"]["jaxpr"]["reason"]
    assert main([*asked, "--fill", "zeros"]) == 0
    made = json.loads(capfd.readouterr().out)["programs"]["forward"]["jaxpr"]["executed"]
    assert made["filled"] == "zeros" and made["regions"][0]["iterations"] == 0


def test_a_record_keeps_what_ran(here, capfd):
    assert main(["count", "newton.py:root", "--executed", "-f", "json", "-o", "made.json"]) == 0
    assert main(["count", "made.json", "--executed", "--level", "jaxpr", "--program", "forward"]) == 0
    assert "identical to the plain run's" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("name", "command"),
    {
        "fill_unknown": "count newton.py:shaped --executed --fill ones",
        "fill_without_executed": "count newton.py:shaped --fill zeros",
        "executed_of_a_file": "count made.mlir --executed",
        "executed_with_a_rule": "count newton.py:shaped --executed --rule while=0",
    }.items(),
)
def test_what_cannot_be_is_said(here, capfd, name, command):
    (here / "made.mlir").write_text("module { func.func @main() { return } }")
    assert main(command.split()) == 2
    said = capfd.readouterr()
    assert not said.out
    golden.check(f"$ ltc-ir {command}\nexit 2\n{said.err}", f"messages/{name}.txt")
