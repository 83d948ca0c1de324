"""What changes nothing of a program is a match, and is told as nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.cli.conftest import run_program
from tests.snapshots.guard.conftest import NET, Project

pytestmark = pytest.mark.early

RENAMED = re.sub(r"\bcarry\b", "state", NET).replace("last", "final").replace("body", "inner_loop")
SPACED = NET.replace(
    "    return jnp.tanh(x @ w)\n", "\n    # why\n    return jnp.tanh(\n        x\n        @ w\n    )\n"
)
TYPED = NET.replace("def cell(w, x):\n", 'def cell(w, x) -> "jax.Array":\n    """Says something."""\n')
MOVED_DOWN = NET.replace("def cell", "def unused():\n    return None\n\n\ndef cell")


def assert_silent_match(project: Project, *argv: str) -> None:
    ran = project.check(*argv)
    assert ran.code == 0, ran.out + ran.err
    assert ran.err == ""
    assert [line for line in ran.out.splitlines() if line.strip()][-1] == "2 checked: 2 match"
    assert "note" not in ran.out
    assert len(ran.out.strip().splitlines()) == 6


@pytest.mark.versions
@pytest.mark.parametrize("text", [NET, SPACED, TYPED, MOVED_DOWN], ids=["same", "spaced", "typed", "moved down"])
def test_what_is_only_written_otherwise_matches(text: str, project: Project) -> None:
    project.write(text)
    assert_silent_match(project)


@pytest.mark.versions
def test_other_names_of_variables_match(bare_project: Project, quick: None) -> None:
    named = NET.replace("body", "inner_loop")  # a function's name is a fact, a variable's is none
    bare_project.write(named)
    assert bare_project.update().code == 0
    bare_project.write(RENAMED)
    assert_silent_match(bare_project)


def test_an_update_of_what_matches_touches_nothing(project: Project) -> None:
    before = project.files()
    project.write(SPACED)
    ran = project.update()
    assert ran.code == 0
    assert "2 kept" in ran.out
    after = project.files()
    assert {name: one for name, one in before.items() if name != "net.py"} == {
        name: one for name, one in after.items() if name != "net.py"
    }


@pytest.mark.versions
@pytest.mark.parametrize("where", ["another name", "another module"])
def test_a_function_that_moved_is_told_and_passes(where: str, project: Project) -> None:
    if where == "another name":
        project.write(NET.replace("cell", "unit"))
    else:
        project.write(NET.partition("def step")[0], "cells.py")
        project.write(re.sub(r"def cell.*?\n\n\n", "from cells import cell\n\n\n", NET, flags=re.DOTALL))
    for strict, code in (((), 0), (("--strict",), 1)):
        ran = project.check("net.py:step", *strict)
        assert ran.code == code, ran.out + ran.err
        assert "2 checked: 2 moved" in ran.out
        assert "net.py:step grad has moved" in ran.out
        assert "record: ltc-ir snapshot update net.py:step --program grad\n" in ran.out
    assert project.update().code == 0
    assert_silent_match(project)


@pytest.mark.versions
def test_what_was_traced_before_does_not_matter(project: Project) -> None:
    import jax
    import jax.numpy as jnp

    from ltc_ir.api import snapshot as guarding
    from ltc_ir.records.check import Status
    from ltc_ir.targets import prepare

    target = replace(prepare.resolve("net.py:step"), name="net.py:step")
    for _ in range(2):
        target.fn(jnp.ones((4, 4)), jnp.ones((2, 4)))
        jax.jit(jax.grad(target.fn))(jnp.ones((4, 4)), jnp.ones((2, 4)))
        jax.jit(lambda x: jnp.tanh(x @ x))(jnp.ones((4, 4)))
        found = guarding.check([target])
        assert [one.status for one in found.checks] == [Status.MATCH, Status.MATCH], found
        assert found.exit_code == 0


def test_where_a_command_is_run_from_does_not_matter(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project.root / "deep" / "er")
    assert_silent_match(project, "../../net.py:step")
    assert_silent_match(project, str(project.root / "net.py:step"))


def test_a_project_named_from_outside_matches_with_its_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = project.root.parent / "elsewhere"
    outside.mkdir()
    monkeypatch.chdir(outside)
    assert_silent_match(project, str(project.root / "net.py:step"), "--dir", str(project.root / "snapshots"))


@pytest.mark.versions
def test_another_hash_seed_in_a_real_process_matches(project: Project) -> None:
    for seed in ("0", "77"):
        ran = run_program("snapshot", "check", "net.py:step", folder=project.root, PYTHONHASHSEED=seed)
        assert ran.code == 0, ran.out + ran.err
        assert "2 checked: 2 match" in ran.out
