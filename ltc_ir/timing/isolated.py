"""Times a target by name in a process of its own, and ends that where it hangs or fills the memory; figures so far stay."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ltc_ir.records.environment import Environment
from ltc_ir.records.timing import Ended, Machine, Settings, Timing
from ltc_ir.records.timing_codec import timing_from_dict
from ltc_ir.workers.process import command_of, environment_of, signal_name

POLL_S = 0.2
"""Seconds between two looks at the child's memory."""
INTERRUPTED, LIMIT = 130, 5
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

At = Callable[[str, str, int], None]


def nobody(_program: str, _stage: str, _run: int) -> None:
    """Where nobody wants to know what is at work."""


@dataclass(frozen=True)
class Bounds:
    """What a child may take: seconds for each program, its start included, and bytes of resident memory."""

    timeout_s: float | None = None
    memory_bytes: int | None = None


def time_apart(
    request: Mapping[str, Any],
    settings: Settings,
    bounds: Bounds,
    at: At = nobody,
    clock: Callable[[], float] = time.monotonic,
) -> Timing:
    """The timing of a target in a process of its own; what ended it is in the record.

    Args:
        request: ``target`` (a name), ``options``, ``programs``, ``platform`` and ``x64``.
        settings: how to measure.
        bounds: what ends the work.
        at: is told the program, the stage and the run that are at work.
        clock: tells the seconds of the bounds.
    """
    settings = replace(settings, apart=True)
    heard = _Heard(Timing(str(request["target"]), Environment(), Machine(), settings), at)
    child = _start({**request, "settings": asdict(settings)})
    try:
        ended = _listen(child, heard, bounds, clock)
    except KeyboardInterrupt:
        ended = Ended(INTERRUPTED, "interrupted")
    finally:
        _kill(child)
    if ended is None:
        return heard.timing.closed()
    return heard.timing.closed(replace(ended, program=heard.program, stage=heard.stage))


@dataclass
class _Heard:
    """What the child has said so far."""

    timing: Timing
    tell: At
    program: str | None = None
    stage: str | None = None
    done: bool = False
    rest: bytearray = field(default_factory=bytearray)

    def take(self, chunk: bytes) -> bool:
        """Hear a piece; whether another program began in it."""
        self.rest += chunk
        *lines, rest = self.rest.split(b"\n")
        self.rest = bytearray(rest)
        before = self.program
        for line in lines:
            self._line(json.loads(line))
        return self.program != before

    def _line(self, said: Mapping[str, Any]) -> None:
        if "at" in said:
            self.program, self.stage, run = said["at"]
            self.tell(str(self.program), str(self.stage), run)
        elif "timing" in said:
            self.timing = timing_from_dict(said["timing"])
        elif "failed" in said:
            self.timing = replace(self.timing, ended=Ended(**said["failed"]))
        self.done = self.done or "done" in said

    @property
    def where(self) -> str:
        """What was at work, in words."""
        if self.program is None:
            return f"{self.timing.target}, before its first program"
        return f"{self.timing.target} {self.program}, in {self.stage}"


def _listen(child: subprocess.Popen[bytes], heard: _Heard, bounds: Bounds, clock: Callable[[], float]) -> Ended | None:
    """Hear the child to its end; what ended it before that, where something did."""
    assert child.stdout
    began = clock()
    while not heard.done:
        if bounds.timeout_s is not None and clock() - began > bounds.timeout_s:
            return _too_slow(heard, bounds.timeout_s)
        used = resident_bytes(child.pid)
        if bounds.memory_bytes is not None and used is not None and used > bounds.memory_bytes:
            return _too_large(heard, used, bounds.memory_bytes)
        ready, _, _ = select.select([child.stdout], [], [], POLL_S)
        if ready:
            chunk = os.read(child.stdout.fileno(), 1 << 20)
            if not chunk:
                return _died(heard, child.wait())
            if heard.take(chunk):
                began = clock()
    return None


def _too_slow(heard: _Heard, timeout_s: float) -> Ended:
    message = f"{heard.where}, was not done after {timeout_s:g} s (--timeout)"
    return Ended(LIMIT, message, "give it more with --timeout, or smaller arguments")


def _too_large(heard: _Heard, used: int, allowed: int) -> Ended:
    message = f"{heard.where}, took {used >> 20:,} MiB of memory; allowed are {allowed >> 20:,} (--memory)"
    return Ended(LIMIT, message, "give it smaller arguments, or allow more with --memory")


def _died(heard: _Heard, code: int) -> Ended:
    how = f"exit {code}" if code >= 0 else f"signal {signal_name(-code)}"
    hint = "the system ends what fills its memory so" if code == -signal.SIGKILL else "run the function by itself"
    return Ended(LIMIT, f"{heard.where}: its process did not survive ({how})", hint)


def _start(request: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """Start the child with this process's own import path; it leads a session, so that a key pressed here ends only us."""
    child = subprocess.Popen(
        command_of("ltc_ir.timing.isolated_child"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        env=environment_of(), start_new_session=True,
    )  # fmt: skip
    assert child.stdin
    with contextlib.suppress(BrokenPipeError):  # a child that died at its start is noticed where it is heard
        child.stdin.write(json.dumps(request).encode())
    child.stdin.close()
    return child


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        child.kill()
    child.wait()
    if child.stdout:
        child.stdout.close()


def resident_bytes(pid: int) -> int | None:
    """The resident memory of a process; ``None`` where this system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None
