"""The child's end of the pipe to the process that keeps standard output and the exit code: frames, from this process only.

Not in the frames of workers: those need `json`, which would be imported twice, and which user code may replace.
"""

from __future__ import annotations

import os
from enum import IntEnum
from typing import NoReturn

from ltc_ir.workers.deaths import LOST
from ltc_ir_cli.interrupts import held

KEY_BYTES, SIZE_BYTES = 8, 8
HEAD_BYTES = KEY_BYTES + 1 + SIZE_BYTES
_CHUNK = 1 << 16
_write, _getpid, _exit, _fstat, _set_blocking, _len = os.write, os.getpid, os._exit, os.fstat, os.set_blocking, len
"""As they are before any user code runs, which may replace them."""


class Kind(IntEnum):
    """What a frame holds."""

    DATA = 1
    """Data for standard output, to be held until it is whole."""
    WHOLE = 2
    """Nothing: the data is whole and can be written."""
    TALK = 3
    """A text for standard error."""
    ENTERED = 4
    """The target whose code runs from now on, and the stage that it passes, a line each."""
    VERDICT = 5
    """The exit code, in decimal."""


class Channel:
    """Sends frames to the parent. Each begins with a key that only the two know, so that nothing else is taken for one.

    Args:
        descriptor: the end of the pipe to write to.
        key: what each frame begins with.
        terminal: whether standard output is a terminal.
    """

    def __init__(self, descriptor: int, key: bytes, terminal: bool) -> None:
        self.terminal = terminal
        self._descriptor, self._key, self._owner = descriptor, key, _getpid()
        self._pipe = self._identity()

    def _identity(self) -> tuple[int, int]:
        status = _fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def end_copies(self) -> None:
        """End this process if it is a copy that user code forked: it has no part in the work."""
        if _getpid() != self._owner:
            _exit(0)

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send a frame whole; a copy of the process ends instead, as does one whose pipe is closed."""
        self.end_copies()
        with held():
            try:
                if self._identity() != self._pipe:
                    _exit(LOST)
                self._put(self._key + bytes((kind,)) + _len(payload).to_bytes(SIZE_BYTES, "big"))
                self._put(payload)
            except OSError:
                _exit(LOST)

    def send_data(self, data: bytes) -> None:
        """Send data for standard output."""
        for start in range(0, _len(data), _CHUNK):
            self.send(Kind.DATA, data[start : start + _CHUNK])
        self.send(Kind.WHOLE)

    def end(self, code: int) -> NoReturn:
        """Send the exit code, and exit: whatever user code left behind, threads and exit functions, comes to nothing."""
        self.send(Kind.VERDICT, str(code).encode())
        _exit(0)

    def _put(self, piece: bytes) -> None:
        view = memoryview(piece)
        _set_blocking(self._descriptor, True)
        while view:
            view = view[_write(self._descriptor, view) :]


CHANNELS: list[Channel] = []
"""The channel of this process, where it is a child that does the work of a command; none otherwise."""
