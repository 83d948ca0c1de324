"""The folder of snapshots: finds, reads, writes and removes them, one process at a time, each file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from ltc_ir.errors import DamagedError, LtcIrError, NewerSnapshotError, UsageError
from ltc_ir.files import current_folder, is_file, project_root, read_bytes, real_path
from ltc_ir.records import snapshot_toml as layout
from ltc_ir.records.snapshot import Identity, Snapshot
from ltc_ir.records.strict.toml import MOST_BYTES
from ltc_ir.snapshots import naming
from ltc_ir.writing import OTHER_FOLDER, beside_of, check_folder, nearest_folder, sweep, write_whole

DIRECTORY = "snapshots"
"""The folder where no other is named."""


class Store:
    """The snapshots below one folder, which need not exist until one is written.

    Files that do not end in ``.toml``, and hidden ones, are none of its business.
    """

    def __init__(self, directory: str | Path = DIRECTORY) -> None:
        self.directory = Path(directory)
        self._held = False
        self._locks = contextlib.ExitStack()

    def name_of(self, target: Any) -> str:
        """What snapshots call a target: a file's path is relative to the project, its own or that of the store.

        Raises:
            UsageError: it is a Target without a name, or neither a name nor a Target.
        """
        if not isinstance(target, str):
            return _own_name(target)
        path, name = _split(target)
        if path is None:
            return target
        local = real_path(current_folder() / path)
        place = local if is_file(local) else self._existing(path) or local
        for root in self._roots():
            if place.is_relative_to(root):
                return f"{place.relative_to(root).as_posix()}:{name}"
        return naming.canonical(f"{place}:{name}")

    def findable(self, name: str) -> str:
        """A name of a snapshot's target as it is found from the current folder; as it is where there is no such file."""
        path, rest = _split(name)
        file = None if path is None else self._existing(path)
        return name if file is None else f"{file}:{rest}"

    def _existing(self, path: str) -> Path | None:
        return next((root / path for root in self._roots() if is_file(root / path)), None)

    def _roots(self) -> Iterator[Path]:
        """The project of the current folder, and that which the store lies in."""
        yield real_path(project_root())
        folder = real_path(self.directory)
        yield from (parent for parent in folder.parents if is_file(parent / "pyproject.toml"))

    def path_of(self, target: str, program: str, identity: Identity) -> Path:
        """Where the snapshot of a program lies, or would lie."""
        return self.directory / naming.path_of(target, program, identity)

    def read(self, target: str, program: str, identity: Identity) -> Snapshot | None:
        """The snapshot of a program; ``None`` where there is none.

        Raises:
            UsageError: the file is there and cannot be read, or is another program's.
        """
        path = self.path_of(target, program, identity)
        return self.load(path) if os.path.lexists(path) else None

    def load(self, path: Path) -> Snapshot:
        """The snapshot in a file of this store.

        Raises:
            UsageError: it cannot be read, or holds what belongs in another file.
        """
        data = read_bytes(str(path), MOST_BYTES)
        try:
            snapshot = layout.loads_bytes(data, path.as_posix())
        except NewerSnapshotError:
            raise
        except UsageError as error:
            raise DamagedError(error.message, error.hint) from error
        home = self.path_of(snapshot.target, snapshot.program, snapshot.identity)
        if home != path:
            raise DamagedError(
                f"{path.as_posix()} holds what belongs in {home.as_posix()}",
                "was it copied or renamed by hand? delete it, and run `ltc-ir snapshot update`",
            )
        return snapshot

    def nearest(self, target: str, program: str, identity: Identity) -> Snapshot | None:
        """The same program's snapshot under the nearest other JAX: the newest older one, else the oldest newer one.

        Raises:
            UsageError: that file cannot be read.
        """
        name = naming.parse(self.path_of(target, program, identity).name)
        others = {
            _release(file.jax): path
            for path, file in self.files_of(target)
            if name and file != name and file._replace(jax=name.jax) == name
        }
        current = _release(naming.jax_minor(identity.jax))
        older, newer = (
            [release for release in others if release < current],
            [release for release in others if release > current],
        )
        best = max(older) if older else min(newer, default=None)
        return None if best is None else self.load(others[best])

    def files_of(self, target: str) -> list[tuple[Path, naming.FileName]]:
        """The files of one target by their names alone, in order; they need not be readable."""
        folder = self.directory / naming.folder_of(target)
        named = ((path, naming.parse(path.name)) for path in sorted(folder.glob(f"*{naming.ENDING}")))
        return [(path, name) for path, name in named if name is not None]

    def of_tests(self) -> list[Path]:
        """The files of functions met in tests, which lie below the path of the test's file."""
        return [path for path in self.paths() if any(map(_is_python, path.relative_to(self.directory).parts))]

    def paths(self) -> list[Path]:
        """The files of the store, in the order of their paths.

        Raises:
            UsageError: a folder cannot be read.
        """
        paths = []
        for folder, folders, names in os.walk(self.directory, onerror=_refuse):
            folders[:] = [name for name in folders if not name.startswith(".")]
            paths += [Path(folder, name) for name in names if name.endswith(naming.ENDING) and name[0] != "."]
        return sorted(paths)

    def all(self) -> Iterator[tuple[Path, Snapshot | LtcIrError]]:
        """Each file with its snapshot, or with the error that says why it is none."""
        yield from self._loaded(self.paths())

    def find(self, targets: Collection[str]) -> Iterator[tuple[Path, Snapshot | LtcIrError]]:
        """The files of these targets, as `all`; of every target where none is named."""
        folders = {self.directory / naming.folder_of(target) for target in targets}
        yield from self._loaded([path for path in self.paths() if not targets or path.parent in folders])

    def _loaded(self, paths: list[Path]) -> Iterator[tuple[Path, Snapshot | LtcIrError]]:
        for path in paths:
            try:
                yield path, self.load(path)
            except LtcIrError as error:
                yield path, error

    def write(self, snapshot: Snapshot) -> Path:
        """Write a snapshot to its file, whole or not at all, and never one that could not be read again.

        Raises:
            UsageError: the folder is not writable, or the snapshot holds what no file can.
        """
        path = self.path_of(snapshot.target, snapshot.program, snapshot.identity)
        text = layout.dumps(snapshot)
        layout.loads_bytes(text.encode(), path.as_posix())
        with self.lock():
            self._appear()
            try:
                write_whole(str(path), text.encode(), folders=True)
            except UsageError as error:
                raise UsageError(error.message, OTHER_FOLDER) from error
        return path

    def remove(self, path: Path) -> None:
        """Delete a file of the store, and the folders that it leaves empty.

        Raises:
            UsageError: it cannot be deleted.
        """
        with self.lock():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise UsageError(f"cannot delete {path}: {error.strerror}", OTHER_FOLDER) from error
            for folder in path.parents:
                if folder == self.directory or not folder.is_relative_to(self.directory):
                    break
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def sweep(self) -> list[Path]:
        """Delete what killed writers left behind: files that are not complete, hidden by their names, and empty folders."""
        swept = []
        with self.lock():
            for folder, _, _ in os.walk(self.directory, topdown=False):
                swept += sweep(Path(folder), (naming.ENDING,))
                if Path(folder) != self.directory:
                    with contextlib.suppress(OSError):
                        Path(folder).rmdir()
        return sorted(swept)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store, so that no other process writes to it; whoever holds it already goes on.

        It is the folder itself that is locked, so nothing is left behind; where it is not there yet, the nearest above it.
        Where the system has no such lock, there is none.

        Raises:
            UsageError: there is no such folder and none can be made.
        """
        if self._held:
            yield
            return
        check_folder(self.directory)
        with contextlib.ExitStack() as self._locks:
            while not self._locked(nearest_folder(self.directory)):
                continue
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def _locked(self, folder: Path) -> bool:
        """Wait for the lock of a folder, and keep it; whether it is still the one to lock."""
        if not _LOCKS:
            return True
        handle = _lock_of(folder)
        self._locks.callback(os.close, handle)
        if nearest_folder(self.directory) == folder and os.path.samestat(folder.stat(), os.fstat(handle)):
            return True
        self._locks.close()
        return False

    def _appear(self) -> None:
        """Make the folder of the store, which is locked before others can see it; one that stays empty is taken back."""
        if self.directory.exists():
            return
        made = [one for one in (self.directory, *self.directory.parents) if not one.exists()]
        beside = beside_of(self.directory)
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            beside.mkdir()
            if _LOCKS:
                self._locks.callback(os.close, _lock_of(beside))
            beside.rename(self.directory)
        except OSError as error:
            raise UsageError(f"cannot write to {self.directory.as_posix()}: {error.strerror}", OTHER_FOLDER) from error
        finally:
            _take_back([beside])
            self._locks.callback(_take_back, made)


_LOCKS = os.name == "posix"


def _lock_of(folder: Path) -> int:
    """The descriptor that holds the lock of a folder, once it is free; some network file systems have none."""
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        _refuse(error)
        raise
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _take_back(folders: Iterable[Path]) -> None:
    """Remove folders that are empty."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _refuse(error: OSError) -> None:
    """Say of a folder that it cannot be read; one that is not there has nothing in it."""
    if not isinstance(error, FileNotFoundError):
        raise UsageError(
            f"cannot read {error.filename}: {error.strerror}", "name a readable folder with --dir"
        ) from error


def _is_python(part: str) -> bool:
    return part.endswith(".py")


def _release(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split("."))


def _own_name(target: Any) -> str:
    name = getattr(target, "name", None)
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"a {type(target).__name__} without a name has no snapshots", 'give a name, or a Target with name="step"'
        )
    return name


def _split(target: str) -> tuple[str | None, str]:
    """The file of a target and the name in it; no file where it is none of ``file.py:name``."""
    path, separator, name = target.rpartition(":")
    return (path, name) if separator and path.endswith(".py") else (None, target)
