"""The process between a worker and who started it: where either ends, it ends the worker and all that the worker started.

The worker runs foreign code, which may close every descriptor, lead a group of its own, refuse signals and leave processes
behind; this one runs none, has little to do, and inherits what a worker's process leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import time
from pathlib import Path
from typing import NoReturn

from ltc_ir.workers.orphans import inherit_children, kill_children

DEADLINE = struct.Struct("d")
"""What is sent over a lifeline: the seconds that the worker may still take; below 0 where nothing limits it."""
GRACE_S = 2.0
"""Seconds after a deadline that who set it has to end the worker itself."""
LOOK_S = 1.0
"""Seconds between two looks at whether the process that started this one is still its parent."""
_marks: list[str] = []


def start(settings: str) -> int:
    """Become two processes: the worker's, in which this returns, and the one that watches it, which never does.

    Args:
        settings: in JSON, the descriptors of a worker and the number of the process that wants it.

    Returns:
        a pipe that ends with the process that watches.
    """
    said = json.loads(settings)
    bond, held = os.pipe()
    _marks[:] = [f"{os.urandom(4).hex()}-"]
    worker = os.fork()
    if worker:
        for descriptor in (bond, said["requests"], said["answers"]):
            os.close(descriptor)
        _watch(_Worker(worker), said["lifeline"], said["parent"])
    os.setsid()
    for descriptor in (held, said["lifeline"]):
        os.close(descriptor)
    return bond


class _Worker:
    """The worker as the process that watches it sees it.

    ``status`` is what it ended with, ``None`` as long as it runs.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.status: int | None = None

    def reap(self, *, wait: bool = False) -> bool:
        """Take note of children that have ended, of the worker and of what it left; whether there are others."""
        while True:
            try:
                child, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
            except ChildProcessError:
                return False
            if child == self.number:
                self.status = status
            if not child or wait:
                return True

    def end(self) -> int:
        """Kill its group, and then whatever else is below this process; the status that it ended with."""
        with contextlib.suppress(OSError):
            os.killpg(self.number, signal.SIGKILL)
        while self.reap():
            kill_children()
            self.reap(wait=True)
        return self.status or 0


def _watch(worker: _Worker, lifeline: int, parent: int) -> NoReturn:
    """Wait for the first end that there is, and end as the worker does."""
    try:
        woken = _wake_on_signals()
        inherit_children(signal.SIGUSR1)
        _wait(worker, lifeline, parent, woken)
        status = worker.end()
        _remove_temporary()
    except BaseException:
        with contextlib.suppress(OSError):
            os.killpg(worker.number, signal.SIGKILL)
        os._exit(1)
    _end_as(status)


_asked_to_end: list[int] = []


def _wake_on_signals() -> int:
    """Have signals end a wait; the descriptor that tells of them."""
    woken, waking = os.pipe()
    for descriptor in (woken, waking):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: _asked_to_end.append(number))
    return woken


def _wait(worker: _Worker, lifeline: int, parent: int, woken: int) -> None:
    """Wait until the worker has ended or should: its deadline is over, or the process that wanted it is gone."""
    os.set_blocking(lifeline, False)
    until: float | None = None
    while worker.reap() and worker.status is None and os.getppid() == parent and not _asked_to_end:
        left = LOOK_S if until is None else until - time.monotonic()
        if left < 0:
            return
        ready = select.select([lifeline, woken], [], [], min(left, LOOK_S))[0]
        if woken in ready:
            os.read(woken, 1 << 10)
        if lifeline in ready:
            said = os.read(lifeline, DEADLINE.size << 10)
            if not said:
                return
            (seconds,) = DEADLINE.unpack(said[-DEADLINE.size :])
            until = None if seconds < 0 else time.monotonic() + seconds + GRACE_S


def temporary_prefix() -> str:
    """What the name of a temporary folder begins with, to be deleted where this is a worker that is killed."""
    return "ltc-ir-" + "".join(_marks)


def _remove_temporary() -> None:
    """Delete the temporary folders of the worker; those of a process that nothing watches bear no mark."""
    variables = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for place in dict.fromkeys([*filter(None, variables), "/tmp", "/var/tmp"]):
        with contextlib.suppress(OSError):
            for left in Path(place).glob(f"{temporary_prefix()}*"):
                import shutil

                shutil.rmtree(left, ignore_errors=True)


def _end_as(status: int) -> NoReturn:
    """End in the way of the worker: with its exit code, or by its signal, without another core."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        import resource

        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if -code not in {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
    os._exit(max(code, 1) if code < 0 else code)
