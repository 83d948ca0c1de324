"""Kills a command at some moment, and looks at all that is left: files, folders, processes, exit code, words on stderr."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ltc_ir.records import snapshot_toml
from tests.kills.commands import TEMPORARY, Prepared, console_script, files_of, variables

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDS_WITHIN_S = 20.0
"""Seconds that a command may take to end after its signal; an import of JAX is not interrupted."""
GONE_WITHIN_S = 3.0
"""Seconds after which no process of a command that has ended may be left."""
OWN = ("ltc_ir", "tests")
"""What a traceback names where it is of ours, and not of Python's own start."""


@dataclass(frozen=True)
class Kill:
    """When and how a command is killed.

    Args:
        number: which one signal is sent.
        after_s: seconds after its start.
        group: whether its group is sent the signal, as by a key pressed at a terminal, rather than the process alone.
    """

    number: signal.Signals
    after_s: float
    group: bool


@dataclass(frozen=True)
class Seen:
    """What a killed command did.

    Args:
        kill: how it was killed.
        name: of the command.
        code: its exit code, a signal's number below 0.
        finished: whether it was over before the signal.
        wrong: what should not be, in words.
        early_traceback: Python's own, with its exit code, of an interrupt before the first line of ours ran.
    """

    kill: Kill
    name: str
    code: int | None
    finished: bool
    wrong: tuple[str, ...]
    early_traceback: bool = False

    def __str__(self) -> str:
        whom = "group" if self.kill.group else "process"
        return f"{self.name}: {self.kill.number.name} to its {whom} after {self.kill.after_s:.3f} s: exit {self.code}"


def kill_once(prepared: Prepared, kill: Kill, root: Path) -> Seen:
    """Run a command in a copy of its folder, kill it, and look."""
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    folder = root / f"killed-{mark}"
    shutil.copytree(prepared.folder, folder)
    said = root / f"said-{mark}"
    try:
        with said.open("wb") as stderr:
            child = subprocess.Popen(
                [console_script(root), *prepared.command.line.split()], cwd=folder, env=variables(folder, mark),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
            )  # fmt: skip
        finished, code = _killed(child, kill)
        left = _left_running(mark)
        text = said.read_text(encoding="utf-8", errors="replace")
        traceback = "Traceback" in text or "Fatal Python error" in text
        early = traceback and kill.number == signal.SIGINT and not any(word in text for word in _named(text))
        wrong = [*([] if early and code == 1 else _wrong_code(code, kill, prepared, finished)), *left]
        wrong += [f"traceback: {text.strip()[-300:]}"] if traceback and not early else []
        wrong += _wrong_files(folder, prepared)
        return Seen(kill, prepared.command.name, code, finished, tuple(wrong), early)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        said.unlink(missing_ok=True)


def _named(text: str) -> Iterator[str]:
    """The packages of ours that a traceback's frames are in."""
    for line in text.splitlines():
        if line.lstrip().startswith("File "):
            yield from (word for word in OWN if f"/{word}" in line)


def _killed(child: subprocess.Popen[bytes], kill: Kill) -> tuple[bool, int | None]:
    """Send the signal when its time has come; whether the command was over by then, and its exit code."""
    try:
        return True, child.wait(kill.after_s)
    except subprocess.TimeoutExpired:
        pass
    (os.killpg if kill.group else os.kill)(child.pid, kill.number)
    try:
        return False, child.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return False, None


def _wrong_code(code: int | None, kill: Kill, prepared: Prepared, finished: bool) -> list[str]:
    if code is None:
        return [f"did not end within {ENDS_WITHIN_S:g} s"]
    expected = {prepared.code} if finished else {prepared.code, -kill.number, 128 + kill.number}
    return [] if code in expected else [f"exit {code}"]


def _left_running(mark: str) -> list[str]:
    """The processes that bear a mark and do not end by themselves; they are killed then."""
    until = time.monotonic() + GONE_WITHIN_S
    while marked := list(_marked(mark)):
        if time.monotonic() > until:
            words = [_command_of(pid) for pid in marked]
            for pid in marked:
                os.kill(pid, signal.SIGKILL)
            return [f"still runs: {one}" for one in words]
        time.sleep(0.02)
    return []


def _marked(mark: str) -> Iterator[int]:
    wanted = f"KILLED_AS={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except OSError:
                continue


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
    except OSError:
        return f"process {pid}"


def _wrong_files(folder: Path, prepared: Prepared) -> list[str]:
    """What is neither as before nor as after a finished run."""
    before, found = prepared.before, files_of(folder)
    wrong = [f"lost: {name}" for name in before if name not in found]
    for name, data in found.items():
        if name not in before and not any(fnmatch(name, pattern) for pattern in prepared.command.writes):
            wrong.append(f"left over: {name}")
        elif data not in {before.get(name), prepared.after.get(name)} and not _is_whole(name, data):
            wrong.append(f"broken: {name} ({len(data)} bytes)")
    return wrong + _empty_folders(folder, prepared.folder)


def _empty_folders(folder: Path, before: Path) -> list[str]:
    empty = [
        path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_dir() and not any(path.iterdir())
    ]
    return [f"empty folder: {one}" for one in empty if not (before / one).is_dir() and str(one) != TEMPORARY]


def _is_whole(name: str, data: bytes) -> bool:
    """Whether a file that is not the same in each run can be read."""
    try:
        if name.endswith(".mlir"):
            return data.startswith(b"module @") and data.endswith(b"\n}\n")
        if name.endswith(".json"):
            return isinstance(json.loads(data), dict)
        if name.endswith(".toml"):
            snapshot_toml.loads_bytes(data, name)
        elif name.endswith(".svg"):
            ET.fromstring(data)
        elif name.endswith(".npz"):
            return _is_archive(data)
        else:
            return False
    except Exception:
        return False
    return True


def _is_archive(data: bytes) -> bool:
    import io

    with np.load(io.BytesIO(data)) as held:
        return all(held[name] is not None for name in held.files)
