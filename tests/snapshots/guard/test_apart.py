"""Targets in workers: what one does to its process costs its own verdict alone, and no other target sees what it set."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import environment
from tests.misbehaving.forms import GOOD
from tests.misbehaving.targets import BY_NAME
from tests.snapshots.guard.conftest import Project

pytestmark = pytest.mark.early

SAMPLE = (
    "import_exit_0",
    "trace_segv",
    "trace_interrupt",
    "fork_returns",
    "patch_json",
    "seek_all",
    "patch_isinstance",
    "parent_int",
)
LIMIT_S = 4.0
SETS = {
    "wide": ("jax.config.update('jax_enable_x64', True)", "jax_enable_x64"),
    "patching": ("jax.numpy.sin = jax.numpy.cos", "jax.numpy.sin"),
    "going": ("import os; os.chdir('/')", "folder"),
    "setting": ("import os; os.environ['FOO'] = '1'", "FOO"),
    "reaching": ("import sys; sys.path.insert(0, '/nowhere')", "sys.path"),
}
PLAIN = """
import jax
import jax.numpy as jnp

def f(x):
    return jnp.sin(x).sum() + jnp.arange(3.0).sum()

f_args = (jax.ShapeDtypeStruct((3,), "float32"),)
"""
AT_IMPORT = "import jax, jax.numpy\n{code}\n" + PLAIN
AT_TRACE = PLAIN.replace("    return", "    {code}\n    return")
ADDING = "import jax, types\njax.numpy.extra = types.ModuleType('extra')\njax.extra_of_mine = 5\n" + PLAIN


def checked(project: Project, *argv: str) -> tuple[int, dict[str, list[dict[str, Any]]], str]:
    """The exit code of a check, what it says of each target, and what it says besides."""
    ran = project.run("check", *argv, "--format", "json")
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads(ran.out)["checks"]:
        found.setdefault(one["target"], []).append(one)
    return ran.code, found, ran.err


def statuses(checks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["program"], one["status"]) for one in checks]


_RECORDED: dict[str, bytes] = {}
"""The snapshots of the two good targets, once they are recorded, by their paths."""


@pytest.fixture
def good(bare_project: Project) -> Project:
    """A project with two recorded targets."""
    for name in ("good_a", "good_b"):
        bare_project.write(GOOD, f"{name}.py")
    if not _RECORDED:
        assert bare_project.run("update", "good_a:f", "good_b:f", "--jobs", "1").code == 0
        _RECORDED.update({name: path.read_bytes() for name, path in _snapshots(bare_project)})
    for name, data in _RECORDED.items():
        (bare_project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (bare_project.root / name).write_bytes(data)
    return bare_project


def _snapshots(project: Project) -> list[tuple[str, Path]]:
    return [(str(path.relative_to(project.root)), path) for path in (project.root / "snapshots").rglob("*.toml")]


MATCHES = [("forward", "match"), ("grad", "match")]


def test_what_targets_do_to_their_process_costs_their_own_verdict_alone(good: Project) -> None:
    for name in SAMPLE:
        good.write(BY_NAME[name].source, f"{name}.py")
    names = [f"{name}:f" for name in SAMPLE]
    code, found, _ = checked(good, *names[:3], "good_a:f", *names[3:], "good_b:f", "--jobs", "2")
    assert code == 4
    assert statuses(found["good_a:f"]) == statuses(found["good_b:f"]) == MATCHES
    for name in SAMPLE:
        one = BY_NAME[name]
        own = found[f"{name}:f"]
        if one.code and one.checked is None:
            assert {(check["status"], check["code"]) for check in own} == {("error", 4)}
            assert len({check["program"] for check in own}) == len(own)
            assert all(one.says in check["reason"] for check in own)
        else:
            assert {check["status"] for check in own} == {"missing"}


def test_a_limit_ends_one_target(good: Project) -> None:
    good.write(BY_NAME["endless_at_trace"].source, "endless.py")
    code, found, _ = checked(
        good, "endless:f", "good_a:f", "-p", "forward", "--jobs", "1", "--timeout", str(LIMIT_S)
    )  # fmt: skip
    assert code == 5
    assert statuses(found["good_a:f"]) == [("forward", "match")]
    assert f"within {LIMIT_S:g} s" in found["endless:f"][0]["reason"]


@pytest.mark.parametrize(
    ("sets", "orders"),
    [(["wide", "patching"], [-1]), pytest.param([*SETS], [1, -1], marks=pytest.mark.long)],
    ids=["two", "all"],
)
def test_no_target_sees_what_another_one_sets(sets: list[str], orders: list[int], bare_project: Project) -> None:
    """Whatever the order and the number of workers: the same verdicts, and each change is named once."""
    chosen = {name: SETS[name] for name in sets}
    names = []
    for name, (code, _) in chosen.items():
        for where, text in (("at_import", AT_IMPORT), ("at_trace", AT_TRACE)):
            bare_project.write(text.format(code=code), f"{name}_{where}.py")
            names.append(f"{name}_{where}:f")
        bare_project.write(PLAIN, f"after_{name}.py")
        names.append(f"after_{name}:f")
    bare_project.write(ADDING, "adding.py")
    bare_project.write("import wide_at_import\n" + PLAIN, "importing.py")
    names += ["adding:f", "importing:f", "after_wide:f"]
    wrote = bare_project.run("update", *names, "-p", "forward", "--jobs", "2")
    assert wrote.code == 0, wrote.out
    for order in (names[::step] for step in orders):
        code, found, err = checked(bare_project, *order, "-p", "forward", "--jobs", "2")
        assert code == 0
        assert {status for checks in found.values() for _, status in statuses(checks)} == {"match"}
        notes = [line for line in err.splitlines() if "importing" in line]
        assert len(notes) == len(chosen) + 1, err  # and the module that imports one
        for name, (_, word) in chosen.items():
            assert sum(f"importing {name}_at_import sets" in line and word in line for line in notes) == 1
            (traced,) = found[f"{name}_at_trace:f"]
            assert [note for note in traced["notes"] if word in note], traced
            assert not [note for note in found[f"after_{name}:f"][0]["notes"] if "set" in note]
    plain = {bare_project.file(target=f"after_{name}:f").read_text().partition("[jaxpr")[2] for name in chosen}
    assert len({text.replace(name, "") for name in chosen for text in plain if f"after_{name}:" in text}) <= len(chosen)
    assert "x64 = true" in bare_project.file(target="wide_at_import:f").read_text()
    assert "x64 = true" in bare_project.file(target="importing:f").read_text()


SETTINGS = "DEEP = True\nSIZES = [3]\n"
READING = """
import settings
import jax
import jax.numpy as jnp

def f(x):
    return jnp.sin(jnp.cos(x)) if settings.DEEP and settings.SIZES == [3] else x + 1

f_args = (jax.ShapeDtypeStruct((3,), "float32"),)
"""


def test_no_target_sees_the_settings_of_a_users_module_that_another_one_sets(bare_project: Project) -> None:
    """A module of the user's that all import, whichever imports it first, and whether it is set or changed in place."""
    sets = {"set": "settings.DEEP = False", "change": "settings.SIZES.append(4)"}
    bare_project.write(SETTINGS, "settings.py")
    order = []
    for name, code in sets.items():
        for where, text in (
            ("import", f"{READING}\n{code}\n"),
            ("trace", READING.replace("    return", f"    {code}\n    return")),
        ):
            bare_project.write(READING, f"before_{name}_at_{where}.py")
            bare_project.write(text, f"{name}_at_{where}.py")
            order += [f"before_{name}_at_{where}:f", f"{name}_at_{where}:f"]
    bare_project.write(READING, "after.py")
    readers = [*order[::2], "after:f"]
    assert bare_project.run("update", *readers, "-p", "forward", "--jobs", "2").code == 0
    code, found, err = checked(bare_project, *order, "after:f", "-p", "forward", "--jobs", "1")
    assert [statuses(found[name]) for name in readers] == [[("forward", "match")]] * len(readers), err
    for one in order[1::2]:
        told = [line for line in err.splitlines() if one[:-2] in line] if "import" in one else found[one][0]["notes"]
        assert "sets settings." in "".join(told)


def real(project: Project, *argv: str, **more: Any) -> subprocess.Popen[bytes]:
    program = "from ltc_ir_cli.guard import run; run()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "snapshot", *argv], cwd=project.root, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **more,
    )  # fmt: skip


def below(root: Path) -> list[str]:
    """The processes whose folder is this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        if entry.name == str(os.getpid()):
            continue
        try:
            if (entry / "cwd").resolve() == root:
                found.append((entry / "cmdline").read_text().replace("\0", " ")[:80])
        except OSError:
            pass
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_end_of_the_command_is_the_end_of_all_processes(number: signal.Signals, good: Project) -> None:
    good.write(BY_NAME["child_sleeps"].source + "\nimport time; time.sleep(60)\n", "sleeping.py")
    running = real(good, "check", "sleeping:f", "good_a:f", "--jobs", "2")
    until = time.monotonic() + 60
    while not any("sleep" in line for line in below(good.root)) and time.monotonic() < until:
        time.sleep(0.1)
    os.kill(running.pid, number)
    running.communicate(timeout=30)
    until = time.monotonic() + 10
    own = f"{os.getpid()}"
    while (left := [line for line in below(good.root) if "pytest" not in line]) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left, own
    assert running.returncode == (-number if number == signal.SIGKILL else 130)


def test_two_updates_at_once_leave_whole_files(bare_project: Project) -> None:
    for name in ("one", "two", "three"):
        bare_project.write(GOOD, f"{name}.py")
    names = [f"{name}:f" for name in ("one", "two", "three")]
    both = [real(bare_project, "update", *names, "-p", "forward", "--jobs", "2", "-q") for _ in range(2)]
    assert [(one.communicate(timeout=120), one.returncode)[1] for one in both] == [0, 0]
    code, _, _ = checked(bare_project, *names, "-p", "forward", "--jobs", "1")
    assert code == 0
    assert len([path for path in (bare_project.root / "snapshots").rglob("*") if path.is_file()]) == 3


def test_prune_imports_targets_apart(good: Project) -> None:
    good.write("import os; os._exit(0)\n", "good_a.py")
    good.write(GOOD.replace("def f", "def g"), "good_b.py")
    ran = good.run("prune", "--format", "json", "--jobs", "1")
    rows = json.loads(ran.out)
    assert ran.code == 4
    reasons = {row["file"].split("/")[1][:6]: row["reason"] for row in rows["pruned"]}
    assert reasons["good_a"].startswith("kept: ") and "exit 0" in reasons["good_a"]
    assert reasons["good_b"] == "good_b has no 'f'"


def test_the_tools_own_process_imports_neither_jax_nor_a_target(good: Project) -> None:
    program = (
        "import sys; from ltc_ir_cli.app import main; code = main(sys.argv[1:]); "
        "print(code, sorted({'jax', 'jaxlib', 'numpy', 'good_a'} & set(sys.modules)), file=sys.stderr)"
    )
    for words in (["check", "good_a:f"], ["update", "good_a:f"], ["prune"]):
        done = subprocess.run(
            [sys.executable, "-c", program, "snapshot", *words], cwd=good.root, env=environment(),
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert done.stderr.splitlines()[-1] == "0 []", done.stderr
