"""Runs a command on a target that misbehaves, as a user does, and names all that is not as the table says it must be."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from tests.kills.commands import console_script
from tests.misbehaving.forms import GOOD, LIMIT, Misbehaving
from tests.misbehaving.targets import MISBEHAVING

COMMANDS = {
    "count": "count {} --level jaxpr --format json",
    "lower": "lower {}",
    "diff": "diff good:f {} --level jaxpr --format json",
    "follow": "follow {} --format json",
    "time": "time {} --limit 0.2 --no-eager --repeat 1 --program forward --timeout 20 --format json",
}
PLACES = {"check first": 0, "check middle": 1, "check last": 2}
UPDATE = "update"
ALL = (*COMMANDS, *PLACES, UPDATE)
INTERRUPTED, MISSING = 130, 3
PATIENCE_S = 60.0
LEAVES_S = 2.0
"""Seconds that processes may take to end once their command has."""
TALKS_S = 3.0
"""Seconds after which a person interrupts what never ends."""
LONGEST_LINE = 5_000
_GOOD = ("good_a:f", "good_b:f")
_MARK = "LTC_IR_TEST_MARK"
_SNAPSHOTS = "--program forward --jobs 1 --format json --timeout {}"


class Ran(NamedTuple):
    """What a command did; ``code`` is ``None`` where it did not end."""

    code: int | None
    out: str
    err: str
    left: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What a command made of a target, and what of that should not be, in words."""

    name: str
    command: str
    code: int | None
    wrong: tuple[str, ...]
    seconds: float = 0.0
    err: str = ""


class Left:
    """The processes that a command leaves behind, known by a variable of the environment that they began with."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex

    @property
    def variable(self) -> dict[str, str]:
        """What the environment of the command must have."""
        return {_MARK: self.mark}

    def end(self) -> tuple[str, ...]:
        """End those that are left after a moment; the beginnings of their command lines."""
        until = time.monotonic() + LEAVES_S
        while self._found() and time.monotonic() < until:
            time.sleep(0.02)
        return tuple(self._ended(path) for path in self._found())

    def _found(self) -> list[Path]:
        return [path for path in Path("/proc").glob("[0-9]*") if self._is_marked(path)]

    def _is_marked(self, path: Path) -> bool:
        with contextlib.suppress(OSError):
            return self.mark.encode() in (path / "environ").read_bytes()
        return False

    def _ended(self, path: Path) -> str:
        with contextlib.suppress(OSError):
            os.kill(int(path.name), signal.SIGKILL)
            return (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:80]
        return path.name


class Table:
    """A folder with all targets of the table, and commands run in it.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for one in MISBEHAVING:
            (folder / f"{one.name}.py").write_text(one.source, encoding="utf-8")
        for name in ("good", "good_a", "good_b"):
            (folder / f"{name}.py").write_text(GOOD, encoding="utf-8")
        (folder / "pyproject.toml").write_text('[project]\nname = "small"\n', encoding="utf-8")
        self._program = console_script(folder)
        self._good: dict[str, str] = {}

    def see(self, one: Misbehaving, command: str) -> Seen:
        """Run a command on a target, and compare what came of it with the table."""
        began = time.monotonic()
        if command in PLACES:
            ran, wrong = self._check(one, PLACES[command])
        elif command == UPDATE:
            ran, wrong = self._update(one)
        else:
            ran, wrong = self._single(one, command)
        if any(line.lstrip().startswith('File "') and "ltc_ir" in line for line in ran.err.splitlines()):
            wrong.append("a traceback of ours")
        if ran.left:
            wrong.append(f"still runs: {', '.join(ran.left)}")
        return Seen(one.name, command, ran.code, tuple(wrong), time.monotonic() - began, ran.err[-2000:])

    def _run(self, line: str, interrupt: bool = False) -> Ran:
        left = Left()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LTC_IR_", "PYTHOND"))}
        child = subprocess.Popen(
            [self._program, *line.split()], cwd=self.folder, env={**kept, "JAX_PLATFORMS": "cpu", **left.variable},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        code: int | None = None
        out = err = b""
        try:
            if interrupt:
                time.sleep(TALKS_S)
                child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=PATIENCE_S)
            code = child.returncode
        except subprocess.TimeoutExpired:
            pass
        finally:
            child.kill()
            still = left.end()
        return Ran(code, out.decode(errors="replace"), err.decode(errors="replace"), still)

    def _single(self, one: Misbehaving, command: str) -> tuple[Ran, list[str]]:
        """A command on this target alone; a person interrupts what never ends."""
        ran = self._run(COMMANDS[command].format(f"{one.name}:f"), one.loops)
        other = {"time": one.timed, "diff": one.checked}.get(command)
        code = one.code if other is None else other
        code = INTERRUPTED if one.loops else code
        wrong = [] if ran.code == code else [f"exit {ran.code}, not {code}"]
        if ran.code == INTERRUPTED:
            wrong += [] if "interrupted" in ran.err else ["does not say that it was interrupted"]
        elif ran.code:
            wrong += _wrong_line(ran.err, one, code == LIMIT)
        elif _errors(ran.err):
            wrong.append("an error, and exit 0")
        return ran, wrong + self._wrong_output(ran, one, command)

    def _wrong_output(self, ran: Ran, one: Misbehaving, command: str) -> list[str]:
        if ran.code != 0:
            return ["output without success"] if ran.out else []
        if command != "lower" and _json(ran.out) is None:
            return ["its output is not JSON"]
        if command == "time" or one.alters or _without_lines(ran.out, one.name) == self._output_of_good(command):
            return []
        return ["its output is not that of a target that does nothing else"]

    def _output_of_good(self, command: str) -> str:
        if command not in self._good:
            self._good[command] = _without_lines(self._run(COMMANDS[command].format("good:f")).out, "good")
        return self._good[command]

    @cached_property
    def _recorded(self) -> dict[str, str]:
        """The snapshots of the good targets, in the folder ``snapshots``."""
        ran = self._run(f"snapshot update {' '.join(_GOOD)} {_SNAPSHOTS.format(60)}")
        assert ran.code == 0, ran.err
        return self._stored("snapshots")

    def _stored(self, folder: str) -> dict[str, str]:
        """The text of each target's snapshot, from its counts on."""
        found = {}
        for path in (self.folder / folder).rglob("*.toml"):
            text = path.read_text(encoding="utf-8")
            target = next((line.split('"')[1] for line in text.splitlines() if line.startswith("target = ")), path.name)
            found[target] = text
        return found

    def _check(self, one: Misbehaving, place: int) -> tuple[Ran, list[str]]:
        """A check of three targets with this one in a place among them."""
        assert self._recorded
        names = [*_GOOD[:place], f"{one.name}:f", *_GOOD[place:]]
        ran = self._run(f"snapshot check {' '.join(names)} {_SNAPSHOTS.format(_patience(one))}")
        code = LIMIT if one.loops else (one.code if one.checked is None else one.checked) or MISSING
        wrong = [] if ran.code == code else [f"exit {ran.code}, not {code}"]
        said = _json(ran.out)
        if said is None:
            return ran, [*wrong, "its output is not JSON"]
        checks: dict[str, list[dict[str, Any]]] = {}
        for check in said["checks"]:
            checks.setdefault(check["target"], []).append(check)
        for name in _GOOD:
            if [check["status"] for check in checks.get(name, [])] != ["match"]:
                wrong.append(f"{name} is not said to match")
        own = checks.get(f"{one.name}:f", [])
        wanted = "missing" if code == MISSING else "error"
        if [check["status"] for check in own] != [wanted]:
            return ran, [*wrong, f"its own verdicts are {[check['status'] for check in own]}, not {wanted}"]
        if wanted == "error" and (one.name not in (reason := own[0]["reason"]) or one.says not in reason):
            wrong += [] if one.loops else [f"its reason is {reason[:200]!r}"]
        told = [*ran.err.splitlines(), *own[0]["notes"]]
        if one.leaks and not any("set" in line and one.leaks in line for line in told):
            wrong.append(f"does not name {one.leaks}")
        return ran, wrong

    def _update(self, one: Misbehaving) -> tuple[Ran, list[str]]:
        """An update of three targets, this one in the middle, into a store of its own."""
        recorded = self._recorded
        store = f"store-{one.name}"
        line = f"snapshot update {_GOOD[0]} {one.name}:f {_GOOD[1]} --dir {store} "
        ran = self._run(line + _SNAPSHOTS.format(_patience(one)))
        code = LIMIT if one.loops else one.code if one.checked is None else one.checked
        wrong = [] if ran.code == code else [f"exit {ran.code}, not {code}"]
        stored = self._stored(store)
        wrong += [f"{name} is not recorded as it is alone" for name in _GOOD if stored.get(name) != recorded[name]]
        own = stored.get(f"{one.name}:f")
        if (own is not None) != (ran.code == 0):
            wrong.append("recorded in spite of its error" if own is not None else "not recorded")
        elif own is not None and not one.alters and own.replace(one.name, "good_a") != recorded[_GOOD[0]]:
            wrong.append("recorded with other counts than a target that does nothing else")
        return ran, wrong + ([] if _json(ran.out) is not None else ["its output is not JSON"])


def _without_lines(text: str, name: str) -> str:
    """An output that names a target, as if it were the one named ``good``, without the numbers of its lines."""
    return re.sub(r"\bgood\.py:\d+", "good.py:0", text.replace(name, "good"))


def _patience(one: Misbehaving) -> int:
    """The seconds that a program may take."""
    return 5 if one.loops or one.heavy else 60


def _json(text: str) -> Any:
    """What a JSON text holds; ``None`` where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _errors(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("error: ")]


def _wrong_line(err: str, one: Misbehaving, by_limit: bool) -> list[str]:
    """What is wrong with the line of its error."""
    errors = _errors(err)
    if len(errors) != 1:
        return [f"{len(errors)} lines of error"]
    wrong = [] if one.name in errors[0] else ["its error does not name it"]
    if one.says not in errors[0] and not by_limit:
        wrong.append(f"its error does not say {one.says!r}: {errors[0][:200]}")
    return wrong + ([] if len(errors[0]) < LONGEST_LINE else ["its error is too long"])
