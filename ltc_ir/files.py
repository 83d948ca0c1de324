"""Reading bytes of files that a user names, and where a project begins; the only module that opens such a file to read it."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from io import RawIOBase
from pathlib import Path
from typing import IO

from ltc_ir.errors import LimitError, UsageError

STDIN = "-"
STANDARD_INPUT = frozenset({STDIN, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
"""Names of standard input."""
MOST_BYTES = 512 << 20
"""Bytes that are read of a file or a pipe at most, where a kind of file has no lower limit."""

_CHUNK = 1 << 20
_READABLE = "give the path of a readable file"
_BOM = b"\xef\xbb\xbf"


def read_bytes(path: str, most: int = MOST_BYTES, *, pipes: bool = False) -> bytes:
    """The bytes of a regular file, without the mark of UTF-8 (BOM) at its start.

    Args:
        path: the file.
        most: bytes it may have.
        pipes: whether a pipe may be read, and standard input by any of its names.

    Raises:
        UsageError: there is no such file, it is a folder, a device or a socket, or it cannot be read; or standard input has
            been read already. LimitError: it has more bytes.
    """
    if pipes and path in STANDARD_INPUT:
        return _standard_input(most).removeprefix(_BOM)
    try:
        with os.fdopen(_opened(path, pipes), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            _check_size(path, size, most)
            return _bounded(file, path, most, max(_CHUNK, size + 1)).removeprefix(_BOM)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {reason(error)}", _READABLE) from error


def reason(error: OSError | ValueError) -> str:
    """Why a path cannot be used, in the system's words; a ValueError is a NUL or half a character in it."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "not the name of a file"


def _opened(path: str, pipes: bool) -> int:
    """The descriptor of a regular file or, if asked for, of a pipe; to open anything else may wait for ever, or do something.

    Raises:
        UsageError: it is something else.
    """
    mode = os.stat(path).st_mode  # noqa: PTH116 - a Path takes "" for "."
    piped = pipes and stat.S_ISFIFO(mode)
    _check_kind(path, mode, piped)
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags if piped else flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _check_kind(path, os.fstat(handle).st_mode, piped)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _check_kind(path: str, mode: int, piped: bool) -> None:
    if not (stat.S_ISFIFO(mode) if piped else stat.S_ISREG(mode)):
        raise UsageError(f"cannot read {path}: it is {_kind(mode)}, not a file", _READABLE)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _check_size(path: str, size: int, most: int) -> None:
    if size > most:
        shown = f"{most >> 20:,} MiB" if most >= _CHUNK else f"{most:,} bytes"
        raise LimitError(f"{called(path)} has more than {shown}, the most that is read", "is it the right file?")


def _bounded(file: IO[bytes] | RawIOBase, path: str, most: int, chunk: int) -> bytes:
    """All that a file holds; it may be endless, or grow while it is read."""
    chunks, size = [], 0
    while data := file.read(min(chunk, most + 1 - size)):
        chunks.append(data)
        size += len(data)
        _check_size(path, size, most)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


_spent: list[object] = []
"""The standard input that has been read to its end; remembered, for a second reading would find nothing."""


def _standard_input(most: int) -> bytes:
    stream = sys.stdin.buffer
    if any(stream is one for one in _spent):
        raise UsageError("standard input can be read once", "write it to a file, and name that")
    _spent[:] = [stream]
    try:
        _check_input(stream)
        return _bounded(stream, STDIN, most, _CHUNK)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read standard input: {reason(error)}", _READABLE) from error


def _check_input(stream: IO[bytes]) -> None:
    """Refuse an endless device as standard input, and wait for one that does not wait itself.

    Raises:
        UsageError: it is a folder or a device, other than a terminal and the empty one.
    """
    try:
        handle = stream.fileno()
    except (OSError, ValueError):
        return  # a caller's own stream, of no file
    status = os.fstat(handle)
    if stat.S_ISDIR(status.st_mode) or stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
        empty = Path(os.devnull).stat().st_rdev
        if not os.isatty(handle) and (stat.S_ISDIR(status.st_mode) or status.st_rdev != empty):
            kind = _kind(status.st_mode)
            raise UsageError(f"cannot read standard input: it is {kind}, not a file", _READABLE)
    if hasattr(os, "set_blocking"):
        os.set_blocking(handle, True)


def called(path: str) -> str:
    """What messages call a file: ``-`` is standard input."""
    return "standard input" if path in STANDARD_INPUT else path


def decode(data: bytes, where: str, hint: str) -> str:
    """The text of a file's bytes.

    Raises:
        UsageError: they are not UTF-8; the message names the line, or another encoding.
    """
    if is_utf16(data):
        raise UsageError(f"{where} is UTF-16 or UTF-32, not UTF-8", "save it as UTF-8")
    try:
        return data.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{where}:{line}: not UTF-8", hint) from None


def is_utf16(data: bytes) -> bool:
    """Whether text is of units of two or four bytes: by its mark, or as every second of its first bytes is 0."""
    even, odd = any(data[:16:2]), any(data[1:16:2])
    return data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")) or (len(data) >= 8 and even != odd)


def is_file(path: str | Path) -> bool:
    """Whether there is such a regular file; ``False``, and never an exception, for a name that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113 - a Path's own raises where a name is too long


def may_be_folder(path: str | Path) -> bool:
    """Whether there is such a folder, or one could be made."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116
    except FileNotFoundError:
        return not os.path.lexists(path)
    except (OSError, ValueError):
        return False


def real_path(path: str | Path) -> Path:
    """The path without symbolic links, as far as it exists; never an exception."""
    with contextlib.suppress(OSError, ValueError):
        return Path(os.path.realpath(path))
    return Path(path)


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; ``False``, and never an exception, for a name that no folder can have."""
    return os.path.isdir(path)  # noqa: PTH112 - a Path's own raises where a name is too long


@lru_cache(maxsize=1024)
def project_above(folder: str) -> Path | None:
    """The nearest folder, from this one upwards, that holds a ``pyproject.toml``; ``None`` where none does.

    One that is not a file counts too: who reads it says so, where a project further up would be taken in silence.
    """
    here = Path(folder)
    return next((one for one in (here, *here.parents) if os.path.lexists(one / "pyproject.toml")), None)


def current_folder() -> Path:
    """The current folder.

    Raises:
        UsageError: it has been removed.
    """
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError(f"the current folder is gone: {error.strerror}", "change to a folder that is there") from error


def _root_of(folder: Path) -> Path:
    return project_above(str(folder)) or folder


_chosen: ContextVar[Path | None] = ContextVar("project", default=None)


@contextlib.contextmanager
def project_at(folder: Path) -> Iterator[None]:
    """Let a folder's project be the project, whatever the current folder is: a test may have changed that."""
    token = _chosen.set(_root_of(folder))
    try:
        yield
    finally:
        _chosen.reset(token)


def project_root() -> Path:
    """The nearest folder above the current one that holds a ``pyproject.toml``, else the current folder."""
    return _chosen.get() or _root_of(current_folder())


STORED_ENDINGS = (".mlir", ".mlirbc", ".hlo", ".json", ".toml", ".txt")
"""The endings of stored IR and of records; the content decides what a file is, these only that a name is a file's."""


def names_stored_file(name: str) -> bool:
    """Whether a target's name is that of a stored file, a pipe or standard input, rather than of a function."""
    if name in STANDARD_INPUT:
        return True
    if ":" in name:
        return is_file(name)
    return (os.path.lexists(name) and not is_folder(name)) or name.endswith(STORED_ENDINGS)
