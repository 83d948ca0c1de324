"""The verbs of the guard: check, update, list, show and prune set live programs against the files of a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ltc_ir.errors import NOTES, LimitError, LtcIrError, UsageError
from ltc_ir.files import names_stored_file
from ltc_ir.records.check import Check, Problem, ProgramCheck, Status, Update, Written
from ltc_ir.records.op_table import ProgramTables
from ltc_ir.records.request import Options, Request, listed
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.rules.check import Case, check_all
from ltc_ir.rules.evaluate import judge, settle_notes
from ltc_ir.rules.grammar import Complete, Rule, parse_rule
from ltc_ir.rules.names import levels_of, needs_detail
from ltc_ir.snapshots.apart import SurveyApart, look_apart
from ltc_ir.snapshots.batches import How, Workers, how_to_run
from ltc_ir.snapshots.blame import with_commit
from ltc_ir.snapshots.capture import CHILD_LIMIT, capture, capture_request_here
from ltc_ir.snapshots.project import GIVEN, Guard, guard_of, under_ci
from ltc_ir.snapshots.survey import (
    Again,
    Progress,
    Survey,
    capture_cases_again,
    confirm_cases,
    is_wide,
    look_here,
    missing_reason,
    reason_to_prune,
    select_targets,
    snapshots_of_tests,
    without_verdict,
)
from ltc_ir.snapshots.update import record, recorded, unwritten


def judge_rules(target: Any, rules: Sequence[str], request: Request, *, strict: bool = False) -> Check:
    """Judge rules on a target's programs, or on a stored file; there is no snapshot, so steps are errors.

    Args:
        target: a name, a stored file, or a Target.
        rules: invariants in the rule language.
        request: the programs, the options of a target found by name, the platform and the width.
        strict: let a rule fail whose filter met nothing.

    Raises:
        UsageError: a rule that cannot be read, or no such target. TargetError: the function failed.
    """
    parsed = [parse_rule(text) for text in rules]
    left_out: dict[str, str] = {}
    if isinstance(target, str) and names_stored_file(target):
        from ltc_ir.tables.from_file import tables_stored

        stored = tables_stored(target)
        programs = {stored.program: stored}
    else:
        from ltc_ir.targets import prepare

        with prepare.configured(request.x64):
            programs, left_out = _live(prepare.resolve(target, None, request.options), parsed, request)
    judgement = judge(parsed, programs, complete=request.programs is None)
    checks = [
        ProgramCheck(
            tables.target,
            tables.program,
            Status.MATCH,
            judgement.changes[name],
            unjudged=judgement.unjudged.get(name, ()),
        )
        for name, tables in programs.items()
    ]
    problems, notes = settle_notes(judgement, strict=strict)
    return Check(tuple(checks), problems, left_out, strict, notes)


def unmatched_rules(
    rules: Iterable[Rule], programs: Collection[ProgramTables], failed: Collection[ProgramCheck]
) -> tuple[Problem, ...]:
    """The rules given for this run alone that speak of none of its programs, whichever were asked for."""
    names = [(tables.target, tables.program) for tables in programs] + [
        (check.target, check.program) for check in failed
    ]
    unmet = [rule for rule in rules if rule.where == GIVEN and not any(rule.applies_to(*name) for name in names)]
    return judge(unmet, dict(enumerate(programs)), complete=True).problems


def _live(target: Any, rules: Sequence[Rule], request: Request) -> tuple[dict[str, ProgramTables], dict[str, str]]:
    """The programs of a target, and why one that nobody asked for could not be made."""
    from ltc_ir.targets import prepare

    captured = capture_request_here(request.platform, hlo="hlo" in levels_of(rules), details=needs_detail(rules))
    programs: dict[str, ProgramTables] = {}
    named = {rule.selector.program for rule in rules if rule.selector.program}
    attempts = prepare.Attempts(target, request.programs, needed=named)
    for program in attempts.names:
        with attempts.making(program):
            programs[program] = capture(target, program, captured).tables
    return programs, {f"{target.name} {program}": why for program, why in attempts.unavailable.items()}


def check(
    targets: Sequence[Any] = (),
    *,
    programs: Sequence[str] | None = None,
    directory: str | None = None,
    rules: Sequence[str] = (),
    strict: bool = False,
    hlo: bool = False,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
    jobs: int | None = None,
    timeout_s: float = CHILD_LIMIT,
    progress: Progress | None = None,
) -> Check:
    """Hold programs against their snapshots and the rules; writes nothing, ever.

    Args:
        targets: names, or Targets; where none, those that pyproject.toml names, else all that have snapshots.
        programs: the programs to check; all that a target has where ``None``.
        directory: the folder of the snapshots; that of pyproject.toml where ``None``.
        rules: rules besides the project's own.
        strict: let what has shrunk, moved or changed fail too.
        hlo: look at optimised HLO too; it is compared only where jaxlib and device are the recorded ones, and gates nothing.
        options: what else is said about a target found by name.
        platform: what to lower for; cpu where ``None``, whatever the machine.
        x64: enable or disable 64-bit types; as configured where ``None``.
        jobs: run targets in so many worker processes at a time, which they may end or change as they like; in this process
            where ``None``, and where a Target is given, which no other process can find.
        timeout_s: seconds that one program may take in a worker.
        progress: told what is at work.

    Raises:
        UsageError: nothing to check, or a rule, a waiver or pyproject.toml that cannot be read.
    """
    targets = listed(targets)
    guarding = partial(guard_of, directory, rules, hlo=hlo)
    asked = _Asked(targets, programs, options, platform, x64, how_to_run(targets, jobs, timeout_s), progress)
    found = _checked_here(asked, guarding) if asked.how is None else _checked_apart(asked, guarding)
    guard, cases = found.guard, found.cases
    unchecked = dict(found.unchecked) | ({} if targets else snapshots_of_tests(guard.store))
    complete: bool | Collection[str] = (not targets or found.names) if programs is None else False
    if found.judged is None:
        made = check_all(
            cases, guard.rules, guard.waivers, complete=complete, strict=strict, unchecked=unchecked,
            failed=[(item.target, item.program) for item in found.failed],
        )  # fmt: skip
    else:
        made = found.judged(complete, strict, unchecked)
    checks = [_with_command(item, guard, found.built) for item in made.checks]
    unmet = unmatched_rules(guard.rules, found.tables or [case.tables for case in cases], found.failed)
    problems = tuple(dict.fromkeys([*made.problems, *unmet]))
    checks += found.failed
    checks += found.without_verdict([(check.target, check.program) for check in checks])
    return replace(made, checks=tuple(map(found.with_notes, checks)), problems=problems)


@dataclass(frozen=True)
class _Asked:
    """What a verb was asked for, and how to run it; ``how`` is ``None`` for this process."""

    targets: Sequence[Any]
    programs: Sequence[str] | None
    options: Options | None
    platform: str | None
    x64: bool | None
    how: How | None
    progress: Progress | None

    def request(self, wide: bool) -> Request:
        """The request; 64-bit types that are on without being asked for are named too: a command to be pasted must say so."""
        width = (wide or None) if self.x64 is None else self.x64
        return Request(tuple(listed(self.programs)) or None, options=self.options, platform=self.platform, x64=width)

    def guard(self, guarding: Callable[..., Guard], workers: Workers | None = None) -> Guard:
        """What programs are held against; what is wrong with that is said before workers are there."""
        if workers is None:
            return guarding(request=self.request(is_wide()))
        guard = guarding(request=self.request(False))
        wide = self.x64 is None and workers.hello()["x64"]
        return guarding(request=self.request(True)) if wide else guard


@dataclass(frozen=True)
class _Found:
    """What a look at targets gave: programs to judge with the rules, or judged, and what failed or was left out."""

    guard: Guard
    names: Sequence[str]
    cases: Sequence[Case]
    failed: Sequence[ProgramCheck]
    unchecked: Mapping[str, str]
    without_verdict: Callable[[Collection[tuple[str, str]]], list[ProgramCheck]]
    judged: Callable[[Complete, bool, Mapping[str, str]], Check] | None = None
    tables: Collection[ProgramTables] = ()
    built: Collection[str] = ()
    traced: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def with_notes(self, check: ProgramCheck) -> ProgramCheck:
        """A check with what tracing its program changed for others, if it did."""
        note = self.traced.get((check.target, check.program))
        return check if note is None else replace(check, notes=(*check.notes, note))


def _checked_here(asked: _Asked, guarding: Callable[..., Guard]) -> _Found:
    """The programs of targets, run in this process."""
    from ltc_ir.targets import prepare

    guard = asked.guard(guarding)
    with prepare.configured(asked.x64):
        survey = Survey(guard, asked.progress)
        named = select_targets(asked.targets, guard)
        for target in named:
            survey.at(target)
        cases = confirm_cases(survey)
    names = [guard.store.name_of(item) for item in named]
    lost = partial(without_verdict, names, {}, unchecked=survey.unchecked)
    return _Found(guard, names, cases, survey.failed, survey.unchecked, lost, built=survey.built)


def _checked_apart(asked: _Asked, guarding: Callable[..., Guard]) -> _Found:
    """The programs of targets, run in workers, and judged as soon as each is there."""
    assert asked.how is not None
    with Workers(asked.how) as workers:
        guard = asked.guard(guarding, workers)
        survey = SurveyApart(guard, select_targets(asked.targets, guard), asked.how, asked.progress)
        survey.check(workers)
    NOTES.update(survey.notes)
    return replace(_found_apart(survey, ()), judged=survey.judged, tables=survey.judging.kept.values())


def _found_apart(survey: SurveyApart, cases: Sequence[Case]) -> _Found:
    names = [one.name for one in survey.asked]
    return _Found(
        survey.guard, names, cases, survey.failures(), survey.unchecked, survey.without_verdict,
        traced={(names[number], program): words for (number, program), words in survey.traced.items()},
    )  # fmt: skip


def _with_command(check: ProgramCheck, guard: Guard, built: Collection[str]) -> ProgramCheck:
    """A program's check with the command that accepts it and, where a snapshot is missing, which others there are."""
    check = with_commit(check)
    if check.status is Status.MATCH:
        return check
    # what a rule permits or a waiver tolerates needs a reason to be recorded too
    grown = check.status is not Status.UNSTABLE and any(change.grew for change in check.changes)
    completed = replace(check, accept=guard.accept(check.target, check.program, grown, built=check.target in built))
    if check.status is not Status.MISSING:
        return completed
    return replace(completed, reason=missing_reason(check, guard.store)[0])


def update(
    targets: Sequence[Any] = (),
    *,
    programs: Sequence[str] | None = None,
    directory: str | None = None,
    accept_growth: str | None = None,
    in_ci: bool = False,
    hlo: bool = False,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
    jobs: int | None = None,
    timeout_s: float = CHILD_LIMIT,
    progress: Progress | None = None,
) -> Update:
    """Record programs: new, shrunk and moved facts as they are, grown ones only with a reason.

    Everything is captured twice, the second time in a process with another hash seed and the opposite order; what the two
    disagree on is not written. Nothing that was not selected is touched, and nothing is deleted.

    Args:
        targets: as for `check`, and so are the arguments not named here.
        programs: the programs to record; all that a target has where ``None``.
        directory: the folder of the snapshots.
        accept_growth: why growth is accepted; kept in the file.
        in_ci: write although the environment says ``CI``.
        hlo: keep facts of optimised HLO too.
        options: what else is said about a target found by name.
        platform: what to lower for.
        x64: enable or disable 64-bit types.
        jobs: how many workers; in this process where ``None``.
        timeout_s: seconds that one program may take in a worker.
        progress: told what is at work.

    Raises:
        UsageError: nothing to record, an empty reason, or a CI run without ``in_ci``.
    """
    if under_ci() and not in_ci:
        raise UsageError(
            "refusing to update snapshots because the CI environment variable is set",
            "update where you work and commit; or add --ci",
        )
    if accept_growth is not None and not accept_growth.strip():
        raise UsageError("--accept-growth has no reason", 'say why, as in --accept-growth "wider hidden layer"')
    targets = listed(targets)
    guarding = partial(guard_of, directory, hlo=hlo)
    asked = _Asked(targets, programs, options, platform, x64, how_to_run(targets, jobs, timeout_s), progress)
    found, again = _captured_here(asked, guarding) if asked.how is None else _captured_apart(asked, guarding)
    for (target, program), words in found.traced.items():
        NOTES[f"{target} {program}: {words}"] = None
    written = [*_recorded(found, again, accept_growth), *map(recorded, found.failed)]
    written += map(recorded, found.without_verdict([(one.target, one.program) for one in written]))
    unavailable = {name: why for name, why in found.unchecked.items() if "snapshot prune" not in why}
    return Update(tuple(written), unavailable)


_Second = Mapping[tuple[str, str], Again]
"""The second captures, by target and program."""


def _captured_here(asked: _Asked, guarding: Callable[..., Guard]) -> tuple[_Found, _Second]:
    """The programs of targets, captured in this process, and a second time in another."""
    from ltc_ir.targets import prepare

    guard = asked.guard(guarding)
    with prepare.configured(asked.x64):
        survey = Survey(guard, asked.progress, clear=True)
        named = select_targets(asked.targets, guard, "record")
        for target in named:
            survey.at(target)
        if asked.progress is not None and survey.cases:
            asked.progress("capturing all a second time")
        again = capture_cases_again(survey, survey.cases)
    names = [guard.store.name_of(item) for item in named]
    lost = partial(without_verdict, names, {}, unchecked=survey.unchecked)
    return _Found(guard, names, survey.cases, survey.failed, survey.unchecked, lost, built=survey.built), again


def _captured_apart(asked: _Asked, guarding: Callable[..., Guard]) -> tuple[_Found, _Second]:
    """The programs of targets, captured in workers, and a second time in others."""
    assert asked.how is not None
    with Workers(asked.how) as workers:
        guard = asked.guard(guarding, workers)
        survey = SurveyApart(guard, select_targets(asked.targets, guard, "record"), asked.how, asked.progress)
        survey.capture(workers)
    if asked.progress is not None and survey.cases:
        asked.progress("capturing all a second time")
    places = survey.ordered(survey.cases)
    again = survey.capture_again(places)
    NOTES.update(survey.notes)
    found = _found_apart(survey, [survey.cases[place] for place in places])
    return found, {(survey.asked[number].name, program): second for (number, program), second in again.items()}


_NO_SECOND = LimitError("it gave no verdict", "try the target by itself")


def _recorded(found: _Found, second: _Second, reason: str | None) -> list[Written]:
    """Write what is to be written, file by file, with the store locked: what lies there is read again."""
    outcomes = []
    guard = found.guard
    with guard.store.lock():
        guard.store.sweep()
        for case in found.cases:
            key = (case.current.target, case.current.program)
            accept = guard.accept(*key, True, built=key[0] in found.built)
            written, snapshot = record(guard.store, case, second.get(key, _NO_SECOND), reason, accept)
            try:
                if snapshot is not None:
                    guard.store.write(snapshot)
            except LtcIrError as error:
                written = unwritten(written, error)
            outcomes.append(written)
    return outcomes


@dataclass(frozen=True)
class Stored:
    """One file of a store as a listing shows it: what it is of, its totals by level, how it was captured; or what is wrong."""

    target: str
    program: str
    jax: str
    platform: str
    x64: bool
    file: str
    totals: Mapping[str, int] = field(default_factory=dict)
    captured: str = ""
    accepted: int = 0
    problem: str | None = None


def listing(targets: Sequence[str] = (), *, directory: str | None = None) -> list[Stored]:
    """The files of a store, in the order of their paths; of these targets only, where some are named."""
    store = guard_of(directory).store
    return [_stored(path, snapshot) for path, snapshot in store.find([store.name_of(name) for name in listed(targets)])]


def _stored(path: Path, snapshot: Snapshot | LtcIrError) -> Stored:
    if isinstance(snapshot, LtcIrError):
        return Stored("", "", "", "", False, path.as_posix(), problem=snapshot.message)
    totals = {level: facts.total for level, facts in snapshot.levels.items()}
    who = snapshot.identity
    return Stored(
        snapshot.target,
        snapshot.program,
        who.jax,
        who.platform,
        who.x64,
        path.as_posix(),
        totals,
        snapshot.captured,
        len(snapshot.accepted),
    )


def show(
    targets: Sequence[str] = (), *, programs: Sequence[str] | None = None, directory: str | None = None
) -> list[Snapshot]:
    """The snapshots of these targets and programs, read whole.

    Raises:
        UsageError: there are none, or one of them cannot be read.
    """
    store = guard_of(directory).store
    snapshots = []
    for _, snapshot in store.find([store.name_of(name) for name in listed(targets)]):
        if isinstance(snapshot, LtcIrError):
            raise snapshot
        if programs is None or snapshot.program in listed(programs):
            snapshots.append(snapshot)
    if not snapshots:
        what = ", ".join([*targets, *(programs or ())]) or "anything"
        raise UsageError(
            f"{store.directory.as_posix()} has no snapshot of {what}", "ltc-ir snapshot list shows those there are"
        )
    return snapshots


@dataclass(frozen=True)
class Pruned:
    """A file that a prune removes, or would: why it is of no more use.

    Or one that it keeps though it cannot tell: why not, with the exit ``code`` of that.
    """

    file: str
    reason: str
    removed: bool
    code: int | None = None


def prune(
    targets: Sequence[str] = (),
    *,
    directory: str | None = None,
    write: bool = False,
    jobs: int | None = None,
    timeout_s: float = CHILD_LIMIT,
) -> list[Pruned]:
    """The files whose target or program is gone, removed only where ``write``; and those whose target cannot be looked at.

    Args:
        targets: those whose files are looked at; all where there are none.
        directory: the folder of the snapshots.
        write: remove the files.
        jobs: import targets in so many worker processes; in this one where ``None``.
        timeout_s: seconds that the import of one may take in a worker.
    """
    store = guard_of(directory).store
    files = list(store.find([store.name_of(name) for name in listed(targets)]))
    how = how_to_run((), jobs, timeout_s)
    look = look_here(store) if how is None else look_apart(store, [snapshot for _, snapshot in files], how)
    pruned = []
    for path, snapshot in files:
        reason = reason_to_prune(snapshot, look)
        if isinstance(reason, LtcIrError):
            pruned.append(Pruned(path.as_posix(), f"kept: {reason.message}", False, reason.exit_code))
        elif reason is not None:
            if write:
                store.remove(path)
            pruned.append(Pruned(path.as_posix(), reason, write))
    return pruned


__all__ = ["Pruned", "Stored", "check", "judge_rules", "listing", "prune", "show", "update"]
