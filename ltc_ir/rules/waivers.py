"""Growth that is tolerated for a while: which operation, why and until when; what expired or waives nothing is said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.check import CheckChange, Problem, ProgramCheck, Status
from ltc_ir.rules.evaluate import Complete, covers

_KEYS = ("op", "reason", "until", "targets")
_UNTOLD = frozenset({Status.MISSING, Status.NOT_COMPARABLE, Status.ERROR})
_EXAMPLE = 'write {op = "dot_general", reason = "why", until = 2027-01-31}'


@dataclass(frozen=True)
class Waiver:
    """One operation, or figure, that may break rules up to and on a day.

    ``op`` has a dialect or none; ``targets`` are those it speaks of, all where it is empty.
    """

    op: str
    reason: str
    until: date
    targets: tuple[str, ...] = ()
    where: str = "pyproject.toml"

    def waives(self, change: CheckChange, target: str) -> bool:
        """Whether it speaks of what changed."""
        wanted, found = _plain(self.op), _plain(change.metric.removesuffix(".bytes"))
        named = wanted in {found, found.rpartition(".")[2], _plain(change.metric)}
        return named and (not self.targets or target in self.targets)


def parse_waiver(entry: Any, *, where: str = "pyproject.toml") -> Waiver:
    """The waiver of one table.

    Raises:
        UsageError: it has an unknown key, lacks one, or one has the wrong type.
    """
    if not isinstance(entry, Mapping):
        raise UsageError(f"{where}: the waiver {entry!r} is no table", _EXAMPLE)
    for key in entry:
        if key not in _KEYS:
            raise UsageError(f"{where}: a waiver has an unknown key {key!r}", f"keys are {', '.join(_KEYS)}")
    for key in ("op", "reason", "until"):
        if key not in entry:
            raise UsageError(f"{where}: a waiver has no {key}", _EXAMPLE)
    for key in ("op", "reason"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise UsageError(f"{where}: a waiver has {key} = {entry[key]!r}", _EXAMPLE)
    targets = entry.get("targets", [])
    if not isinstance(targets, list | tuple) or not all(isinstance(name, str) for name in targets):
        raise UsageError(f"{where}: the waiver for {entry['op']} has targets = {targets!r}", 'write targets = ["ltc"]')
    return Waiver(entry["op"].strip(), entry["reason"].strip(), _day(entry, where), tuple(targets), where)


def apply(
    changes: Iterable[CheckChange], waivers: Collection[Waiver], target: str, *, today: date | None = None
) -> tuple[CheckChange, ...]:
    """The changes, those that fail and are waived with the waiver's reason."""
    now = today or date.today()
    valid = [waiver for waiver in waivers if now <= waiver.until]
    return tuple(_applied(change, valid, target) for change in changes)


def problems(
    waivers: Iterable[Waiver], checks: Collection[ProgramCheck], *, today: date | None = None, complete: Complete = True
) -> tuple[Problem, ...]:
    """What is wrong with waivers: expired, or unused where all they speak of was held against a snapshot."""
    now = today or date.today()
    found = []
    for waiver in waivers:
        if now > waiver.until:
            message = f"{waiver.where}: the waiver for {waiver.op} expired on {waiver.until.isoformat()}"
            found.append(Problem(message, "take it out, or give it a later date and a reason", 1))
        elif covers(complete, waiver.targets) and not _could_be_used(waiver, checks):
            message = f"{waiver.where}: the waiver for {waiver.op} waives nothing"
            found.append(Problem(message, "take it out: what it spoke of holds", 1))
    return tuple(found)


def _applied(change: CheckChange, waivers: Iterable[Waiver], target: str) -> CheckChange:
    if not change.fails:
        return change
    reason = next((waiver.reason for waiver in waivers if waiver.waives(change, target)), None)
    return replace(change, waived=reason)


def _could_be_used(waiver: Waiver, checks: Iterable[ProgramCheck]) -> bool:
    """Whether it waives something, or a program it speaks of had no snapshot to grow from."""
    mine = [check for check in checks if not waiver.targets or check.target in waiver.targets]
    return any(
        check.status in _UNTOLD
        or any(change.waived is not None and waiver.waives(change, check.target) for change in check.changes)
        for check in mine
    )


def _day(entry: Mapping[str, Any], where: str) -> date:
    given = entry.get("until")
    if isinstance(given, datetime):
        return given.date()
    if isinstance(given, date):
        return given
    try:
        return date.fromisoformat(given) if isinstance(given, str) else _no_day(entry, where)
    except ValueError:
        return _no_day(entry, where)


def _no_day(entry: Mapping[str, Any], where: str) -> date:
    raise UsageError(f"{where}: the waiver for {entry['op']} has until = {entry.get('until')!r}", _EXAMPLE)


def _plain(name: str) -> str:
    return name.replace("-", "_")
