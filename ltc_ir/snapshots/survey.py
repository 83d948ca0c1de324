"""A survey of targets: each program captured and compared with its file, what failed, and which files have no more use."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ltc_ir import config
from ltc_ir.errors import DamagedError, LtcIrError, TargetError, UsageError
from ltc_ir.files import decode, names_stored_file, project_root, read_bytes
from ltc_ir.records.check import ProgramCheck, Status
from ltc_ir.records.request import Options
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.rules.check import Case, check_all, check_program
from ltc_ir.snapshots.capture import Captured, capture, capture_again
from ltc_ir.snapshots.naming import ENDING, jax_minor, slug
from ltc_ir.snapshots.project import Guard
from ltc_ir.snapshots.store import Store

Progress = Callable[[str], None]
Again = Snapshot | LtcIrError
"""What a second capture gave, or why there is none."""

GONE = "the target has no such program any more: ltc-ir snapshot prune"
"""Why a program that has a snapshot is not checked."""
TEST = "::"
"""What the name of a target met in a test has in it, and no other."""


def select_targets(targets: Sequence[Any], guard: Guard, verb: str = "check") -> list[Any]:
    """The targets to look at, in order and each once: those named, those of the project, or those of the store."""
    for target in targets:
        if isinstance(target, str) and names_stored_file(target):
            raise UsageError(
                f"snapshot {'check' if verb == 'check' else 'update'} needs a function to trace, not an IR file ({target})",
                "name the function, or compare the file: ltc-ir diff FILE TARGET",
            )
    if targets:
        by_name = {guard.store.name_of(each) if isinstance(each, str) else id(each): each for each in targets}
        return list(by_name.values())
    configured = config.guard().targets
    if configured:
        return [guard.store.findable(name) for name in configured]
    stored = [
        subject.target
        for _, subject in guard.store.all()
        if isinstance(subject, Snapshot) and TEST not in subject.target
    ]
    names = [guard.store.findable(name) for name in dict.fromkeys([*config.targets(), *stored])]
    if not names:
        where = guard.store.directory.as_posix()
        reason = f"{where} has snapshots of tests only" if guard.store.paths() else f"{where} has no snapshots"
        hint = "pytest -m ir checks them; or record a target: " if guard.store.paths() else "record one: "
        raise UsageError(f"nothing to {verb}: {reason} and no target is named", f"{hint}ltc-ir snapshot update TARGET")
    return names


def snapshots_of_tests(store: Store) -> dict[str, str]:
    """The snapshots that only a test run can check, for its functions have no name."""
    number = len(store.of_tests())
    if number == 1:
        return {"1 snapshot of a test": "pytest -m ir checks it"}
    return {f"{number} snapshots of tests": "pytest -m ir checks them"} if number else {}


def missing_reason(check: ProgramCheck, store: Store) -> tuple[str, bool]:
    """Why a program has nothing to be compared with, and whether it has snapshots for another JAX, platform or width."""
    own = slug(check.program)
    others = sorted(_variant(path.name) for path, file in store.files_of(check.target) if file.program == own)
    reason = f"no snapshot for JAX {_variant(Path(check.file).name)}" if check.file else check.reason or ""
    return f"{reason}; there are some for {', '.join(others)}" if others else reason, bool(others)


def _variant(file: str) -> str:
    """What tells the files of one program apart: ``0.10-tpu-x64``."""
    return file.partition("@")[2].removesuffix(ENDING)


def recorded_programs(store: Store, target: str, version: str | None = None) -> set[str]:
    """What the files of a target's programs for this JAX, or another version of it, are called."""
    if version is None:
        import jax

        version = jax.__version__
    minor = jax_minor(version)
    return {file.program for _, file in store.files_of(target) if file.jax == minor}


class Survey:
    """A look at targets: what there is to compare, what failed, and what could not be made.

    Unless ``clear``, caches are cleared only where a program differs or breaks a rule, before anything is said: a clear makes
    JAX trace anew what programs share.
    """

    def __init__(
        self,
        guard: Guard,
        progress: Progress | None,
        *,
        clear: bool = False,
    ) -> None:
        self.clear = clear
        self.guard = guard
        self.programs = guard.request.programs
        self.progress = progress
        self.cases: list[Case] = []
        self.red: set[int] = set()
        self.failed: list[ProgramCheck] = []
        self.unchecked: dict[str, str] = {}
        self.built: dict[str, Any] = {}
        """The Targets that were given as such: no other process can find those."""

    def at(self, target: Any) -> None:
        """Capture all programs of one target; one that fails is reported, and the others go on."""
        from ltc_ir.targets.derive import program_names

        name = self.guard.store.name_of(target)
        try:
            resolved = resolve_named(target, self.guard.store, self.guard.request.options)
            recorded = recorded_programs(self.guard.store, name)
        except LtcIrError as error:
            self.fail(name, "forward" if not self.programs else self.programs[0], error)
            return
        if not isinstance(target, str):
            self.built[name] = resolved
        programs = list(self.programs or program_names(resolved))
        for program in programs:
            self.program(resolved, program, recorded)
        for program in sorted(recorded - set(map(slug, programs))) if self.programs is None else ():
            self.unchecked[f"{name} {program}"] = GONE

    def program(self, target: Any, program: str, recorded: Collection[str]) -> None:
        """Capture one program; one that was not named, has no snapshot and cannot be made is left out."""
        if self.progress is not None:
            self.progress(f"{target.name} {program}")
        try:
            captured = capture(target, program, self.guard.request, clear=self.clear)
        except (UsageError, TargetError) as error:
            if self.programs is None and program != "forward" and slug(program) not in recorded:
                self.unchecked[f"{target.name} {program}"] = error.message
            else:
                self.fail(str(target.name), program, error)
            return
        try:
            case = case_of(self.guard, captured)
            if not self.clear and is_red(self.guard, case):
                case = case_of(self.guard, capture(target, program, self.guard.request, clear=True))
                self.red.add(len(self.cases))
            self.cases.append(case)
        except LtcIrError as error:
            self.fail(str(target.name), program, error)

    def fail(self, target: str, program: str, error: LtcIrError) -> None:
        """Remember what failed, with the exit code it gives."""
        self.failed.append(failure_of(target, program, error))


def failure_of(target: str, program: str, error: LtcIrError) -> ProgramCheck:
    """What is said of a program of which an error is all that was learnt: its file is damaged, or it failed."""
    status = Status.DAMAGED if isinstance(error, DamagedError) else Status.ERROR
    return ProgramCheck(target, program, status, reason=error.in_words, code=error.exit_code)


def without_verdict(
    names: Iterable[str],
    programs: Mapping[str, Collection[str]],
    spoken: Collection[tuple[str, str]],
    unchecked: Collection[str],
) -> list[ProgramCheck]:
    """The errors of what was asked for and of which nothing was learnt, however it came to that; there should be none.

    Args:
        names: the targets that were asked for.
        programs: the programs of each that was found.
        spoken: the targets and programs that something is said of.
        unchecked: those that are said to be left out, as one word each.
    """
    targets = {target for target, _ in spoken}
    lost = []
    for name in names:
        known = programs.get(name, () if name in targets else ("forward",))
        for program in known:
            if (name, program) not in spoken and not (name in targets and f"{name} {program}" in unchecked):
                why = f"{name} {program} has no verdict: this is a bug in ltc-ir"
                lost.append(ProgramCheck(name, program, Status.ERROR, reason=why, code=70))
    return lost


def resolve_named(target: Any, store: Store, options: Options | None = None) -> Any:
    """A Target under the name that its snapshots bear: a file's path is relative to the project."""
    from ltc_ir.targets import prepare

    if not isinstance(target, str):
        return prepare.resolve(target, None, options)
    name = store.name_of(target)
    return replace(prepare.resolve(store.findable(name), None, options), name=name)


def case_of(guard: Guard, captured: Captured) -> Case:
    """A captured program beside what the store has of it.

    Raises:
        UsageError: its file is there and cannot be read.
    """
    current = captured.snapshot
    baseline = guard.store.read(current.target, current.program, current.identity)
    file = guard.store.path_of(current.target, current.program, current.identity).as_posix()
    return Case(captured.tables, current, baseline, file)


def confirm_cases(survey: Survey) -> list[Case]:
    """The cases; those that differ with what a second capture says of them, so that noise is never called growth."""
    differing = [survey.cases[number] for number in sorted(survey.red) if differs(survey.cases[number])]
    if differing and survey.progress is not None:
        survey.progress(f"{len(differing)} differ: capturing them again")
    again = capture_cases_again(survey, differing)
    return [with_second(case, again.get((case.current.target, case.current.program))) for case in survey.cases]


def capture_cases_again(survey: Survey, cases: Sequence[Case]) -> dict[tuple[str, str], Again]:
    """A second capture of each: in a process of its own, with another hash seed; in this one of a Target built here."""
    programs_by_target: dict[str, list[str]] = {}
    captures: dict[tuple[str, str], Again] = {}
    for case in reversed(cases):
        target, program = case.current.target, case.current.program
        if target in survey.built:
            captures[target, program] = _in_process(survey.built[target], program, survey.guard)
        else:
            programs_by_target.setdefault(target, []).insert(0, program)
    guard = survey.guard
    if programs_by_target:
        x64 = guard.request.x64
        request = replace(guard.request, x64=is_wide() if x64 is None else x64)
        captures |= capture_again(programs_by_target, guard.store, request)
    for case in reversed(cases):
        target, program = case.current.target, case.current.program
        second = captures[target, program]
        if isinstance(second, Snapshot) and second.identity != case.current.identity:
            # This process was configured by hand, and a new one knows nothing of it: it says of another program.
            captures[target, program] = _in_process(
                resolve_named(target, guard.store, guard.request.options), program, guard
            )
    return captures


def is_wide() -> bool:
    """Whether 64-bit types are on in this process."""
    import jax

    return bool(jax.config.values["jax_enable_x64"])


def _in_process(target: Any, program: str, guard: Guard) -> Again:
    try:
        return capture(target, program, guard.request).snapshot
    except LtcIrError as error:
        return error


def with_second(case: Case, second: Again | None) -> Case:
    """A program with what a second capture says of it, where there is one."""
    return replace(case, confirm=lambda: second) if isinstance(second, Snapshot) else case


def is_red(guard: Guard, case: Case, check: ProgramCheck | None = None) -> bool:
    """Whether a program differs from its snapshot or breaks a rule: reason to look again from cleared caches.

    Args:
        guard: the rules.
        case: the program.
        check: it held against its snapshot alone, if that is known.
    """
    if differs(case, check):
        return True
    if not guard.rules:
        return False
    judged = check_all([case], guard.rules, guard.waivers, complete=False)
    return any(program.broken for program in judged.checks)


def differs(case: Case, check: ProgramCheck | None = None) -> bool:
    """Whether a program is not what its snapshot says; one without a snapshot differs from nothing."""
    check = check or check_program(replace(case, confirm=None))
    return check.status not in {Status.MATCH, Status.MISSING, Status.NOT_COMPARABLE}


def reason_to_prune(
    snapshot: Snapshot | LtcIrError, look: Callable[[str], Collection[str] | LtcIrError]
) -> str | LtcIrError | None:
    """Why a file can go; ``None`` where it is of use or cannot be read; the error of a target that cannot be looked at.

    A target that lacks only what the command line had given is there.

    Args:
        snapshot: what the file holds.
        look: gives the programs of a target by the name that its snapshots bear.
    """
    if isinstance(snapshot, LtcIrError):
        return None
    if TEST in snapshot.target:
        return _of_test(snapshot.target)
    names = look(snapshot.target)
    if isinstance(names, LtcIrError):
        return names.message if _is_gone(names) else None if isinstance(names, UsageError) else names
    return None if snapshot.program in names else f"{snapshot.target} has no program {snapshot.program!r} any more"


def look_here(store: Store) -> Callable[[str], Collection[str] | LtcIrError]:
    """What looks at a target in this process, each once."""
    from ltc_ir.targets import prepare
    from ltc_ir.targets.derive import program_names

    @cache
    def look(name: str) -> Collection[str] | LtcIrError:
        try:
            return program_names(prepare.resolve(store.findable(name)))
        except LtcIrError as error:
            return error

    return look


def _is_gone(error: LtcIrError) -> bool:
    if not isinstance(error, UsageError):
        return False
    return error.message.startswith(("unknown target", "no module", "no file")) or " has no '" in error.message


def _of_test(target: str) -> str | None:
    """A test whose file is gone, or holds no test of that name any more, has no use for its snapshot."""
    file, _, rest = target.partition(TEST)
    path = str(project_root() / file)
    if not os.path.lexists(path):
        return f"no file {file}"
    try:
        text = decode(read_bytes(path), file, "")
    except LtcIrError:
        return None
    names = [part.partition("[")[0] for part in rest.split(TEST)]
    return None if any(_may_hold(text, name) for name in names) else f"{file} has no test {rest} any more"


def _may_hold(text: str, name: str) -> bool:
    """Whether a file defines a test of that name, or may have it from elsewhere: imported, or of a class that inherits."""
    word = re.escape(name)
    pattern = rf"\bdef {word}\b|\bclass {word}\(|^\s*(from|import)\b.*(\b{word}\b|\*)|^\s+{word},"
    return re.search(pattern, text, re.MULTILINE) is not None
