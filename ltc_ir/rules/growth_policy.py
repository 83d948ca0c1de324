"""Which growth fails: all of it, except what a step rule permits or a waiver tolerates for a while, and lines that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from ltc_ir.compare.diff import TableDiff
from ltc_ir.errors import NotComparableError, UsageError
from ltc_ir.records.check import CheckChange, Problem, ProgramCheck, Status
from ltc_ir.records.figures import takes_steps
from ltc_ir.records.op_table import ProgramTables
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.rules.grammar import Complete, Rule, covers, holds
from ltc_ir.rules.names import Meaning, plain_name
from ltc_ir.rules.value import measure_step

NO_GROWTH, DEFAULT = "no growth", "default"
"""The rule that growth breaks where nothing permits it, and where that rule is written."""

_KEYS = ("op", "reason", "until", "targets")
_NOT_COMPARED = frozenset({Status.MISSING, Status.NOT_COMPARABLE, Status.ERROR})
_EXAMPLE = 'write {op = "dot_general", reason = "why", until = 2027-01-31}'


@dataclass(frozen=True)
class Waiver:
    """One operation, or figure, that may break rules up to and on a day.

    ``op`` has a dialect or none; ``targets`` are those it applies to, all where it is empty.
    """

    op: str
    reason: str
    until: date
    targets: tuple[str, ...] = ()
    where: str = "pyproject.toml"

    def waives(self, change: CheckChange, target: str) -> bool:
        """Whether it tolerates this change."""
        wanted, metric = _underscored(self.op), _underscored(change.metric.removesuffix(".bytes"))
        named = wanted in {metric, metric.rpartition(".")[2], _underscored(change.metric)}
        return named and (not self.targets or target in self.targets)


def apply_growth_policy(
    changes: Iterable[CheckChange],
    diff: TableDiff | None,
    tables: ProgramTables,
    baseline: Snapshot,
    *,
    rules: Collection[Rule],
    waivers: Collection[Waiver],
    today: date | None = None,
) -> list[CheckChange]:
    """The changes of one level, those that grew without permission with the rule they break.

    Those of a signature have no diff of tables.

    A step rule that names its level permits growth there; one that names none permits it at each level where the step
    holds, as one operation more in a jaxpr is one more in StableHLO too. A `total` step permits any operation's growth.
    """
    steps = [rule for rule in rules if rule.kind == "step" and rule.applies_to(tables.target, tables.program)]
    judged = []
    for change in changes:
        if not change.grew or any(_permits(rule, change, diff, tables, baseline) for rule in steps):
            judged.append(change)
        else:
            judged.append(replace(change, rule=NO_GROWTH, where=DEFAULT))
    return _forgive_lines(apply_waivers(judged, waivers, tables.target, today=today))


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
    return Waiver(entry["op"].strip(), entry["reason"].strip(), _parse_day(entry, where), tuple(targets), where)


def apply_waivers(
    changes: Iterable[CheckChange], waivers: Collection[Waiver], target: str, *, today: date | None = None
) -> tuple[CheckChange, ...]:
    """The changes, those that fail and are waived with the waiver's reason."""
    now = today or date.today()
    valid = [waiver for waiver in waivers if now <= waiver.until]
    return tuple(_apply_waivers(change, valid, target) for change in changes)


def find_waiver_problems(
    waivers: Iterable[Waiver], checks: Collection[ProgramCheck], *, today: date | None = None, complete: Complete = True
) -> tuple[Problem, ...]:
    """Waivers that have expired, or that are unused although all they apply to was compared with a snapshot."""
    now = today or date.today()
    problems = []
    for waiver in waivers:
        if now > waiver.until:
            message = f"{waiver.where}: the waiver for {waiver.op} expired on {waiver.until.isoformat()}"
            problems.append(Problem(message, "take it out, or give it a later date and a reason", 1))
        elif covers(complete, waiver.targets) and not _could_be_used(waiver, checks):
            message = f"{waiver.where}: the waiver for {waiver.op} waives nothing"
            problems.append(Problem(message, "take it out: what it spoke of holds", 1))
    return tuple(problems)


def _permits(
    rule: Rule, change: CheckChange, diff: TableDiff | None, tables: ProgramTables, baseline: Snapshot
) -> bool:
    selector = rule.selector
    if selector.level not in {None, change.level} or not _matches_change(rule, change):
        return False
    if selector.phase is not None and (diff is None or not _grew_within(selector.phase, change.metric, diff)):
        return False
    try:
        step = measure_step(selector, Meaning(change.level), tables, baseline)
    except (UsageError, NotComparableError):
        return False
    return holds(rule, step.after + step.unplaced, step.before)


def _matches_change(rule: Rule, change: CheckChange) -> bool:
    name = rule.selector.name
    if takes_steps(change.metric):
        return name == change.metric
    return name == "total" or plain_name(change.level, name) == plain_name(change.level, change.metric)


def _grew_within(phase: str, name: str, diff: TableDiff) -> bool:
    """Whether an operation grew in no other phase."""
    moves: Counter[str] = Counter()
    for op in diff.ops:
        if op.name == name:
            for (moved, _), move in op.moves.items():
                moves[moved] += move
    return all(move <= 0 for moved, move in moves.items() if moved != phase)


def _forgive_lines(changes: Iterable[CheckChange]) -> list[CheckChange]:
    """More lines follow from more operations: where all growth of those is permitted or waived, so is theirs."""
    changes = list(changes)
    grown = [change for change in changes if change.grew and not takes_steps(change.metric)]
    if not grown or any(change.fails for change in grown):
        return changes
    return [
        replace(change, rule=None, where=None) if change.metric == "lines" and change.rule == NO_GROWTH else change
        for change in changes
    ]


def _apply_waivers(change: CheckChange, waivers: Iterable[Waiver], target: str) -> CheckChange:
    if not change.fails:
        return change
    reason = next((waiver.reason for waiver in waivers if waiver.waives(change, target)), None)
    return replace(change, waived=reason)


def _could_be_used(waiver: Waiver, checks: Iterable[ProgramCheck]) -> bool:
    """Whether it waives something, or a program it applies to had no snapshot to grow from."""
    own = [check for check in checks if not waiver.targets or check.target in waiver.targets]
    return any(
        check.status in _NOT_COMPARED
        or any(change.waived is not None and waiver.waives(change, check.target) for change in check.changes)
        for check in own
    )


def _parse_day(entry: Mapping[str, Any], where: str) -> date:
    until = entry.get("until")
    if isinstance(until, datetime):
        return until.date()
    if isinstance(until, date):
        return until
    try:
        return date.fromisoformat(until) if isinstance(until, str) else _refuse_day(entry, where)
    except ValueError:
        return _refuse_day(entry, where)


def _refuse_day(entry: Mapping[str, Any], where: str) -> date:
    raise UsageError(f"{where}: the waiver for {entry['op']} has until = {entry.get('until')!r}", _EXAMPLE)


def _underscored(name: str) -> str:
    return name.replace("-", "_")
