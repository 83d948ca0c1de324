"""What the snapshot commands ask of the guard, what they print, and how they end."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ltc_ir.api import snapshot as guarding
from ltc_ir.api.snapshot import Pruned, Stored
from ltc_ir.records.check import Action, Check, Problem, ProgramCheck, Status, Update, Written
from ltc_ir.snapshots.batches import usable_cores
from tests.cli.conftest import Command, Ran, environment, record_of
from tests.house.test_cold_start import imported
from tests.render.test_check_formats import CHECK, GROWN, SNAPSHOT, UPDATE

MATCH = CHECK.checks[0]
SHRUNK = CHECK.checks[2]
MISSING = CHECK.checks[3]
Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Make a verb of the guard answer so; what it was asked is what comes back."""

    def answering(verb: str, answer: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def verb_of_the_guard(*positional: Any, **named: Any) -> Any:
            print("the target prints")
            asked.update(named)
            asked.setdefault("targets", positional[0] if positional else ())
            return answer

        monkeypatch.setattr(guarding, verb, verb_of_the_guard)
        return asked

    return answering


# --- what is asked


def test_check_asks_for_what_was_said(command: Command, answers: Answer) -> None:
    asked = answers("check", Check((MATCH,)))
    ran = command(
        "snapshot", "check", "ltc", "node", "--program", "grad,loss", "-p", "forward", "--dir", "kept", "--rule", "while = 0",
        "--rule", "grad/total +5%", "--strict", "--hlo", "--platform", "tpu", "--x64",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert asked == {
        "targets": ("ltc", "node"), "programs": ("grad", "loss", "forward"), "directory": "kept", "options": None,
        "rules": ("while = 0", "grad/total +5%"), "strict": True, "hlo": True, "platform": "tpu", "x64": True,
        "jobs": usable_cores(), "timeout_s": 900.0, "progress": None,
    }  # fmt: skip


def test_update_asks_for_what_was_said(command: Command, answers: Answer) -> None:
    asked = answers("update", Update((Written("ltc", "grad", Action.NEW, "a.toml"),)))
    ran = command(
        "snapshot",
        "update",
        "ltc",
        "--accept-growth",
        " a second head ",
        "--ci",
        "--argnums",
        "0,1",
        "--in-process",
        "--timeout",
        "60",
    )
    assert ran.code == 0, ran.err
    options = asked.pop("options")
    assert options.argnums == (0, 1)
    assert asked == {
        "targets": ("ltc",), "programs": None, "directory": None, "accept_growth": "a second head", "in_ci": True,
        "hlo": False, "platform": None, "x64": None, "jobs": None, "timeout_s": 60.0, "progress": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "answer", "variables"),
    [
        ("check", Check((MATCH,)), {"LTC_IR_RULE": "while = 0", "LTC_IR_STRICT": "1", "LTC_IR_DIR": "elsewhere"}),
        ("update", UPDATE, {"LTC_IR_ACCEPT_GROWTH": "because", "LTC_IR_CI": "1", "LTC_IR_HLO": "1"}),
        ("prune", [], {"LTC_IR_WRITE": "1", "LTC_IR_TARGET": "ltc"}),
    ],
)
def test_no_variable_accepts_loosens_or_writes(
    verb: str,
    answer: Any,
    variables: dict[str, str],
    command: Command,
    answers: Answer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = answers(verb, answer)
    command("snapshot", verb)
    plain = dict(asked)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    command("snapshot", verb)
    assert asked == plain


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["check", "--args", "f32[3]"], "--args is about one target, not all"),
        (["check", "ltc", "node", "--loss", "sum"], "--loss is about one target, not 2"),
        (["update", "ltc", "node", "--static-argnums", "0"], "--static-argnums is about one target, not 2"),
        (["check", "--rule", " "], "--rule: nothing given"),
        (["check", "--dir", ""], "--dir: nothing given"),
        (["check", "mine.py"], "mine.py is a Python file, and no function is named"),
        (["check", "--format", "yaml"], "unknown format 'yaml'"),
        (["update", "--format", "junit"], "unknown format 'junit'"),
        (["update", "--accept-growth", ""], "--accept-growth: no reason given"),
        (["update", "--accept-growth", "  "], "--accept-growth: no reason given"),
        (["update", "--accept-growth", "a\nb"], "--accept-growth: the reason is more than one line"),
        (["check", "--accept-growth", "why"], "No such option: --accept-growth"),
        (["chekc"], "No such command 'chekc'"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_traced(
    argv: list[str], error: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb in ("check", "update"):
        monkeypatch.setattr(guarding, verb, lambda *_, **__: pytest.fail("asked the guard"))
    ran = command("snapshot", *argv)
    assert (ran.code, ran.out) == (2, "")
    assert ran.errors[0].startswith(f"error: {error}")
    assert len(ran.hints) == 1
    if argv == ["chekc"]:
        assert ran.hints == ["hint: ltc-ir snapshot --help lists the commands"]


# --- how it ends


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (Check((MATCH,)), 0),
        (Check((MATCH, SHRUNK)), 0),
        (Check((MATCH, SHRUNK), strict=True), 1),
        (Check((MATCH, GROWN)), 1),
        (Check((MISSING, MATCH)), 3),
        (Check((MISSING, GROWN)), 1),
        (Check((MATCH,), (Problem("the rule matched nothing", "mend it", 2),)), 2),
        (Check((GROWN, ProgramCheck("f", "grad", Status.ERROR, code=4))), 4),
        (Check(()), 3),
    ],
)
@pytest.mark.parametrize("form", ["table", "json", "github"])
def test_the_exit_code_is_the_checks_in_every_format(
    check: Check, code: int, form: str, command: Command, answers: Answer
) -> None:
    answers("check", check)
    assert command("snapshot", "check", "--format", form).code == code


def test_the_exit_code_is_the_updates(command: Command, answers: Answer) -> None:
    answers("update", UPDATE)
    assert command("snapshot", "update").code == 4
    answers("update", Update(UPDATE.written[:3]))
    assert command("snapshot", "update").code == 1
    answers("update", Update(UPDATE.written[:2]))
    assert command("snapshot", "update").code == 0


def test_a_group_without_a_command_shows_its_help(command: Command) -> None:
    ran = command("snapshot")
    assert (ran.code, ran.out) == (2, "")
    for verb in ("check", "update", "list", "show", "prune"):
        assert f"\n  {verb} " in ran.err
    assert "..." not in ran.err.replace("[ARGS]...", "")


# --- what it prints


def test_stdout_is_data_only(command: Command, answers: Answer) -> None:
    answers("check", CHECK)
    ran = command("snapshot", "check", "--format", "json")
    assert record_of(replace(ran, code=0))["kind"] == "check"
    assert "the target prints" in ran.err
    assert "5 checked: 1 match" in ran.err
    quiet = command("snapshot", "check", "--format", "json", "--quiet")
    assert "checked" not in quiet.err


def test_a_table_says_its_summary_once(command: Command, answers: Answer) -> None:
    answers("check", CHECK)
    ran = command("snapshot", "check")
    assert ran.out.count("5 checked") == 1
    assert "5 checked" not in ran.err


def test_junit_goes_to_its_file_whole(command: Command, answers: Answer, folder: Path) -> None:
    answers("check", CHECK)
    ran = command("snapshot", "check", "--format", "junit", "-o", "junit.xml")
    assert (ran.code, ran.out) == (4, "")
    assert "5 checked" in ran.err
    (suite,) = ElementTree.fromstring((folder / "junit.xml").read_text(encoding="utf-8"))
    assert suite.get("tests") == "7"


def test_only_the_github_format_adds_to_the_job_summary(
    command: Command, answers: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    answers("check", CHECK)
    for form in ("table", "json", "markdown", "junit"):
        command("snapshot", "check", "--format", form)
    assert file.read_text(encoding="utf-8") == "before\n"
    ran = command("snapshot", "check", "--format", "github")
    assert all(line.startswith(("::error ", "::notice ")) for line in ran.out.splitlines())
    markdown = command("snapshot", "check", "--format", "markdown").out
    assert file.read_text(encoding="utf-8") == "before\n" + markdown


def test_a_job_summary_that_cannot_be_written_hides_no_result(
    command: Command, answers: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    answers("check", CHECK)
    ran = command("snapshot", "check", "--format", "github")
    assert ran.code == 4
    assert ran.out.startswith("::error ")
    assert "warning: cannot add to" in ran.err


STORED = [
    Stored("ltc", "grad", "0.10", "cpu", False, "snapshots/ltc/grad@0.10.toml", {"jaxpr": 1594}, "twice", 2),
    Stored("ltc", "grad", "0.10", "tpu", True, "snapshots/ltc/grad@0.10-tpu-x64.toml", {"jaxpr": 1600}, "in-process"),
]


def test_list_names_the_files(command: Command, answers: Answer) -> None:
    asked = answers("listing", STORED)
    rows = record_of(command("snapshot", "list", "ltc", "--dir", "kept", "--format", "json"))["snapshots"]
    assert asked == {"targets": ("ltc",), "directory": "kept"}
    assert [(row["file"], row["platform"], row["accepted"]) for row in rows] == [
        ("snapshots/ltc/grad@0.10.toml", "cpu", "2"),
        ("snapshots/ltc/grad@0.10-tpu-x64.toml", "tpu x64", ""),
    ]
    assert "jaxpr 1,594" in command("snapshot", "list").out


def test_a_file_that_cannot_be_read_is_listed_with_what_is_wrong(command: Command, answers: Answer) -> None:
    assert "problem" not in command_list(command, answers, STORED).out
    broken = Stored("", "", "", "", False, "snapshots/a.toml", problem="snapshots/a.toml is no TOML")
    assert "snapshots/a.toml is no TOML" in command_list(command, answers, [*STORED, broken]).out


def command_list(command: Command, answers: Answer, stored: list[Stored]) -> Ran:
    answers("listing", stored)
    return command("snapshot", "list")


def test_show_prints_what_is_stored(command: Command, answers: Answer) -> None:
    asked = answers("show", [SNAPSHOT])
    found = record_of(command("snapshot", "show", "ltc", "--program", "grad", "--format", "json"))
    assert asked == {"targets": ("ltc",), "programs": ("grad",), "directory": None}
    assert found["snapshots"][0]["program"] == "grad"
    assert "a second head" in command("snapshot", "show").out


def test_prune_removes_nothing_unless_told(command: Command, answers: Answer) -> None:
    asked = answers("prune", [Pruned("snapshots/old/grad.toml", "there is no target old", False)])
    ran = command("snapshot", "prune")
    assert asked["write"] is False
    assert "there is no target old" in ran.out
    assert "nothing was removed; --write removes this file" in ran.err
    asked = answers("prune", [Pruned("snapshots/old/grad.toml", "there is no target old", True)])
    ran = command("snapshot", "prune", "--write")
    assert asked["write"] is True
    assert "nothing was removed" not in ran.err


# --- a real terminal, a real process

SHOWS_PROGRESS = """
import sys, time
from ltc_ir.api import snapshot as guarding
from ltc_ir.records.check import Check, ProgramCheck, Status

def check(targets, progress=None, **_):
    if progress:
        progress("tracing [bold]ltc grad")
        time.sleep(0.3)
    return Check((ProgramCheck("ltc", "grad", Status.MATCH),))

guarding.check = check
from ltc_ir_cli.app import main
raise SystemExit(main(sys.argv[1:]))
"""


def on_a_terminal(*argv: str) -> Ran:
    """Run with stderr on a terminal and stdout in a pipe."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", SHOWS_PROGRESS, *argv],
        stdout=subprocess.PIPE, stderr=follower, env=environment(TERM="xterm"), text=True,
    )  # fmt: skip
    os.close(follower)
    out = child.communicate(timeout=60)[0]
    err = b""
    try:
        while chunk := os.read(leader, 4096):
            err += chunk
    except OSError:
        pass
    os.close(leader)
    return Ran(child.returncode, out, err.decode())


def test_progress_is_shown_on_a_terminal_only_and_not_where_quiet_was_asked_for() -> None:
    shown = on_a_terminal("snapshot", "check", "--format", "json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)["kind"] == "check"
    assert "tracing [bold]ltc grad" in shown.err
    quiet = on_a_terminal("snapshot", "check", "--format", "json", "--quiet")
    assert quiet.out == shown.out
    assert "tracing" not in quiet.err
    piped = subprocess.run(
        [sys.executable, "-c", SHOWS_PROGRESS, "snapshot", "check"], env=environment(), capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert "tracing" not in piped.stderr + piped.stdout


@pytest.mark.parametrize("argv", [["snapshot", "--help"], ["snapshot", "check", "--help"]])
def test_help_stays_cold(argv: list[str], folder: Path) -> None:
    assert imported(argv, folder) == []


def test_completion_offers_targets(folder: Path) -> None:
    words = {"_LTC_IR_COMPLETE": "complete_bash", "COMP_WORDS": "ltc-ir snapshot check ct", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-m", "ltc_ir_cli"], cwd=folder, env=environment(**words), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["ctrnn"]
