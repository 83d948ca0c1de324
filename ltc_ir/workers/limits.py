"""The limits of a worker: a deadline, memory, and the life of the process that started it."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ltc_ir.errors import LimitError, UsageError
from ltc_ir.workers.deaths import ended

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True)
class Limits:
    """What a job may take; ``None`` is unlimited.

    Args:
        deadline_s: seconds until a job's end or its next heartbeat, the start of its process included.
        memory_bytes: bytes of resident memory of its process, where the system tells them.
        kernel: limits that the kernel keeps, which the job itself runs into: bytes by their name, as in ``{"AS": 8 << 30}``
            for ``RLIMIT_AS``.
    """

    deadline_s: float | None = None
    memory_bytes: int | None = None
    kernel: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.deadline_s is not None and not 0 < self.deadline_s < math.inf:
            raise UsageError(
                f"{self.deadline_s:g} s is no time to work in", "give a positive number of seconds, or none"
            )


class DeadlineError(LimitError):
    """A job took longer than its deadline; its process was killed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the job took longer than {seconds:g} s")
        self.seconds = seconds


class MemoryLimitError(LimitError):
    """A job's process took more memory than it may; it was killed."""

    def __init__(self, used: int, allowed: int) -> None:
        super().__init__(f"the job took {used >> 20:,} MiB of memory; {allowed >> 20:,} MiB are allowed")
        self.used, self.allowed = used, allowed


_SPARE = (900, 320, 200, 60)
"""Numbers for descriptors of ours, the first that the system permits: who closes what it did not open seldom goes so far."""


def moved_up(descriptor: int) -> int:
    """The descriptor under a high number and not inherited, where there is one."""
    import fcntl

    for number in _SPARE:
        try:
            high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, number)
        except OSError:
            continue
        os.close(descriptor)
        return high
    os.set_inheritable(descriptor, False)
    return descriptor


class WorkerDiedError(LimitError):
    """A job's process ended before its answer.

    ``code`` is its exit code, or a signal's number below 0; ``how`` says that in words; ``last_words`` is the end of what
    it printed, where that was kept.
    """

    def __init__(self, code: int, last_words: str = "") -> None:
        self.how = ended(code)
        super().__init__(f"the job gave no result: {self.how}")
        self.code, self.last_words = code, last_words


def resident_bytes(pid: int) -> int | None:
    """The resident memory of a process; ``None`` where this system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None


def set_kernel_limits(kernel: Mapping[str, int]) -> None:
    """Set limits of this process, as far as the system permits."""
    import resource

    for name, most in kernel.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            number = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(number)[1]
            resource.setrlimit(number, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def end_first_without_memory() -> None:
    """Where the system runs out of memory, it ends this process rather than a neighbour."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def end_with_parent(lifeline: int) -> None:
    """Kill this process's group once the other end of a pipe is closed, as it is when the process that watches it ends.

    On Linux the kernel sends the signal, so native code that never returns to Python is killed too, and no thread disturbs
    what is measured here.
    """
    import fcntl

    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([lifeline], [], [], 0)[0]:
            os.killpg(0, signal.SIGKILL)
    else:
        threading.Thread(target=_wait_and_end, args=(lifeline,), daemon=True).start()


def _wait_and_end(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)
