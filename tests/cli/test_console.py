"""How the program behaves as a program: files, quiet, the environment, versions, completion, colour."""

from __future__ import annotations

import gc
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ltc_ir import __version__
from ltc_ir_cli.console import rare_collection
from tests.cli.conftest import Command, data_of, environment, program, record_of, run_program


def test_output_goes_whole_into_a_file(command: Command, folder: Path) -> None:
    ran = command("lower", "mine:energy", "-o", "out.mlir")
    assert (ran.code, ran.out) == (0, "")
    assert (folder / "out.mlir").read_text() == data_of(command("lower", "mine:energy"))
    command("count", "mine:energy", "--format", "json", "-o", str(folder / "out.mlir"))
    assert json.loads((folder / "out.mlir").read_text())["kind"] == "count"
    assert not list(folder.glob(".out*"))


def test_output_keeps_a_links_target_and_a_files_mode(command: Command, folder: Path) -> None:
    (folder / "real.mlir").write_text("old")
    (folder / "real.mlir").chmod(0o640)
    (folder / "link.mlir").symlink_to("real.mlir")
    assert command("lower", "mine:energy", "-o", "link.mlir").code == 0
    assert (folder / "link.mlir").is_symlink()
    assert (folder / "real.mlir").read_text().startswith("module")
    assert (folder / "real.mlir").stat().st_mode & 0o777 == 0o640


def test_output_may_be_a_device_or_a_dash(command: Command) -> None:
    assert command("lower", "mine:energy", "-o", "/dev/null").code == 0
    assert data_of(command("lower", "mine:energy", "-o", "-")).startswith("module")


def test_quiet_says_no_notes(command: Command) -> None:
    assert command("count", "mine:step", "--level", "jaxpr", "-q").err == ""


def test_globals_come_from_the_environment(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTC_IR_FORMAT", "json")
    monkeypatch.setenv("LTC_IR_PLATFORM", "tpu")
    monkeypatch.setenv("LTC_IR_X64", "1")
    monkeypatch.setenv("LTC_IR_QUIET", "1")
    ran = command("count", "mine:step")
    found = record_of(ran)
    assert (found["environment"]["platform"], found["environment"]["x64"], ran.err) == ("tpu", True, "")
    assert data_of(command("count", "mine:step", "--format", "csv")).startswith("target,")


def test_nothing_that_writes_or_judges_comes_from_the_environment(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OUTPUT",
        "PROGRAM",
        "GRAD",
        "LEVEL",
        "BY",
        "OP",
        "PHASE",
        "TOP",
        "ARGS",
        "LOSS",
        "EXIT_CODE",
        "TARGET",
    ):
        monkeypatch.setenv(f"LTC_IR_{name}", "leaked")
    assert data_of(command("count", "mine:energy", "--format", "json"))
    assert not (folder / "leaked").exists()


def test_version_and_help(command: Command) -> None:
    for argv in (("--version",), ("count", "--version")):
        assert data_of(command(*argv)) == f"ltc-ir {__version__}\n"
    assert data_of(command("-h")) == data_of(command("--help"))
    for name in ("count", "lower", "diff", "targets", "doctor"):
        assert f"Usage: ltc-ir {name}" in data_of(command(name, "-h"))


def test_python_m_does_the_same(folder: Path) -> None:
    argv = [sys.executable, "-m", "ltc_ir_cli", "--version"]
    done = subprocess.run(argv, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"ltc-ir {__version__}\n"


def _completed(words: str, folder: Path) -> list[str]:
    position = str(len(words.split(" ")) - 1)
    ran = run_program(folder=folder, _LTC_IR_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position)
    return ran.out.split()


def test_target_names_complete(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.ltc-ir.targets]\nlater = "mine:step"\n')
    assert _completed("ltc-ir count l", tmp_path) == ["later", "ltc"]
    assert _completed("ltc-ir diff ltc c", tmp_path) == ["ctrnn"]
    assert "lower" in _completed("ltc-ir l", tmp_path)
    (tmp_path / "pyproject.toml").write_text("broken")
    assert _completed("ltc-ir count c", tmp_path) == ["ctrnn"]


def _on_a_terminal(*argv: str, folder: Path, **more: str) -> str:
    """What a command writes on a terminal of its own."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [program(), *argv], cwd=folder, env=environment(TERM="xterm", **more), stdout=theirs, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    found = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # Linux says so of a terminal that nobody holds open any more
            break
        if not data:
            break
        found += data
    os.close(ours)
    assert child.wait(timeout=60) == 0
    return found.decode()


def test_colour_on_a_terminal_only_where_wanted(folder: Path) -> None:
    assert "\x1b[" in _on_a_terminal("targets", folder=folder)
    assert "\x1b[" not in _on_a_terminal("targets", "--no-color", folder=folder)
    assert "\x1b[" not in _on_a_terminal("targets", folder=folder, NO_COLOR="1")
    assert "\x1b[" not in _on_a_terminal("targets", folder=folder, LTC_IR_NO_COLOR="1")
    assert "\x1b[" not in run_program("targets", folder=folder).out


def test_diff_can_be_asked_for_help(command: Command) -> None:
    assert "Compare A with B" in data_of(command("diff", "--help"))


def test_garbage_is_collected_as_before_after_a_command() -> None:
    before = gc.get_threshold()
    with rare_collection():
        assert gc.get_threshold() == (10_000, *before[1:])
    assert gc.get_threshold() == before


def test_a_collector_that_is_off_stays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_threshold", lambda: (0, 10, 10))
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(gc, "set_threshold", lambda *thresholds: seen.append(thresholds))
    with rare_collection():
        pass
    assert seen == [(0, 10, 10), (0, 10, 10)]
