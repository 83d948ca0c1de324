"""`count --rule`: a verdict on a target or a file, with no snapshot anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Command


def test_a_rule_that_holds_ends_well_and_one_that_is_broken_with_1(command: Command) -> None:
    held = command("count", "mine:energy", "--rule", "while = 0", "--rule", "grad/mul >= 1")
    assert held.code == 0, held.out + held.err
    assert "2 checked: 2 hold" in held.out
    broken = command("count", "mine:energy", "--rule", "grad/mul = 0")
    assert broken.code == 1
    assert "rule: grad/mul = 0 (--rule)" in broken.out
    assert "mine.py:13" in broken.out


def test_only_the_programs_that_were_asked_for_are_judged(command: Command) -> None:
    ran = command("count", "mine:energy", "--rule", "mul = 1", "--program", "forward", "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert [one["program"] for one in json.loads(ran.out)["checks"]] == ["forward"]


def test_a_rule_that_says_nothing_is_an_error(command: Command) -> None:
    ran = command("count", "mine:energy", "--rule", "whle = 0")
    assert ran.code == 2
    assert "did you mean while?" in ran.out


def test_a_step_needs_a_snapshot(command: Command) -> None:
    ran = command("count", "mine:energy", "--rule", "total +5%")
    assert ran.code == 2
    assert "there is no snapshot to step from" in ran.out


def test_a_stored_file_is_judged_too(command: Command, folder: Path) -> None:
    assert command("lower", "mine:energy", "-o", "energy.mlir").code == 0
    assert command("count", "energy.mlir", "--rule", "stablehlo:multiply = 1").code == 0
    assert command("count", "energy.mlir", "--rule", "stablehlo:multiply = 0").code == 1


def test_a_verdict_has_the_formats_of_a_check(command: Command, folder: Path) -> None:
    ran = command("count", "mine:energy", "--rule", "mul = 0", "--format", "junit", "-o", "verdict.xml")
    assert (ran.code, ran.out) == (1, "")
    assert "with a broken rule" in ran.err
    root = ElementTree.parse(folder / "verdict.xml").getroot()
    assert root.find("testsuite").get("failures") == "2"
    assert not list(folder.glob("snapshots*"))


def test_a_gradient_that_cannot_be_made_is_said_to_be_unchecked(command: Command, folder: Path) -> None:
    folder.joinpath("vector.py").write_text("def two(x):\n    return x * 2\n", encoding="utf-8")
    ran = command("count", "vector.py:two", "--args", "f32[3]", "--rule", "while = 0")
    assert ran.code == 0, ran.err
    assert "1 checked: 1 holds; 1 not checked (no gradient: the output is float32[3]" in ran.out


def test_a_rule_that_cannot_be_judged_holds_nowhere(command: Command) -> None:
    ran = command("count", "mine:energy", "--rule", "while = 0", "--rule", "hlo:collectives = 0")
    assert ran.code == 2
    assert "2 checked: 2 not judged; " in ran.out
    assert "holds" not in ran.out
    checks = json.loads(command("count", "mine:energy", "--rule", "hlo:collectives = 0", "--format", "json").out)[
        "checks"
    ]
    assert [one["exit_code"] for one in checks] == [2, 2]
    assert all("cannot show it" in one["unjudged"][0]["message"] for one in checks)


def test_a_name_that_is_met_nowhere_is_noted_and_fails_where_strict(command: Command) -> None:
    asked = ("count", "mine:energy", "--rule", "custom_call[misspelt] = 0")
    ran = command(*asked)
    assert (ran.code, "1 note on the rules" in ran.out) == (0, True)
    assert "note: --rule: rule 'custom_call[misspelt] = 0': there is no custom_call in mine:energy" in ran.out
    assert "there is no custom_call" in json.loads(command(*asked, "--format", "json").out)["notes"][0]["message"]
    for format in ("junit", "github", "markdown"):
        assert "there is no custom_call" in command(*asked, "--format", format).out.replace("\\", "")
    assert command(*asked, "--strict").code == 2


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ('rules = [{rule = "while = 0", targets = ["enrgy"]}]', "did you mean energy?"),
        ('rules = [{rule = "while = 0", targets = ["ener*"]}]', "which nothing here is called"),
        ('rules = [{rule = "while = 0", targets = []}]', "speaks of none"),
        ('waivers = [{op = "mul", reason = "why", until = 2999-01-01, targets = ["enrgy"]}]', "did you mean energy?"),
    ],
)
def test_what_speaks_of_a_target_that_there_is_not_is_refused(
    entry: str, says: str, command: Command, folder: Path
) -> None:
    table = '[tool.ltc-ir.targets]\nenergy = "mine:energy"\n[tool.ltc-ir.snapshots]\n'
    folder.joinpath("pyproject.toml").write_text(table + entry + "\n", encoding="utf-8")
    ran = command("snapshot", "check", "ltc", "--program", "forward")
    assert (ran.code, says in ran.err) == (2, True), ran.err
