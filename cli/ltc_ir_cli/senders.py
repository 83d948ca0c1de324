"""Tells signals of a person from those that a target sends to the tool's own process: by who the kernel says has sent them."""

from __future__ import annotations

import _thread
import os
import signal
import sys
from collections import deque
from contextlib import suppress
from types import FrameType

from ltc_ir.workers.orphans import parent_of
from ltc_ir.workers.signals import ending
from ltc_ir_cli.parent import Signals

CAN_TELL = sys.platform == "linux"


class Senders:
    """Waits for signals in a thread of its own, and lets each come to the main thread with who has sent it.

    A signal whose sender has ended before it was looked at is taken for a person's.
    """

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._came: deque[tuple[int, bool]] = deque()
        self._main = _thread.get_ident()
        self.of_target: int | None = None
        """The first that a process of the child's has sent."""

    def listen(self) -> None:
        """Begin, once the child runs: it would inherit what is blocked here."""
        self._carrier = signal.SIGRTMAX - 1
        self._numbers = (ending(faults=True) | set(self._signals.before)) - {self._carrier}
        signal.signal(self._carrier, self._hear)
        signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        _thread.start_new_thread(self._wait, ())

    def _wait(self) -> None:
        while True:
            said = signal.sigwaitinfo(self._numbers)
            assert self._signals.child is not None
            self._came.append((said.si_signo, is_below(said.si_pid, self._signals.child.pid)))
            signal.pthread_kill(self._main, self._carrier)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        while self._came:
            number, of_target = self._came.popleft()
            if of_target:
                self.of_target = self.of_target or number
            elif number in self._signals.before:
                self._signals.arrive(number, None)
            else:  # does what it does by default: it ends this process
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
                os.kill(os.getpid(), number)


def is_below(process: int, root: int) -> bool:
    """Whether a process descends from another, or is an orphan that came to this process."""
    own, below = os.getpid(), False
    with suppress(OSError, ValueError, IndexError):
        while process > 1:
            if process == root:
                return True
            if process == own:
                return below
            below = True
            process = parent_of(process)
    return False
