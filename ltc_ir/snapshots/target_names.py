"""What a target's file is called and where it is found again: relative to the project, from whichever folder one looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.files import project_root
from ltc_ir.snapshots.naming import canonical
from ltc_ir.snapshots.store import Store


def name_of(target: Any, store: Store) -> str:
    """What snapshots call a target: a file's path is relative to the project, its own or that of the store.

    Raises:
        UsageError: it is a Target without a name, or neither a name nor a Target.
    """
    if not isinstance(target, str):
        return _own_name(target)
    path, name = _split(target)
    if path is None:
        return target
    given = (Path.cwd() / path).resolve()
    place = given if given.is_file() else _found(path, store) or given
    for root in _roots(store):
        if place.is_relative_to(root):
            return f"{place.relative_to(root).as_posix()}:{name}"
    return canonical(f"{place}:{name}")


def findable(name: str, store: Store) -> str:
    """A name of a snapshot's target as it is found from the current folder; as it is where there is no such file."""
    path, rest = _split(name)
    found = None if path is None else _found(path, store)
    return name if found is None else f"{found}:{rest}"


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


def _found(path: str, store: Store) -> Path | None:
    return next((root / path for root in _roots(store) if (root / path).is_file()), None)


def _roots(store: Store) -> Iterator[Path]:
    """The project of the current folder, and that which the store lies in."""
    yield project_root().resolve()
    folder = store.directory.resolve()
    yield from (one for one in folder.parents if (one / "pyproject.toml").is_file())
