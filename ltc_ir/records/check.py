"""The record of a check: per program its status against the snapshot, what changed and where, and which rules broke."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from ltc_ir.errors import worst
from ltc_ir.records.figures import figure_of
from ltc_ir.records.shape import Natural, Number, Shape


class Status(StrEnum):
    """How a program stands to its snapshot, worst last within each exit code (see `EXIT`)."""

    MATCH = "match"
    SHRUNK = "shrunk"
    MOVED = "moved"
    CHANGED = "changed"
    GROWN = "grown"
    DRIFT = "drift"
    UNSTABLE = "unstable"
    MISSING = "missing"
    NOT_COMPARABLE = "not-comparable"
    DAMAGED = "damaged"
    ERROR = "error"


NOTED = frozenset({Status.SHRUNK, Status.MOVED, Status.CHANGED})
"""What passes with a note to record it, and fails with ``--strict``."""

_EXIT = {
    Status.DAMAGED: 2,
    Status.GROWN: 1,
    Status.DRIFT: 1,
    Status.UNSTABLE: 1,
    Status.MISSING: 3,
    Status.NOT_COMPARABLE: 3,
}


@dataclass(frozen=True)
class CheckChange:
    """One figure that differs from its snapshot, or breaks a rule.

    ``metric`` is an operation's name, or ``total``, ``lines``, ``constants.bytes``, ``types.f64``, ``fingerprint``.
    ``baseline`` and ``current`` are its figures over the whole level; ``None`` where there is none. ``phase`` and
    ``function`` are those where most of it is; ``sources`` the live lines there, largest first, at most three. ``rule`` is
    what it breaks, as written, with ``where`` that stands; ``None`` for what breaks nothing. ``waived`` is a waiver's reason.
    ``words`` is the change as a sentence, where numbers do not tell it: of arguments, results and types.
    """

    metric: str
    level: str
    baseline: Number | None
    current: Number | None
    phase: str | None = None
    function: str | None = None
    sources: tuple[str, ...] = ()
    rule: str | None = None
    where: str | None = None
    waived: str | None = None
    words: str | None = None
    SHAPE: ClassVar = Shape(derived=("change", "fails"), optional=("words",))

    @property
    def change(self) -> float | None:
        """Current minus baseline; of a figure without baseline, all of it."""
        if self.current is None:
            return None
        return self.current - (self.baseline or 0)

    @property
    def grew(self) -> bool:
        """Whether it counts as growth: more of a figure, or less of one that should not fall; results by type do not count."""
        if self.current is None or self.baseline is None or self.metric.startswith("types."):
            return False
        figure = figure_of(self.metric)
        fell = figure is not None and figure.falls
        return self.current < self.baseline if fell else self.current > self.baseline

    @property
    def fails(self) -> bool:
        """Whether it breaks a rule that nobody waived."""
        return self.rule is not None and self.waived is None


@dataclass(frozen=True)
class Problem:
    """What is wrong with the rules themselves: vacuous (2), or a waiver that expired or waived nothing (1)."""

    message: str
    hint: str
    code: int


@dataclass(frozen=True)
class ProgramCheck:
    """One program held against its snapshot and the rules.

    ``changes`` stand worst first. ``totals`` are the level totals on both sides, for a headline. ``reason`` says why there
    is nothing to compare, or what failed; ``code`` is the exit code of an error. ``accept`` is the command that records the
    present state, ``file`` the snapshot's path. ``notes`` say what a reader must know (``not held: unstable``). ``unjudged``
    are the rules that could not be judged on it, each with why. ``outdated`` says that its file does not hold all that is
    compared today.
    """

    target: str
    program: str
    status: Status
    changes: tuple[CheckChange, ...] = ()
    totals: Mapping[str, tuple[Natural | None, Natural]] = field(default_factory=dict)
    file: str | None = None
    reason: str | None = None
    accept: str | None = None
    notes: tuple[str, ...] = ()
    code: int | None = None
    unjudged: tuple[Problem, ...] = ()
    outdated: bool = False
    SHAPE: ClassVar = Shape(optional=("unjudged", "outdated"))

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With both sides of a total by name, and the exit code, strictness apart."""
        totals = {level: {"baseline": before, "current": after} for level, (before, after) in self.totals.items()}
        return data | {"totals": totals, "exit_code": self.exit_code()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """The inverse."""
        totals = {level: [sides["baseline"], sides["current"]] for level, sides in data.get("totals", {}).items()}
        data.pop("exit_code", None)
        return data | {"totals": totals}

    @property
    def broken(self) -> bool:
        """Whether a rule that nobody waived is broken, growth apart."""
        return any(change.fails for change in self.changes)

    def exit_code(self, strict: bool = False) -> int:
        """The exit code of this program alone."""
        codes = [_EXIT.get(self.status, 0) if self.code is None else self.code]
        codes += [1] if self.broken or (strict and (self.status in NOTED or self.outdated)) else []
        return worst([*codes, *(problem.code for problem in self.unjudged)])


@dataclass(frozen=True)
class Check:
    """Everything one check looked at. ``unchecked`` says what was not checked, with the reason.

    ``notes`` are what a reader must know of rules that hold, such as that a name in one was met nowhere.
    """

    checks: tuple[ProgramCheck, ...]
    problems: tuple[Problem, ...] = ()
    unchecked: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    notes: tuple[Problem, ...] = ()
    kind: str = "check"
    SHAPE: ClassVar = Shape(derived=("exit_code",), optional=("notes",))

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With each program's exit code as strict as the check was."""
        for row, check in zip(data["checks"], self.checks, strict=True):
            row["exit_code"] = check.exit_code(self.strict)
        return data

    @property
    def exit_code(self) -> int:
        """The exit code of them all; 3 where nothing was there to check."""
        codes = [check.exit_code(self.strict) for check in self.checks]
        codes += [problem.code for problem in self.problems]
        return worst(codes) if codes else 3


class Action(StrEnum):
    """What an update did with one program's file."""

    NEW = "new"
    STARTED = "started"
    UPDATED = "updated"
    KEPT = "kept"
    REFUSED = "refused"
    ERROR = "error"


@dataclass(frozen=True)
class Written:
    """One program's file in an update.

    ``started`` is a first snapshot of this JAX made beside that of the nearest other one, whose differences ``check`` shows;
    ``refused`` a growth that nobody accepted. ``unstable`` names facts that two captures disagreed on: not written.
    """

    target: str
    program: str
    action: Action
    file: str | None = None
    check: ProgramCheck | None = None
    unstable: tuple[str, ...] = ()
    reason: str | None = None
    code: int | None = None
    SHAPE: ClassVar = Shape(derived=("exit_code",))

    @property
    def exit_code(self) -> int:
        """The exit code of this program alone: 1 for what was refused or is unstable."""
        if self.code is not None:
            return self.code
        return 1 if self.action is Action.REFUSED or self.unstable else 0


@dataclass(frozen=True)
class Update:
    """Everything one update did. ``unavailable`` names programs that could not be made, each with its reason."""

    written: tuple[Written, ...]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    kind: str = "update"
    SHAPE: ClassVar = Shape(derived=("exit_code",))

    @property
    def exit_code(self) -> int:
        """The exit code of them all; 3 where nothing was there to record."""
        return worst(one.exit_code for one in self.written) if self.written else 3
