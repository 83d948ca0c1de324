"""The words for a process that ended before it answered: one wording, whoever waited for it."""

from __future__ import annotations

import signal

LOST = 113
"""What a process of ours exits with that cannot send any more; who waits for it no longer hears."""
MEMORY = "the system ends what fills its memory so"
"""The hint about what the system killed."""


def ended(code: int) -> str:
    """How a process ended that exited with this code, or by this signal where it is below 0."""
    if code == LOST:
        return "it closed the descriptors of ltc-ir"
    if code >= 0:
        return f"it ended its process (exit {code})"
    return f"its process did not survive ({signal_name(-code)})"


def is_killed(code: int) -> bool:
    """Whether the system, or a person, killed a process that ended so."""
    return code < 0 and signal_name(-code) == "SIGKILL"


def signal_name(number: int) -> str:
    """The name of a signal, such as ``SIGKILL``; ``signal 99`` where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
