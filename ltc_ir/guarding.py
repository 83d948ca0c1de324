"""The verbs of the guard: check, update, list, show, prune. They take an inventory of live programs and set it against files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ltc_ir.records.check import Check, Update
from ltc_ir.records.snapshot import Snapshot

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Stored:
    """One file of a store as a listing shows it: what it is of, whether this process could check it, how it was captured."""

    target: str
    program: str
    jax: str
    platform: str
    x64: bool
    file: str
    totals: Mapping[str, int] = field(default_factory=dict)
    captured: str = ""
    accepted: int = 0


def check(
    targets: Sequence[Any] = (),
    *,
    programs: Sequence[str] | None = None,
    directory: str | None = None,
    rules: Sequence[str] = (),
    strict: bool = False,
    hlo: bool = False,
    options: Any = None,
    platform: str | None = None,
    x64: bool | None = None,
    progress: Progress | None = None,
) -> Check:
    """Hold programs against their snapshots and the rules; writes nothing, ever."""
    raise NotImplementedError


def update(
    targets: Sequence[Any] = (),
    *,
    programs: Sequence[str] | None = None,
    directory: str | None = None,
    accept_growth: str | None = None,
    in_ci: bool = False,
    hlo: bool = False,
    options: Any = None,
    platform: str | None = None,
    x64: bool | None = None,
    progress: Progress | None = None,
) -> Update:
    """Record programs: new, shrunk and moved facts as they are, grown ones only with a reason."""
    raise NotImplementedError


def listing(targets: Sequence[str] = (), *, directory: str | None = None) -> list[Stored]:
    """The files of a store, in the order of their paths; of these targets only, where some are named."""
    raise NotImplementedError


def show(
    targets: Sequence[str] = (), *, programs: Sequence[str] | None = None, directory: str | None = None
) -> list[Snapshot]:
    """The snapshots of these targets and programs, read whole."""
    raise NotImplementedError


@dataclass(frozen=True)
class Pruned:
    """A file that a prune removes, or would: why it is of no more use."""

    file: str
    reason: str
    removed: bool


def prune(targets: Sequence[str] = (), *, directory: str | None = None, write: bool = False) -> list[Pruned]:
    """The files whose target or program is gone; removed only where ``write``."""
    raise NotImplementedError
