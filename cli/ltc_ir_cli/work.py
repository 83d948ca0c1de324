"""The child of the program: it leads a session, ends with its parent, and sends the parent what it has to say."""

from __future__ import annotations

import io
import os
import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

from ltc_ir.workers.limits import end_with_parent, moved_up
from ltc_ir.workers.signals import leave_unheeded
from ltc_ir_cli import interrupts
from ltc_ir_cli.channel import CHANNELS, Channel
from ltc_ir_cli.parent import Ends

APART = frozenset({"snapshot", "time"})
"""The commands that run user code in workers alone, which are below this process."""


def work(program: str, ends: Ends, key: bytes, signals: list[int]) -> NoReturn:
    """Do the work of the command line, in the ``main`` of a module; the parent blocks these signals until now."""
    os.setsid()
    channel = Channel(moved_up(ends.answers), key, os.isatty(1))
    try:
        interrupts.heed_only(moved_up(ends.passed))
        interrupts.install(signals)
        if not APART.isdisjoint(sys.argv[1:2]):
            leave_unheeded()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        code = _worked(program, moved_up(ends.lifeline), channel)
    except KeyboardInterrupt:
        code = interrupts.exit_code()
    channel.end(code)


def _worked(program: str, lifeline: int, channel: Channel) -> int:
    end_with_parent(lifeline)
    CHANNELS.append(channel)
    os.dup2(2, 1)
    raw = _Data(channel)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), sys.stdout.encoding, "surrogateescape")
    code: int = import_module(program).main()
    return code


class _Data(io.RawIOBase):
    """Standard output, as what writes to `sys.stdout` knows it: help, and what is printed before the work begins."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._channel.terminal

    def write(self, data: Any) -> int:
        whole = bytes(data)
        self._channel.send_data(whole)
        return len(whole)
