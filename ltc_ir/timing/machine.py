"""The machine that timings are taken on: its processors, load and memory, and the peak memory of a stage."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ltc_ir.records.timing import Machine, Peak

_CGROUP = Path("/sys/fs/cgroup")
_FLAGS = ("XLA_FLAGS", "JAX_PLATFORMS", "OMP_NUM_THREADS")
"""The variables that change what is compiled or how many threads run it."""


def read_machine() -> Machine:
    """The machine of this process, with its current load."""
    import jax

    devices = jax.devices()
    kinds = ", ".join(dict.fromkeys(_device_name(device.platform, device.device_kind) for device in devices))
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count(),
        usable_cores=_usable_cores(),
        memory_bytes=memory_bytes(),
        device=f"{len(devices)} x {kinds}" if len(devices) > 1 else kinds,
        flags=" ".join(f"{name}={os.environ[name]!r}" for name in _FLAGS if os.environ.get(name)) or None,
        load_before=_load(),
    )


def _device_name(platform: str, kind: str) -> str:
    return platform if platform == kind else f"{platform} {kind}"


def with_load_after(before: Machine) -> Machine:
    """The same machine with its current load as the load after measuring."""
    return replace(before, load_after=_load())


def memory_bytes() -> int | None:
    """The memory this process may use: the machine's, or what its control group is allowed."""
    limits = [_first_number(_CGROUP / "memory.max"), _first_number(_CGROUP / "memory" / "memory.limit_in_bytes")]
    with contextlib.suppress(ValueError, OSError, AttributeError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min((number for number in limits if number), default=None)


def _usable_cores() -> int | None:
    """The cores this process may run on: its affinity, and what its control group is allowed of their time."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count()
    allowed = _words(_CGROUP / "cpu.max")
    if cores and len(allowed) == 2 and allowed[0].isdigit() and int(allowed[1]):
        cores = min(cores, max(1, round(int(allowed[0]) / int(allowed[1]))))
    return cores


def _cpu() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Hardware")))
    return next(named, None) or platform.processor() or platform.machine() or None


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return []


def _first_number(path: Path) -> int | None:
    return next((int(word) for word in _words(path) if word.isdigit()), None)


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
SHARED = "the high-water mark of this process is not ours to reset; a target timed by its name has a process of its own"
UNKNOWN = "this system keeps no high-water mark of resident memory that a process may reset"


class HighWater:
    """The highest resident memory of one step; ``peak`` is ``None`` before, or where it cannot be measured (``reason``).

    Args:
        dedicated: whether this process does nothing but measure: then its high-water mark may be reset.
    """

    def __init__(self, dedicated: bool) -> None:
        self.reason = None if dedicated else SHARED
        self.peak: Peak | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Follow the memory of this process while open."""
        before = self._reset()
        yield
        if before is not None:
            highest = _kilobytes("VmHWM")
            self.peak = Peak(highest * 1024, max(0, highest - before) * 1024)

    def _reset(self) -> int | None:
        """Reset the high-water mark; returns the current kilobytes."""
        if self.reason is not None:
            return None
        try:
            _CLEAR.write_text("5", encoding="ascii")
            return _kilobytes("VmRSS")
        except (OSError, ValueError):
            self.reason = UNKNOWN
            return None


def _kilobytes(name: str) -> int:
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ValueError(name)
