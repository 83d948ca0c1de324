"""Checks a function in the process of a test: caches are cleared only where something differs, and nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ltc_ir.errors import LtcIrError, TargetError, UsageError
from ltc_ir.escape import quote
from ltc_ir.records.check import Action, Check, ProgramCheck, Status
from ltc_ir.records.request import Request
from ltc_ir.records.snapshot_toml import dumps
from ltc_ir.records.vocabulary import Level
from ltc_ir.render.words.check import PROBLEM, counted_as, message, verdict
from ltc_ir.rules.check import Case, check_all
from ltc_ir.rules.grammar import parse_rule
from ltc_ir.rules.names import levels_of, needs_detail
from ltc_ir.snapshots.capture import Captured, capture, capture_request
from ltc_ir.snapshots.naming import slug
from ltc_ir.snapshots.project import Guard, guard_of
from ltc_ir.snapshots.survey import TEST, case_of, differs, is_red, missing_reason, recorded_programs, resolve_named
from ltc_ir.snapshots.update import record
from ltc_ir.targets import prepare
from ltc_ir.targets.derive import program_names
from ltc_ir.targets.prepare import refuse_options

SKIPPED = "skipped"
"""The status of a program whose snapshots are all of other JAX versions, platforms or widths."""


@dataclass(frozen=True)
class Update:
    """That files are to be updated, and why growth is accepted, if it is."""

    reason: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a test learnt of one program: its status or what is to be done with its file, and why it fails, if it does.

    ``text`` is what the file is to hold, where it is to be written; ``failure`` is empty where the program passes.
    """

    target: str
    program: str
    file: str
    status: str
    failure: tuple[str, ...] = ()
    note: str | None = None
    text: str | None = None


def check_in_test(
    subject: Any,
    args: tuple[Any, ...] | None,
    rules: Sequence[str],
    *,
    test: str,
    nodeid: str,
    request: Request,
    directory: str | None = None,
    update: Update | None = None,
) -> list[Outcome]:
    """Hold a function of a test, or a target by name, against its snapshots and rules.

    Args:
        subject: a function, a Target, or a target's name.
        args: the example arguments of a function.
        rules: rules of this test besides those of the project.
        test: the name that a function's snapshots bear: the test's path and name.
        nodeid: the test itself, as pytest is told to run it.
        request: the programs (where ``None`` ``forward`` of a function, all that a name has), the options of a target found
            by name, the platform (the CPU where ``None``) and the width.
        directory: the folder of the snapshots; that of pyproject.toml where ``None``.
        update: record instead of comparing; nothing is written here, the texts are in the outcomes.

    Raises:
        UsageError: bad input. TargetError: the function failed.
    """
    if isinstance(args, str):
        raise UsageError(f"args is the rule {args!r}", 'rules come third: check_ir("ltc", None, "while = 0")')
    refuse_options(subject, request.options)
    guard = guard_of(directory, request=request)
    if isinstance(subject, str):
        target = resolve_named(subject, guard.store, request.options)
    else:
        target = replace(prepare.resolve(subject, args), name=test)
    where = nodeid.partition(TEST)[0]
    own = [parse_rule(text, where=where, targets=(str(target.name),)) for text in rules]
    guard = replace(guard, rules=(*guard.rules, *own))
    hlo = Level.HLO in guard.request.read_levels or "hlo" in levels_of(own)
    captured = capture_request(request.platform, hlo=hlo, details=needs_detail(guard.rules), x64=request.x64)
    with prepare.configured(request.x64):
        label = str(target.name) if isinstance(subject, str) else prepare.resolve(subject, args).name or "target"
        test_check = _TestCheck(replace(guard, request=captured), target, label, nodeid, directory, update)
        return test_check.outcomes(request.programs, test_check.programs(subject))


@dataclass
class _TestCheck:
    """One call of the fixture: the target, how messages call it, the test, and where and whether to record."""

    guard: Guard
    target: Any
    shown: str
    nodeid: str
    directory: str | None
    update: Update | None

    def programs(self, subject: Any) -> Sequence[str]:
        """The programs to look at where none are named."""
        return program_names(self.target) if isinstance(subject, str) else ("forward",)

    def outcomes(self, requested: Sequence[str] | None, default: Sequence[str]) -> list[Outcome]:
        """What is to be said of each program; the rules are judged on all of them together."""
        cases = [
            self.capture_case(program) for program in requested or default if requested or self.can_be_made(program)
        ]
        if self.update is None:
            return self.outcomes_of(self.check_cases(cases), cases)
        written = [self.update_case(case) for case in cases]
        ruled = self.outcomes_of(self.check_cases([replace(case, baseline=case.current) for case in cases]), cases)
        return [_with_rules(outcome, rule) for outcome, rule in zip(written, ruled, strict=True)]

    def can_be_made(self, program: str) -> bool:
        """Whether a target has a program that nobody asked for nor recorded: one without a scalar output has no gradient."""
        try:
            self.capture(program, clear=False)
        except (UsageError, TargetError):
            if program == "forward" or slug(program) in recorded_programs(self.guard.store, str(self.target.name)):
                raise
            return False
        return True

    def capture(self, program: str, clear: bool) -> Captured:
        """Capture a program, from cleared caches or with those that there are."""
        return capture(self.target, program, self.guard.request, clear=clear)

    def capture_case(self, program: str) -> Case:
        """A program beside its file; captured anew from cleared caches where it differs, for caches can colour a trace."""
        case = case_of(self.guard, self.capture(program, clear=False))
        if is_red(self.guard, case):
            case = case_of(self.guard, self.capture(program, clear=True))
        return replace(case, confirm=lambda: self.capture(program, clear=True).snapshot)

    def check_cases(self, cases: Sequence[Case]) -> Check:
        """The check of all programs of the test."""
        return check_all(cases, self.guard.rules, self.guard.waivers, complete=[str(self.target.name)])

    def outcomes_of(self, check: Check, cases: Sequence[Case]) -> list[Outcome]:
        """The outcomes of a check; what is wrong with the rules fails with the first program."""
        problems = [line for problem in check.problems for line in (problem.message, f"  {problem.hint}")]
        programs = [replace(program, unjudged=()) for program in check.checks]  # the problems say it, once
        outcomes = [self.outcome(program, case) for program, case in zip(programs, cases, strict=True)]
        if check.notes and outcomes and outcomes[0].note is None:
            outcomes[0] = replace(outcomes[0], note="; ".join(note.message for note in check.notes))
        if problems and outcomes:
            status = outcomes[0].status if outcomes[0].failure else PROBLEM
            outcomes[0] = replace(outcomes[0], failure=(*problems, *outcomes[0].failure), status=status)
        return outcomes

    def outcome(self, check: ProgramCheck, case: Case) -> Outcome:
        """What a check of one program means for its test."""
        others = False
        if check.status is Status.MISSING:
            reason, others = missing_reason(check, self.guard.store)
            check = replace(check, reason=reason)
        grown = check.status in {Status.GROWN, Status.DRIFT}
        check = replace(check, accept=self.command(check.program, grown) if check.status is not Status.MATCH else None)
        outcome = Outcome(check.target, check.program, case.file or "", verdict(check))
        if others and not check.broken:
            return replace(outcome, status=SKIPPED, note=check.reason)
        if check.exit_code():
            return replace(outcome, failure=self.words(check))
        return replace(outcome, note=self.words(check)[0] if check.status is not Status.MATCH else None)

    def words(self, check: ProgramCheck) -> tuple[str, ...]:
        """What is said of a program; the function is called by its own name, for pytest says in which test it is."""
        return tuple(message(replace(check, target=self.shown)))

    def command(self, program: str, grown: bool) -> str:
        """The command that records the present state."""
        if TEST not in str(self.target.name):
            return self.guard.accept(str(self.target.name), program, grown)
        words = [f"pytest {quote(self.nodeid)} --ir-update"]
        words += [] if self.directory is None else [f"--ir-dir {quote(self.directory)}"]
        return " ".join([*words, '--ir-accept-growth "why"'] if grown else words)

    def update_case(self, case: Case) -> Outcome:
        """What is to be written of one program; a file that says it already is left alone without a second trace."""
        program = case.current.program
        names = (case.current.target, program)
        if case.baseline is not None and not differs(case) and case.baseline.identity == case.current.identity:
            return Outcome(*names, case.file or "", Action.KEPT.value)
        first = case_of(self.guard, self.capture(program, clear=True))
        second = self.capture(program, clear=True).snapshot
        reason = None if self.update is None else self.update.reason
        written, snapshot = record(self.guard.store, first, second, reason, self.command(program, True))
        outcome = Outcome(*names, case.file or "", written.action.value)
        if written.exit_code and written.check is not None:
            return replace(outcome, failure=self.words(written.check))
        if written.exit_code:
            return replace(outcome, failure=(written.reason or f"unstable: {', '.join(written.unstable[:3])}",))
        return replace(outcome, text=None if snapshot is None else dumps(snapshot))


def _with_rules(written: Outcome, rule: Outcome) -> Outcome:
    """What was recorded of a program, and fails where its rules do."""
    if written.failure or not rule.failure:
        return written
    return replace(written, failure=rule.failure, status=f"{written.status} {counted_as(rule.status, 1)}")


def error_text(error: LtcIrError) -> str:
    """An error of ours as a test shows it."""
    return f"{error.message}\n  {error.hint}" if error.hint else error.message
