"""Reading bytes and writing files whole or not at all; the only module that opens a user's file."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from ltc_ir.errors import UsageError

STDIN = "-"


def read_bytes(path: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``.

    Raises:
        UsageError: the file cannot be read, or standard input has been read already.
    """
    if path == STDIN:
        return _standard_input()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "give the path of a readable file") from error


_spent: list[object] = []
"""The standard input that has been read to its end; remembered, for a second reading would find nothing."""


def _standard_input() -> bytes:
    stream = sys.stdin.buffer
    if any(stream is one for one in _spent):
        raise UsageError("standard input can be read once", "write it to a file, and name that")
    _spent[:] = [stream]
    return stream.read()


def called(path: str) -> str:
    """What messages call a file: ``-`` is standard input."""
    return "standard input" if path == STDIN else path


_ELSEWHERE = "choose a file in a writable folder with -o"


def check_writable(path: str) -> None:
    """Find out before the work whether a file can be written after it.

    Raises:
        UsageError: it is a folder, or its own folder is missing or not writable.
    """
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder", _ELSEWHERE)
    if not folder.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {folder}", _ELSEWHERE)
    if not os.access(target if target.exists() else folder, os.W_OK):
        raise UsageError(f"cannot write {path}: {'it' if target.exists() else 'its folder'} is read-only", _ELSEWHERE)


OTHER_FOLDER = "name a writable folder with --dir"


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; one that is there is left as it is.

    Raises:
        UsageError: it cannot be made, or be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {folder.as_posix()}: {error.strerror}", OTHER_FOLDER) from error
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write to {folder.as_posix()}: it is read-only", OTHER_FOLDER)


def write_whole(path: str, data: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, then renamed over the old one.

    A device or a pipe (``/dev/stdout``, a FIFO) is written to as it is.

    Raises:
        UsageError: the folder is missing or not writable.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        _replace(target.resolve() if target.is_symlink() else target, data)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", _ELSEWHERE) from error


def _replace(target: Path, data: bytes) -> None:
    handle, neighbour = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(neighbour).chmod(_mode(target))
        Path(neighbour).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(neighbour).unlink()
        raise


def _mode(target: Path) -> int:
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@lru_cache(maxsize=1024)
def project_above(folder: str) -> Path | None:
    """The nearest folder, from this one upwards, that holds a ``pyproject.toml``; ``None`` where none does."""
    here = Path(folder)
    return next((one for one in (here, *here.parents) if (one / "pyproject.toml").is_file()), None)


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
    return _chosen.get() or _root_of(Path.cwd())


STORED_ENDINGS = (".mlir", ".mlirbc", ".hlo", ".json", ".toml", ".txt")
"""The endings of stored IR and of records; the content decides what a file is, these only that a name is a file's."""


def names_stored_file(name: str) -> bool:
    """Whether a target's name is that of a stored file, or of standard input, rather than of a function."""
    return name == "-" or (":" not in name and (Path(name).is_file() or name.endswith(STORED_ENDINGS)))
