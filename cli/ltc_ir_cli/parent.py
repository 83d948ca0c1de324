"""The process that started a command, once a child does the work: the child's ends of pipes, and signals passed on to it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import NamedTuple

COMPLETION = "_LTC_IR_COMPLETE"
"""The variable by which a shell asks for completions."""
IN_PROCESS = "--in-process"
"""The option that runs user code where the command runs."""
WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
"""The signals that end a command in order, each with what is said of it."""


class Ends(NamedTuple):
    """One process's ends of the pipes between the two.

    Args:
        answers: what the child sends.
        lifeline: at its closing the system ends the child: when the other process ends, however it ends.
        passed: the signals that the child was sent on purpose, a byte each.
    """

    answers: int
    lifeline: int
    passed: int


class Child:
    """The process that does the work.

    Args:
        pid: its id, and that of its group.
        ends: this process's ends of the pipes.
        key: what each frame of the child begins with.
        alone: whether this process had no other child before, so that all that comes to it later is of this one's.
    """

    def __init__(self, pid: int, ends: Ends, key: bytes, alone: bool) -> None:
        self.pid, self.key, self.alone = pid, key, alone
        self.answers, self.lifeline, self.passed = ends

    def signal(self, number: int) -> None:
        """Send a signal to the child and its group."""
        with suppress(OSError):
            os.write(self.passed, bytes((number,)))
        try:
            os.killpg(self.pid, number)
        except OSError:  # it does not lead its group yet
            with suppress(OSError):
                os.kill(self.pid, number)


class SignalledError(Exception):
    """A signal came while this process wrote."""


class Signals:
    """The signals that came to this process: kept, and passed on to the child."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.raises = False
        """Whether one raises `SignalledError`: while a write may wait for ever."""
        self.child: Child | None = None
        self.before = {}
        for name in WORDS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
                self.before[number] = signal.signal(number, self.arrive)

    def arrive(self, number: int, _frame: FrameType | None) -> None:
        """Keep a signal, and pass it on."""
        self.received.append(number)
        if self.child is not None:
            self.child.signal(number)
        if self.raises:
            raise SignalledError

    def give_back(self) -> None:
        """Handle signals as before; one that has come ends this process now."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
        if self.received:
            say(self.words)
            os._exit(self.exit_code)

    @property
    def words(self) -> str:
        """What is said of the first that came: a line."""
        return f"{WORDS[signal.Signals(self.received[0]).name]}\n"

    @property
    def exit_code(self) -> int:
        """The exit code of the first that came."""
        return 128 + self.received[0]

    def pass_stops_on(self) -> None:
        """Let Ctrl-Z stop the child too, whose terminal this is not, and go on with it."""
        if hasattr(signal, "SIGTSTP") and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self.child is not None:
            self.child.signal(signal.SIGSTOP)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._stop)
        if self.child is not None:
            self.child.signal(signal.SIGCONT)


def say(text: str) -> None:
    """Write to standard error, where that is possible."""
    with suppress(OSError):
        os.write(2, text.encode("utf-8", "backslashreplace"))
