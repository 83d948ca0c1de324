"""What the runs in other environments, and the script of CI, make of their parts: failed, skipped with a reason, or passed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests import run_versions
from tests.run_versions import FRAMEWORKS, ROOT, SKIPPED, VERSIONS, constraints, environments, exit_code, run

PASSES, FAILS = "assert True", "assert False"
SKIPS = "pytest.skip('needs a thing')"


@pytest.fixture
def tests_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a test file, and run it as the marked tests of an environment whose Python is this one."""
    monkeypatch.setattr(run_versions, "FOLDER", tmp_path)
    monkeypatch.setattr(run_versions, "build", lambda *_: Path(sys.executable))
    monkeypatch.setattr(run_versions, "interpreter", lambda _: sys.executable)

    def of(*bodies: str, may_skip: bool = True) -> run_versions.Outcome:
        tests = "".join(f"\n\n@pytest.mark.versions\ndef test_{n}():\n    {body}\n" for n, body in enumerate(bodies))
        (tmp_path / "test_mine.py").write_text("import pytest\n" + tests, encoding="utf-8")
        plain = ["-p", "no:cacheprovider", "-o", "addopts=-q", str(tmp_path / "test_mine.py")]
        return run(replace(VERSIONS[0], may_skip=may_skip), False, plain)

    return of


@pytest.mark.parametrize(
    ("bodies", "may_skip", "counts", "code"),
    [
        ((PASSES, SKIPS), True, (1, 0, 1), 0),
        ((PASSES, FAILS), True, (1, 1, 0), 1),
        ((PASSES, SKIPS), False, (1, 1, 1), 1),
        ((SKIPS,), True, (0, 1, 1), 1),
    ],
    ids=["passed", "failed", "skipped where none may be", "every one skipped"],
)
def test_what_the_tests_of_an_environment_did(tests_of, bodies, may_skip, counts, code):
    outcome = tests_of(*bodies, may_skip=may_skip)
    assert (outcome.passed, outcome.failed, sum(outcome.skips.values())) == counts
    assert exit_code([outcome]) == code


def test_without_an_interpreter_nothing_runs_and_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(run_versions, "interpreter", lambda _: None)
    outcome = run(VERSIONS[-1], False, [])
    assert "no Python 3.12 found" in outcome.row()
    assert exit_code([outcome]) == SKIPPED


def test_environments_by_name():
    assert environments("oldest,frameworks") == [VERSIONS[0], FRAMEWORKS]
    assert environments(VERSIONS[-1].jax) == environments("newest")
    with pytest.raises(SystemExit, match=r"unknown environment: 0\.1"):
        environments("0.1")


def test_constraints_pin_the_jax_of_the_environment_and_all_else_as_the_file_does():
    lines = constraints("0.6.2").splitlines()
    assert [line for line in lines if line.startswith("jax")] == ["jax==0.6.2", "jaxlib==0.6.2"]
    here = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert set(constraints(FRAMEWORKS.jax).splitlines()) == set(here)


def test_the_script_of_ci_runs_every_environment_that_the_documentation_names():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "for name in frameworks oldest newest; do" in script
    assert subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=False).returncode == 0
