"""What a project says of its snapshots in its pyproject.toml, and what is said of what it cannot mean."""

from __future__ import annotations

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
        ("directory = 'x'", "unknown key 'directory'"),
        ("dir = 3", "dir = 3"),
        ("dir = ''", "dir = ''"),
        ("targets = 'ltc'", "targets = 'ltc'"),
        ("targets = [3]", "targets = 3"),
        ("rules = 'while = 0'", "rules = 'while = 0'"),
        ("rules = [3]", "rules = 3"),
        ("rules = [{targets = ['ltc']}]", "rules = {"),
        ("rules = [{rule = 'while = 0', target = 'ltc'}]", "unknown key 'target'"),
        ("rules = [{rule = 'while = 0', targets = 'ltc'}]", "targets = 'ltc'"),
        ("waivers = {}", "waivers = {}"),
        ("waivers = ['x']", "waivers = 'x'"),
    ],
)
def test_what_a_project_cannot_mean(project, line, says):
    project(f"[tool.ltc-ir.snapshots]\n{line}\n")
    with pytest.raises(UsageError) as caught:
        config.guard()
    assert says in caught.value.message
    assert caught.value.message.startswith("pyproject.toml: ")
    assert caught.value.hint


def test_snapshots_that_are_no_table(project):
    project("[tool.ltc-ir]\nsnapshots = 3\n")
    with pytest.raises(UsageError, match="is no table"):
        config.guard()


def test_a_targets_rules_are_strings(project):
    project("[tool.ltc-ir.targets]\nnet = {target = 'm:net', rules = [3]}\n")
    with pytest.raises(UsageError, match="rules"):
        config.guard()
