"""What the processes below this one leave behind: it comes to this process, which ends it. Little is imported for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36
"""The numbers of Linux for ``prctl``."""
_END_S = 2.0
"""Seconds that killed processes may take to end; what this process may not kill is let go."""


def inherit_children(heard: int | None = None) -> None:
    """On Linux, become the parent of what is left below this process.

    Args:
        heard: a signal that tells when the thread that started this process ends, if that is to be heard. It alone tells
            nothing, for the thread's process may go on: it only has the parent looked at.
    """
    with suppress(Exception):
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(_SET_SUBREAPER, 1, 0, 0, 0)
        if heard is not None:
            prctl(_SET_DEATH_SIGNAL, int(heard), 0, 0, 0)


def kill_children() -> None:
    """Kill the processes whose parent is this one."""
    for child in _children():
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)


def end_children() -> None:
    """Kill the processes below this one, until there are no more."""
    until = time.monotonic() + _END_S
    with suppress(ChildProcessError):
        while time.monotonic() < until:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                kill_children()
                time.sleep(0.002)


def parent_of(process: int) -> int:
    """The number of a process's parent.

    Raises:
        OSError: it has ended, or the system does not tell.
    """
    with open(f"/proc/{process}/stat", "rb") as said:  # noqa: PTH123 - pathlib takes long to import
        return int(said.read().rpartition(b")")[2].split()[1])


def _children() -> Iterator[int]:
    """The processes whose parent is this one, where the system tells."""
    own = os.getpid()
    with suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - likewise
            with suppress(OSError):
                if name.isdecimal() and parent_of(int(name)) == own:
                    yield int(name)
