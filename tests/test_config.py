"""What a project says of its snapshots in its pyproject.toml, and what is said of what it cannot mean."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from ltc_ir import config
from ltc_ir.config import GuardConfig, WrittenRule
from ltc_ir.errors import UsageError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes the project's table and stands in its folder."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")

    return write


def test_a_project_that_says_nothing(project):
    project("")
    assert config.guard() == GuardConfig("snapshots", (), (), ())


def test_all_that_a_project_can_say(project):
    project("""
[tool.ltc-ir.targets]
step = "m:step"
net = {target = "m:net", rules = ["while = 0", "total +5%"]}

[tool.ltc-ir.snapshots]
dir = "ir"
targets = ["step", "net"]
rules = ["total +20", {rule = "scan >= 1", targets = ["net"]}, {rule = "case = 0"}]
waivers = [{op = "dot_general", reason = "wanted", until = 2027-01-31}]
""")
    found = config.guard()
    assert (found.directory, found.targets) == ("ir", ("step", "net"))
    assert found.rules == (
        WrittenRule("total +20"),
        WrittenRule("scan >= 1", ("net",)),
        WrittenRule("case = 0"),
        WrittenRule("while = 0", ("net",)),
        WrittenRule("total +5%", ("net",)),
    )
    assert {rule.where for rule in found.rules} == {"pyproject.toml"}
    assert found.waivers == ({"op": "dot_general", "reason": "wanted", "until": date(2027, 1, 31)},)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("directory = 'x'", 'unknown field "directory"'),
        ("dir = 3", "dir is 3, not a text"),
        ("dir = ''", "dir is ''"),
        ("targets = 'ltc'", "targets is 'ltc', not a list"),
        ("targets = [3]", "targets holds 3, not a text"),
        ("rules = 'while = 0'", "rules is 'while = 0', not a list"),
        ("rules = [3]", "rules holds 3, not text or table"),
        ("rules = [{targets = ['ltc']}]", 'missing field "rule" in [tool.ltc-ir.snapshots.rules.0]'),
        ("rules = [{rule = 'while = 0', target = 'ltc'}]", 'unknown field "target"'),
        ("rules = [{rule = 'while = 0', targets = 'ltc'}]", "targets is 'ltc', not a list"),
        ("waivers = {}", "waivers is a table, not a list"),
        ("waivers = ['x']", "waivers holds 'x', not a table"),
    ],
)
def test_what_a_project_cannot_mean(project, line, says):
    project(f"[tool.ltc-ir.snapshots]\n{line}\n")
    with pytest.raises(UsageError) as caught:
        config.guard()
    assert says in caught.value.message
    assert caught.value.message.startswith("pyproject.toml:2: ")
    assert caught.value.hint


def test_snapshots_that_are_no_table(project):
    project("[tool.ltc-ir]\nsnapshots = 3\n")
    with pytest.raises(UsageError, match=r"^pyproject\.toml:2: snapshots is 3, not a table"):
        config.guard()


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000, f"{'[' * 5000}{']' * 5000}"])
def test_a_file_that_cannot_be_read_is_refused(project, value):
    project(f"[tool.other]\nvalue = {value}\n")
    with pytest.raises(UsageError, match="not valid TOML"):
        config.targets()


def test_targets_are_read_without_msgspec(project, tmp_path):
    project("[tool.ltc-ir.targets]\nstep = 'm:step'\n")
    code = "import sys; from ltc_ir import config; config.targets(); print('msgspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_targets_rules_are_strings(project):
    project("[tool.ltc-ir.targets]\nnet = {target = 'm:net', rules = [3]}\n")
    with pytest.raises(UsageError, match="rules"):
        config.guard()


@pytest.mark.parametrize("key", ["snapshotz", "target", "rules"])
def test_a_table_that_there_is_not_is_refused_with_the_near_one(key, tmp_path, monkeypatch):
    tmp_path.joinpath("pyproject.toml").write_text(f"[tool.ltc-ir.{key}]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as refused:
        config.targets()
    assert f"unknown key '{key}'" in refused.value.message
    near = {"snapshotz": "snapshots", "target": "targets"}.get(key)
    assert refused.value.hint.startswith(f"did you mean {near}?" if near else "tables are [tool.ltc-ir.targets]")


@pytest.mark.parametrize("value", ["0x" + "f" * 5000, "9" * 101, "[" * 120 + "]" * 120, f'"{"x" * 1_000_001}"'])
def test_what_is_too_long_or_deep_is_refused_wherever_it_stands(project, value):
    for place in ("targets", "targets.step.argnums", "snapshots.waivers", "snapshots.dir", "snapshots.rules"):
        project(f"[tool.ltc-ir]\n{place} = {value}\n")
        with pytest.raises(UsageError, match=r"^pyproject\.toml: tool\.ltc-ir: "):
            config.guard()
