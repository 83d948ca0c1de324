"""Updates that are killed anywhere, and updates at the same time, leave every file whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import environment
from tests.snapshots.guard.conftest import Project

pytestmark = pytest.mark.early

ROOT = Path(__file__).resolve().parents[3]


def told(project: Project, *argv: str) -> list[str]:
    """What the child says the two files hold, once a kill or a race."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.snapshots.guard.killing_child", *argv],
        cwd=project.root, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, check=True, timeout=550,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[:2] == ["recorded 0", "recorded 0"], done.stderr
    return lines[2:]


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.long)])
def test_a_killed_update_leaves_every_file_old_or_new(kills: int, bare_project: Project) -> None:
    found = told(bare_project, "kill", str(kills))
    assert len(found) == kills
    assert set(found) <= {"old old", "new old", "new new"}
    assert len(set(found)) > 1, "no update was killed before its end, or none got that far"
    bare_project.forget()
    assert bare_project.update("net.py:first", "net.py:second", "--program", "forward").code == 0
    left = [path for path in (bare_project.root / "snapshots").rglob("*") if path.is_file()]
    assert len(left) == 2, "what killed writers left behind is swept"
    assert bare_project.check("net.py:first", "net.py:second", "--program", "forward").code == 0


def test_two_updates_at_once_do_not_interleave(bare_project: Project) -> None:
    """Each holds the store from its first file to its last."""
    found = told(bare_project, "race", "5")
    assert len(found) == 5
    assert set(found) <= {"old old", "new new"}
