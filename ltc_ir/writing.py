"""Writes files whole or not at all, and folders only for what is written into them, however the writer ends.

Where the system has files without a name, a file gets one when it is complete, so that a killed writer leaves nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ltc_ir.errors import UsageError
from ltc_ir.files import real_path, reason

_ELSEWHERE = "choose a file in a writable folder with -o"
OTHER_FOLDER = "name a writable folder with --dir"
_UNNAMED: int | None = getattr(os, "O_TMPFILE", None)
_DESCRIPTORS = "/proc/self/fd"
"""Where Linux names the files that are open, without which an unnamed one gets no name."""


def check_writable(path: str) -> None:
    """Find out before the work whether a file can be written after it.

    Raises:
        UsageError: it is a folder, or its own folder is missing or not writable.
    """
    try:
        why = _why_unwritable(path)
    except (OSError, ValueError) as error:
        why = reason(error)
    if why is not None:
        raise UsageError(f"cannot write {path}: {why}", _ELSEWHERE)


def _why_unwritable(path: str) -> str | None:
    target = Path(path)
    folder = target.parent
    exists = True
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode, exists = 0, False
    if stat.S_ISDIR(mode) or path.endswith(("/", os.sep)):
        return "it is a folder"
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if not os.access(target if exists else folder, os.W_OK):
        return f"{'it' if exists else 'its folder'} is read-only"
    return None


def check_folder(folder: Path) -> None:
    """Find out before the work whether files can be written below a folder, which need not be there.

    Raises:
        UsageError: they cannot.
    """
    nearest = nearest_folder(folder)
    if not nearest.is_dir():
        raise UsageError(f"cannot write to {folder.as_posix()}: {nearest} is no folder", OTHER_FOLDER)
    if not os.access(nearest, os.W_OK):
        whose = "it" if nearest == folder else f"{nearest.as_posix()}"
        raise UsageError(f"cannot write to {folder.as_posix()}: {whose} is read-only", OTHER_FOLDER)


def nearest_folder(path: Path) -> Path:
    """The path itself where there is such a one, else the nearest above it."""
    return next((one for one in (path, *path.parents) if _is_there(one)), path)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


@contextlib.contextmanager
def folders_for(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; those that were made and that nothing was written into are taken back.

    Raises:
        UsageError: it cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not _is_there(one)]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write to {folder.as_posix()}: {error.strerror}", OTHER_FOLDER) from error
        yield
    finally:
        for one in missing:
            with contextlib.suppress(OSError):
                one.rmdir()


def write_whole(path: str, data: bytes, *, folders: bool = False) -> None:
    """Write a file whole or not at all, over an old one if there is one.

    A device or a pipe (``/dev/stdout``, a FIFO) is written to as it is.

    Args:
        path: the file.
        data: what it is to hold.
        folders: make the folders above it that are missing, once the data is written.

    Raises:
        UsageError: the folder is missing or not writable.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        target = real_path(target) if target.is_symlink() else target
        if not _put_unnamed(target, data, folders=folders):
            _put_beside(target, data, folders=folders)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {reason(error)}", _ELSEWHERE) from error


def _put_unnamed(target: Path, data: bytes, *, folders: bool) -> bool:
    """Write a file that has no name until it is complete; whether the system could."""
    if _UNNAMED is None:
        return False
    try:
        handle = os.open(nearest_folder(target.parent), _UNNAMED | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            _fill(file, data, _mode(target))
            with folders_for(target.parent) if folders else contextlib.nullcontext():
                _name(file.fileno(), target)
    except (OSError, ValueError):
        return False
    return True


def _name(descriptor: int, target: Path) -> None:
    """Give an unnamed file its name; where there is an old file, by a name beside it that is moved over that one."""
    with contextlib.suppress(FileExistsError):
        return _link(descriptor, target)
    beside = beside_of(target)
    try:
        _link(descriptor, beside)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _link(descriptor: int, name: Path) -> None:
    folder = os.open(name.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.link(f"{_DESCRIPTORS}/{descriptor}", name.name, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _put_beside(target: Path, data: bytes, *, folders: bool) -> None:
    """Write a file under a name beside that of the old one, and move it over that."""
    with folders_for(target.parent) if folders else contextlib.nullcontext():
        beside = beside_of(target)
        try:
            with beside.open("xb") as file:
                _fill(file, data, _mode(target))
            beside.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise


def _fill(file: IO[bytes], data: bytes, mode: int) -> None:
    file.write(data)
    file.flush()
    os.fchmod(file.fileno(), mode)
    os.fsync(file.fileno())


def _mode(target: Path) -> int:
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def beside_of(target: Path) -> Path:
    """A name beside a file that no other has, hidden, and known for what it is where a killed writer leaves it."""
    name = target.name if len(os.fsencode(target.name)) <= _LONGEST else target.name[: _LONGEST // 4]
    return target.with_name(f".{name}.{secrets.token_hex(4)}")


_LONGEST = 240
"""Bytes of a name up to which one that is ten longer is a name that file systems take."""


_BESIDE = re.compile(r"\..+\.[a-z0-9_]{8}")


def sweep(folder: Path, endings: tuple[str, ...], older_s: float = 0.0) -> list[Path]:
    """Delete what killed writers left in a folder: files beside others that are not complete.

    Args:
        folder: the folder, without those below it.
        endings: those of the files, as in ``.toml``.
        older_s: the least seconds since one was written to, where a writer may be at work.
    """
    swept = []
    for path in folder.glob(".*"):
        if _BESIDE.fullmatch(path.name) and path.name[:-9].endswith(endings):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime >= older_s:
                    path.unlink()
                    swept.append(path)
    return sorted(swept)
