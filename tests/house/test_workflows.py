"""The workflows that the documentation offers: what they may do, and their shell steps run as GitHub runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import environment, program, run_program

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = DOCS / "examples" / "github"
HEAD = "0123456789abcdef0123456789abcdef01234567"
EXPRESSIONS = {
    "github.event.pull_request.number": "7",
    "github.token": "secret",
    "github.repository": "owner/project",
    "github.event.workflow_run.id": "42",
    "github.event.workflow_run.head_sha": HEAD,
}
"""What GitHub puts in for the expressions that the steps use; any other is a failure."""

GH = """#!{python}
import json, os, pathlib, shutil, subprocess, sys
words = sys.argv[1:]
with open(os.environ["GH_CALLS"], "a") as calls:
    calls.write(json.dumps(words) + "\\n")
if words[:2] == ["run", "download"]:
    shutil.copytree(os.environ["GH_ARTIFACT"], words[words.index("--dir") + 1], symlinks=True, dirs_exist_ok=True)
elif "--paginate" in words:
    asked = words[words.index("--jq") + 1]
    sys.exit(subprocess.run(["jq", "-r", asked], input=os.environ["GH_COMMENTS"], text=True).returncode)
elif any("/pulls/" in word for word in words):
    print(os.environ["GH_HEAD"])
elif "body=@comment.md" in words:
    shutil.copy("comment.md", os.environ["GH_SAID"])
else:
    sys.exit(f"gh: not expected: {{words}}")
"""
"""Stands for GitHub's program: it writes down what it was asked, and answers from the environment."""


def workflow(name: str) -> dict[str, Any]:
    """A workflow as data; YAML 1.1 reads the key ``on`` as true."""
    data = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in data.items()}


CHECK, COMMENT = workflow("ir-check.yml"), workflow("ir-comment.yml")


def only_job(made: dict[str, Any]) -> dict[str, Any]:
    (job,) = made["jobs"].values()
    return job


def step(made: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in only_job(made)["steps"] if one.get("name") == name)


def filled(values: dict[str, Any], outputs: dict[str, str]) -> dict[str, str]:
    """An ``env`` with its expressions put in."""
    known = EXPRESSIONS | {f"steps.check.outputs.{name}": value for name, value in outputs.items()}
    return {
        name: re.sub(r"\$\{\{\s*(.+?)\s*\}\}", lambda found: known[found[1]], str(value))
        for name, value in values.items()
    }


def run_step(made: dict[str, Any], name: str, folder: Path, outputs: dict[str, str] | None = None, **more: str) -> Any:
    """Run a step's script with ``bash -e``, as GitHub does where no shell is named."""
    one = step(made, name)
    variables = filled(only_job(made).get("env", {}) | one.get("env", {}), outputs or {})
    path = f"{folder / 'bin'}{os.pathsep}{Path(program()).parent}{os.pathsep}{os.environ['PATH']}"
    files = {"GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_OUTPUT": str(folder / "output")}
    return subprocess.run(
        ["bash", "-e", "-c", one["run"]], cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env=environment(CI="true", GITHUB_ACTIONS="true", **files, **variables, **more) | {"PATH": path},
    )  # fmt: skip


def outputs_of(folder: Path) -> dict[str, str]:
    lines = (folder / "output").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


# --- what they may do


def test_the_check_may_only_read() -> None:
    assert CHECK["permissions"] == {"contents": "read"}
    assert set(CHECK["on"]) == {"pull_request"}
    assert "permissions" not in only_job(CHECK)
    checkout = next(one for one in only_job(CHECK)["steps"] if "checkout" in one.get("uses", ""))
    assert checkout["with"]["persist-credentials"] is False


def test_the_comment_runs_after_the_check_and_may_comment_only() -> None:
    assert COMMENT["on"] == {"workflow_run": {"workflows": [CHECK["name"]], "types": ["completed"]}}
    assert COMMENT["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert "permissions" not in only_job(COMMENT)


def test_the_comment_runs_nobodys_code() -> None:
    steps = only_job(COMMENT)["steps"]
    assert all("uses" not in one for one in steps)
    scripts = "\n".join(one["run"] for one in steps)
    for word in ("git ", "pip ", "python", "eval", "source ", "bash "):
        assert word not in scripts


@pytest.mark.parametrize("made", [CHECK, COMMENT], ids=["check", "comment"])
def test_no_expression_stands_in_a_script(made: dict[str, Any]) -> None:
    scripts = [one["run"] for one in only_job(made)["steps"] if "run" in one]
    assert scripts
    assert not any("${{" in script for script in scripts)


def test_what_is_uploaded_is_what_is_downloaded() -> None:
    upload = next(one for one in only_job(CHECK)["steps"] if "upload-artifact" in one.get("uses", ""))
    assert f"--name {upload['with']['name']} " in step(COMMENT, "Download")["run"]
    assert upload["with"]["path"] in step(CHECK, "Check the IR")["run"]


def test_the_page_shows_no_other_workflows() -> None:
    page = (DOCS / "ci.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"examples/github/([\w.-]+)", page))
    assert linked == {path.name for path in EXAMPLES.iterdir()}


# --- the check, run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its snapshots."""
    root = tmp_path_factory.mktemp("recorded") / "project"
    shutil.copytree(DOCS / "examples" / "guarded", root, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    ran = run_program("snapshot", "update", folder=root, CI="")
    assert ran.code == 0, ran.err
    return root


@pytest.fixture
def project(recorded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(recorded, tmp_path / "project")


def grown(root: Path) -> None:
    text = (root / "net.py").read_text(encoding="utf-8")
    (root / "net.py").write_text(text.replace("length=50)", "length=50, unroll=5)"), encoding="utf-8")


def test_a_match_passes_and_is_told(project: Path) -> None:
    ran = run_step(CHECK, "Check the IR", project)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "::notice title=ltc-ir snapshot check::2 checked: 2 match\n"
    assert "✅" in (project / "summary").read_text(encoding="utf-8")
    assert (project / "ir-comment" / "number").read_text(encoding="utf-8") == "7\n"
    assert (project / "ir-comment" / "body.md").read_bytes() == (project / "summary").read_bytes()
    assert run_step(CHECK, "Verdict", project, outputs_of(project)).returncode == 0


def test_a_growth_fails_with_its_line(project: Path) -> None:
    grown(project)
    ran = run_step(CHECK, "Check the IR", project)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("::error file=net.py,line=")
    assert "has grown" in (project / "summary").read_text(encoding="utf-8")
    assert outputs_of(project) == {"code": "1"}
    assert run_step(CHECK, "Verdict", project, outputs_of(project)).returncode == 1


def test_a_check_that_cannot_be_made_is_told_too(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.ltc-ir\n", encoding="utf-8")
    ran = run_step(CHECK, "Check the IR", project)
    assert ran.returncode == 0
    assert "pyproject.toml:1: not valid TOML" in ran.stderr
    assert "exit 2" in (project / "ir-comment" / "body.md").read_text(encoding="utf-8")
    assert run_step(CHECK, "Verdict", project, outputs_of(project)).returncode == 2


# --- the comment, run


BODY = "### ❌ ltc-ir snapshot check\n\n$(touch broken) `touch broken` said of `energy grad`\n"


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """The folder of a runner, with an artifact beside it and `gh` replaced."""
    if shutil.which("jq") is None:
        pytest.skip("jq stands for the one in gh, and is not here")
    folder = tmp_path / "runner"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "gh").write_text(GH.format(python=sys.executable), encoding="utf-8")
    (folder / "bin" / "gh").chmod(0o755)
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    (artifact / "number").write_text("7\n", encoding="utf-8")
    (artifact / "body.md").write_text(BODY, encoding="utf-8")
    return folder


def commented(folder: Path, head: str = HEAD, comments: Any = ()) -> tuple[Any, list[list[str]]]:
    """Run both steps; the last one's end, and what `gh` was asked."""
    near = {"GH_CALLS": str(folder / "calls"), "GH_SAID": str(folder / "said"), "GH_HEAD": head}
    near |= {"GH_ARTIFACT": str(folder.parent / "artifact"), "GH_COMMENTS": json.dumps(list(comments))}
    (folder / "calls").unlink(missing_ok=True)
    assert run_step(COMMENT, "Download", folder, **near).returncode == 0
    ran = run_step(COMMENT, "Comment", folder, **near)
    return ran, [json.loads(line) for line in (folder / "calls").read_text(encoding="utf-8").splitlines()]


def writes(calls: list[list[str]]) -> list[list[str]]:
    return [call for call in calls if "--method" in call]


def by(login: str, number: int, body: str) -> dict[str, Any]:
    return {"id": number, "user": {"login": login}, "body": body}


def test_the_first_comment_is_posted_as_it_was_made(runner: Path) -> None:
    ran, calls = commented(runner)
    assert ran.returncode == 0, ran.stderr
    ((_, _, method, where, *_),) = writes(calls)
    assert (method, where) == ("POST", "repos/owner/project/issues/7/comments")
    said = (runner / "said").read_text(encoding="utf-8")
    assert said.startswith("<!-- ltc-ir")
    assert said.endswith(BODY)
    assert not (runner / "broken").exists()


def test_a_later_one_replaces_the_bots_own_and_nobody_elses(runner: Path) -> None:
    mark = "<!-- ltc-ir snapshot check -->\nold"
    others = [by("someone", 1, mark), by("github-actions[bot]", 2, "something else")]
    ran, calls = commented(runner, comments=[*others, by("github-actions[bot]", 3, mark)])
    assert ran.returncode == 0, ran.stderr
    ((_, _, method, where, *_),) = writes(calls)
    assert (method, where) == ("PATCH", "repos/owner/project/issues/comments/3")
    _, calls = commented(runner, comments=others)
    assert [call[2] for call in writes(calls)] == ["POST"]


@pytest.mark.parametrize("number", ["", "0", "x", "7; touch broken", "$(touch broken)", "7\n8", "../9", "1" * 12])
def test_a_number_that_is_none_ends_it(number: str, runner: Path) -> None:
    (runner.parent / "artifact" / "number").write_text(number, encoding="utf-8")
    ran, calls = commented(runner)
    assert ran.returncode == 1
    assert "::error::" in ran.stdout
    assert not writes(calls)
    assert not (runner / "broken").exists()


def test_another_pull_request_cannot_be_named(runner: Path) -> None:
    ran, calls = commented(runner, head="f" * 40)
    assert ran.returncode == 0
    assert "another head" in ran.stdout
    assert not writes(calls)


def test_a_link_is_not_followed(runner: Path) -> None:
    body = runner.parent / "artifact" / "body.md"
    body.unlink()
    body.symlink_to("/etc/hostname")
    ran, calls = commented(runner)
    assert ran.returncode == 1
    assert not writes(calls)


def test_a_check_that_left_nothing_is_no_failure(runner: Path) -> None:
    (runner / "bin" / "gh").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    ran = run_step(COMMENT, "Download", runner)
    assert ran.returncode == 0
    assert "::notice::" in ran.stdout
    assert "hashFiles('ir-comment/**')" in step(COMMENT, "Comment")["if"]


def test_the_comment_made_of_a_growth(project: Path, runner: Path) -> None:
    grown(project)
    assert run_step(CHECK, "Check the IR", project).returncode == 0
    shutil.rmtree(runner.parent / "artifact")
    shutil.copytree(project / "ir-comment", runner.parent / "artifact")
    ran, calls = commented(runner)
    assert ran.returncode == 0, ran.stderr
    assert len(writes(calls)) == 1
    said = (runner / "said").read_text(encoding="utf-8")
    assert "energy grad has grown" in said
    assert "net.py:18" in said
