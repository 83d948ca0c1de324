"""Measures the highest resident memory of this process during a step, on Linux."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ltc_ir.records.timing import Peak

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
