"""The program's own process survives what a target does: its exit code, its one line of error, and its standard output."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ltc_ir.errors import PRECEDENCE, TargetError, rank, worst
from ltc_ir_cli.guard import needs_child
from tests.cli.conftest import Command, environment, program, run_program
from tests.misbehaving.__main__ import PAGE, page, stored
from tests.misbehaving.forms import Misbehaving
from tests.misbehaving.running import ALL, Left, Table
from tests.misbehaving.targets import BY_NAME, RAISING

pytestmark = [
    pytest.mark.early,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no child does the work where the system cannot fork"),
]

PATIENCE_S = 60

SAMPLE = (
    ("count", "import_exit_0"), ("count", "thread"), ("count", "closes_std"), ("lower", "closes_most"), ("count", "patch_len"),
    ("count", "patch_json"), ("count", "daemonises"), ("count", "parent_int"), ("count", "endless_deaf"),
)  # fmt: skip
"""One of each kind; the whole table is run by ``python -m tests.misbehaving``."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A folder with all of them."""
    return Table(tmp_path_factory.mktemp("misbehaving"))


@pytest.mark.parametrize(("command", "name"), SAMPLE)
def test_a_target_that_misbehaves(command: str, name: str, table: Table) -> None:
    seen = table.see(BY_NAME[name], command)
    assert seen.wrong == (), seen.err


@pytest.mark.long
@pytest.mark.parametrize("command", ALL)
@pytest.mark.parametrize("name", BY_NAME)
def test_every_target_that_misbehaves(command: str, name: str, table: Table) -> None:
    seen = table.see(BY_NAME[name], command)
    assert seen.wrong == (), seen.err


def test_the_documentation_shows_the_last_run_of_the_table() -> None:
    assert page(stored()) in PAGE.read_text(encoding="utf-8")


def test_of_several_exit_codes_one_is_given_whatever_their_order() -> None:
    assert PRECEDENCE == (129, 130, 143, 70, 5, 4, 2, 1, 3)
    for before, after in itertools.product((*PRECEDENCE, 0), repeat=2):
        expected = before if rank(before) <= rank(after) else after
        assert worst([before, after]) == worst([after, before]) == worst([after, before, 0]) == expected
    assert worst([]) == 0
    assert rank(1) < rank(3) < rank(0)
    assert rank(17) == rank(70)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("count", True), ("count ltc", True), ("snapshot check", True), ("snapshot update ltc", True), ("time ltc", True),
        ("doctor", True), ("count ltc --function --help", True), ("--help", False), ("", False), ("count --help", False),
        ("snapshot list", False), ("snapshot", False), ("snapshot check -h", False), ("targets", False),
        ("--version", False), ("count ltc --in-process", False),
    ],
)  # fmt: skip
def test_what_may_run_user_code_is_done_by_a_child(words: str, expected: bool) -> None:
    assert needs_child(words.split()) is expected


def _tracing(folder: Path, **more: str) -> tuple[subprocess.Popen[str], Left]:
    """A command whose target is being traced, for ever."""
    (folder / "hangs.py").write_text(
        "import pathlib, time\ndef f(x):\n    pathlib.Path('hanging').touch()\n    while True: pass\nf_args = (1.0,)\n"
    )
    (folder / "hanging").unlink(missing_ok=True)
    left = Left()
    child = subprocess.Popen(
        [program(), "lower", "hangs:f", "-o", "out.mlir"], cwd=folder, env=environment(**left.variable, **more),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for _ in _moments():
        if (folder / "hanging").exists():
            return child, left
    raise AssertionError


def _moments() -> Iterator[None]:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        yield
        time.sleep(0.02)


@pytest.mark.parametrize(("name", "code", "words"), [("SIGTERM", 143, "terminated\n"), ("SIGHUP", 129, "hung up\n")])
def test_a_signal_ends_the_command_and_all_of_it(name: str, code: int, words: str, tmp_path: Path) -> None:
    child, left = _tracing(tmp_path)
    child.send_signal(getattr(signal, name))
    out, err = child.communicate(timeout=PATIENCE_S)
    assert (child.returncode, out, err) == (code, "", words)
    assert left.end() == ()
    assert {path.name for path in tmp_path.iterdir()} <= {"hangs.py", "hanging", "__pycache__"}


def test_the_work_ends_with_a_program_that_is_killed(tmp_path: Path) -> None:
    child, left = _tracing(tmp_path)
    child.kill()
    child.communicate(timeout=PATIENCE_S)
    assert left.end() == ()


def test_a_closed_pipe_ends_the_command_silently(folder: Path) -> None:
    child = subprocess.Popen(
        [program(), "lower", "ltc", "--grad"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    assert (child.stderr.read(), child.wait(timeout=PATIENCE_S)) == (b"", 0)


def test_a_target_that_is_a_users_project_file_named_like_what_we_need(tmp_path: Path) -> None:
    """No built-in target runs code of the folder it is named in; a user's own finds its neighbours, and we our own modules."""
    for name in ("rich", "typer", "jax", "numpy", "json", "queue", "msgspec"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} of the folder')\n")
    (tmp_path / "utils.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "statistics.py").write_text("def halve(x):\n    return x / 2\n")
    (tmp_path / "own.py").write_text(
        "import statistics, utils\ndef f(x):\n    return utils.double(statistics.halve(x))\nf_args = (1.0,)\n"
    )
    (tmp_path / "code.py").write_text("def f(x):\n    return x\nf_args = (1.0,)\n")
    module = [sys.executable, "-m", "ltc_ir_cli"]
    for line, start in (("lower ltc", module), ("lower own:f", [program()]), ("lower code:f", module)):
        done = subprocess.run(
            [*start, *line.split()],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), line
    ran = run_program("lower", "rich:f", folder=tmp_path)
    assert (ran.code, ran.hints) == (2, ["hint: another module of that name was imported before: write rich.py:f"])


def test_a_current_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" count ltc --level jaxpr'
    done = subprocess.run(
        ["sh", "-c", script, program()],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the current folder is gone")


@pytest.mark.parametrize(
    ("line", "where", "code"),
    [("targets", "2>/dev/full", 0), ("count nosuch", "2>&-", 2), ("count mine:fails --args 'f32[]'", "2>/dev/full", 4)],
)
def test_a_standard_error_that_cannot_be_written_changes_no_exit_code(
    line: str, where: str, code: int, folder: Path
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" {line} {where}', program()], cwd=folder, env=environment(), capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code


@pytest.mark.parametrize("line", ["lower ltc --hlo", "time ltc --program forward"])
def test_flags_that_xla_refuses_are_bad_input(line: str, folder: Path) -> None:
    ran = run_program(*line.split(), folder=folder, XLA_FLAGS="--no_such_flag")
    assert (ran.code, ran.out) == (2, "")
    assert ran.errors == ["error: XLA refuses XLA_FLAGS: Unknown flag in XLA_FLAGS: --no_such_flag"]
    assert ran.hints == ["hint: correct XLA_FLAGS, or unset it"]


def test_in_its_own_process_the_tool_says_so(command: Command, folder: Path) -> None:
    ran = command("lower", "mine:energy", "--in-process")
    assert (ran.code, ran.err) == (0, "note: the target's code runs in the tool's own process, and can end it\n")


@pytest.mark.parametrize("one", RAISING, ids=lambda one: one.name)
def test_every_exception_is_caught_at_the_border_of_a_users_own_process(one: Misbehaving) -> None:
    import ltc_ir

    made: dict[str, Any] = {"__name__": one.name}
    exec(compile(one.source, f"{one.name}.py", "exec"), made)
    with pytest.raises(TargetError) as caught:
        ltc_ir.assert_ir(made["f"], made["f_args"], "sin <= 3")
    assert one.says in str(caught.value)


def test_an_interrupt_in_a_users_own_process_is_the_users() -> None:
    import ltc_ir

    def fails(x: object) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ltc_ir.lower(fails, args=(1.0,))


_SETTING = """
import os
import jax
import jax.numpy as jnp

os.environ["A_VARIABLE"] = "set"
jax.config.update("jax_enable_x64", True)
jnp.sin = jnp.cos

def f(x):
    return jnp.sin(x)

f_args = (1.0,)
"""
_READING = """
import os
import jax.numpy as jnp

def f(x):
    return jnp.sin(x) if os.environ.get("A_VARIABLE") == "unset" else x

f_args = (1.0,)
"""


def test_no_side_of_a_diff_sees_what_the_other_one_sets(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_VARIABLE", "unset")
    (folder / "setting.py").write_text(_SETTING)
    (folder / "reading.py").write_text(_READING)
    ran = command("diff", "setting:f", "reading:f", "--level", "jaxpr", "-p", "forward", "--format", "json")
    ((pair,),) = [pair["levels"].values() for pair in json.loads(ran.out)["pairs"]]
    assert {change["name"]: (change["baseline"], change["current"]) for change in pair["ops"]} == {
        "cos": (1, 0),
        "sin": (0, 1),
    }
    text = command("diff", "setting:f", "reading:f", "--text").out
    assert "-    %1 = stablehlo.cosine %0 : tensor<f64>" in text
    assert "stablehlo.sine %0' : tensor<f32>" in text
    assert "looked at so too" not in ran.err


def test_what_the_first_side_sets_is_said_where_both_share_a_process(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_VARIABLE", "unset")
    (folder / "moves.py").write_text(
        "import os\nos.environ['A_VARIABLE'] = 'set'\ndef f(x):\n    return x\nf_args = (1.0,)\n"
    )
    ran = command("diff", "moves:f", "mine:energy", "--level", "jaxpr", "--in-process")
    assert "note: moves:f set os.environ['A_VARIABLE']: the other side was looked at so too" in ran.err


@pytest.mark.parametrize(
    ("sides", "error"),
    [
        ("ends:f mine:energy", "error: ends:f failed to import: it ended its process (exit 0)"),
        ("mine:energy dies:f", "error: dies:f failed to import: its process did not survive (SIGSEGV)"),
    ],
)
def test_a_side_of_a_diff_that_ends_its_process_is_named(
    sides: str, error: str, command: Command, folder: Path
) -> None:
    (folder / "ends.py").write_text("import os\nos._exit(0)\n")
    (folder / "dies.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    ran = command("diff", *sides.split(), "--level", "jaxpr")
    assert (ran.code, ran.out, ran.errors) == (4, "", [error])
