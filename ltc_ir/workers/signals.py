"""Which signals end a process; one that runs no user code leaves unheeded what a target sends it."""

from __future__ import annotations

import signal

_HARMLESS = ("SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGKILL", "SIGSTOP")
"""Those that end no process, and those that none can wait for."""
_FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGABRT")
"""Those that an instruction of the process itself may bring, after which it cannot go on."""


def ending(*, faults: bool) -> set[int]:
    """The signals that would end this process by default now, and that it can handle; with or without its own faults."""
    left_out = {getattr(signal, name, 0) for name in (*_HARMLESS, *(() if faults else _FAULTS))}
    return {number for number in signal.valid_signals() - left_out if signal.getsignal(number) is signal.SIG_DFL}


def leave_unheeded() -> set[int]:
    """Heed no signal any more that would end this process; which there were. A program that it starts heeds them."""
    numbers = ending(faults=False)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    return numbers
