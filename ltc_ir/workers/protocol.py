"""What a process and its worker say to each other: frames of JSON and bytes, on descriptors that nothing else writes to."""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from ltc_ir.workers.deaths import LOST

Message = Mapping[str, Any]

_HEAD = struct.Struct(">4sQQ")
_write, _getpid, _exit, _fstat, _set_blocking = os.write, os.getpid, os._exit, os.fstat, os.set_blocking
_dumps, _loads, _len = json.dumps, json.loads, len
"""As they were when this process began: a job runs the code of others, which may replace them."""
_MAGIC = b"ltc\n"
"""The first bytes of a frame, then the bytes of its JSON and of its data."""


class GarbledError(ValueError):
    """What arrived is not a frame: something else wrote to the descriptor."""


def frame(message: Message, data: bytes = b"") -> tuple[bytes, bytes]:
    """A message as it is sent: its head with its JSON, and the data that goes with it, uncopied."""
    body = _dumps(message).encode()
    return _HEAD.pack(_MAGIC, _len(body), _len(data)) + body, data


def receive(stream: BinaryIO) -> tuple[Message, bytes] | None:
    """The next message and its data from a blocking stream; ``None`` at its end, also in the middle of a frame."""
    _set_blocking(stream.fileno(), True)
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    body_size, data_size = _sizes(head)
    body = stream.read(body_size)
    data = stream.read(data_size)
    return (_message(body), data) if (len(body), len(data)) == (body_size, data_size) else None


class Frames:
    """The messages in what arrives piece by piece."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[Message, bytes]]:
        """The messages, each with its data, that end in this piece.

        Raises:
            GarbledError: this is not a frame.
        """
        self._held += chunk
        while len(self._held) >= _HEAD.size:
            body_size, data_size = _sizes(self._held)
            middle = _HEAD.size + body_size
            end = middle + data_size
            if len(self._held) < end:
                return
            with memoryview(self._held) as held:
                body, data = bytes(held[_HEAD.size : middle]), bytes(held[middle:end])
            del self._held[:end]
            yield _message(body), data


def _sizes(head: bytes | bytearray) -> tuple[int, int]:
    magic, body_size, data_size = _HEAD.unpack_from(head)
    if magic != _MAGIC:
        raise GarbledError("not a frame")
    return body_size, data_size


def _message(body: bytes) -> Message:
    try:
        message = _loads(body)
    except (ValueError, RecursionError) as error:
        raise GarbledError("not JSON") from error
    if not isinstance(message, dict):
        raise GarbledError("not a message")
    return message


class Sender:
    """Sends messages from one process; in a copy of it that a job forked, it sends nothing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._owner, self._lock = descriptor, _getpid(), threading.Lock()
        self._pipe = _identity(descriptor)

    @property
    def is_owner(self) -> bool:
        """Whether this process is the one that the sender was made in."""
        return _getpid() == self._owner

    def send(self, message: Message, data: bytes = b"") -> None:
        """Send a message whole; a process ends whose messages nobody reads any more, or that has lost the descriptor."""
        if not self.is_owner:
            return
        with self._lock:
            if _identity(self._descriptor) != self._pipe:
                _exit(LOST)
            for piece in frame(message, data):
                self._write(piece)

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        try:
            _set_blocking(self._descriptor, True)
            while view:
                view = view[_write(self._descriptor, view) :]
        except OSError:
            _exit(LOST)


def _identity(descriptor: int) -> tuple[int, int] | None:
    """What a descriptor leads to; ``None`` for one that is closed."""
    try:
        status = _fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
