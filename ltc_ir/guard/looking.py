"""A look at targets: each program captured and set beside its file, what failed, and what could not be made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from ltc_ir import api, config
from ltc_ir.compare.checking import Case, check_all, check_program
from ltc_ir.errors import LtcIrError, TargetError, UsageError
from ltc_ir.guard.capturing import Captured, capture, capture_again, minor_of
from ltc_ir.guard.places import findable, name_of
from ltc_ir.guard.setup import Guard, Options
from ltc_ir.records.check import ProgramCheck, Status
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.snapshots.naming import ENDING, folder_of, parse
from ltc_ir.snapshots.store import Store

Progress = Callable[[str], None]
Again = Snapshot | LtcIrError
"""What a second capture gave, or why there is none."""

TEST = "::"
"""What the name of a target met in a test has in it, and no other."""


def selected(targets: Sequence[Any], guard: Guard) -> list[Any]:
    """The targets to look at, in order and each once: those named, those of the project, or those of the store."""
    if targets:
        return list({name_of(one, guard.store) if isinstance(one, str) else id(one): one for one in targets}.values())
    said = config.guard().targets
    if said:
        return [findable(name, guard.store) for name in said]
    stored = [one.target for _, one in guard.store.all() if isinstance(one, Snapshot) and TEST not in one.target]
    found = [findable(name, guard.store) for name in dict.fromkeys([*config.targets(), *stored])]
    if not found:
        raise UsageError(
            f"nothing to check: {guard.store.directory.as_posix()} has no snapshots and no target is named",
            "record one: ltc-ir snapshot update TARGET",
        )
    return found


def of_tests(store: Store) -> dict[str, str]:
    """The snapshots that only a test run can check, for its functions have no name."""
    kept = [
        path for path in store.paths() if any(part.endswith(".py") for part in path.relative_to(store.directory).parts)
    ]
    return {f"{len(kept)} snapshots of tests": "pytest -m ir checks them"} if kept else {}


class Look:
    """A look at targets: what there is to compare, what failed, and what could not be made.

    Unless ``clear``, caches are cleared only where a program differs or breaks a rule, before anything is said: a clear makes
    JAX trace anew what programs share.
    """

    def __init__(
        self,
        guard: Guard,
        programs: Sequence[str] | None,
        options: Options,
        progress: Progress | None,
        *,
        clear: bool = False,
    ) -> None:
        self.clear = clear
        self.guard = guard
        self.programs = programs
        self.options = options
        self.progress = progress
        self.cases: list[Case] = []
        self.red: set[int] = set()
        self.failed: list[ProgramCheck] = []
        self.unchecked: dict[str, str] = {}
        self.built: dict[str, Any] = {}
        """The Targets that were given as such: no other process can find those."""

    def at(self, target: Any) -> None:
        """Look at all programs of one target; a failure is its own, and the others go on."""
        name = name_of(target, self.guard.store)
        try:
            found = named(target, self.guard.store, self.options)
            kept = self.stored(name)
        except LtcIrError as error:
            self.fail(name, "forward" if not self.programs else self.programs[0], error)
            return
        if not isinstance(target, str):
            self.built[name] = found
        wanted = list(self.programs or program_names(found))
        for program in wanted:
            self.program(found, program, kept)
        for program in kept if self.programs is None else ():
            if program not in wanted:
                self.unchecked[f"{name} {program}"] = "the target has no such program any more: ltc-ir snapshot prune"

    def stored(self, name: str) -> set[str]:
        """The programs of a target that have a snapshot for this JAX."""
        import jax

        minor = minor_of(jax.__version__)
        folder = self.guard.store.directory / folder_of(name)
        found = (parse(path.name) for path in sorted(folder.glob(f"*@*{ENDING}")))
        return {one.program for one in found if one is not None and one.jax == minor}

    def program(self, target: Any, program: str, kept: Collection[str]) -> None:
        """Look at one program; one that was not asked for, has no snapshot and cannot be made is left out."""
        if self.progress is not None:
            self.progress(f"{target.name} {program}")
        try:
            captured = capture(target, program, self.guard.asked, clear=self.clear)
        except (UsageError, TargetError) as error:
            if self.programs is None and program != "forward" and program not in kept:
                self.unchecked[f"{target.name} {program}"] = error.message
            else:
                self.fail(str(target.name), program, error)
            return
        try:
            case = case_of(self.guard, captured)
            if not self.clear and is_red(self.guard, case):
                case = case_of(self.guard, capture(target, program, self.guard.asked, clear=True))
                self.red.add(len(self.cases))
            self.cases.append(case)
        except LtcIrError as error:
            self.fail(str(target.name), program, error)

    def fail(self, target: str, program: str, error: LtcIrError) -> None:
        """Remember what failed, with the exit code it gives."""
        reason = f"{error.message} ({error.hint})" if error.hint else error.message
        self.failed.append(ProgramCheck(target, program, Status.ERROR, reason=reason, code=error.exit_code))


def named(target: Any, store: Store, options: Options = None) -> Any:
    """A Target under the name that its snapshots bear: a file's path is relative to the project."""
    if not isinstance(target, str):
        return api.resolve(target, None, options)
    name = name_of(target, store)
    return replace(api.resolve(findable(name, store), None, options), name=name)


def program_names(target: Any) -> tuple[str, ...]:
    """The programs a target may have."""
    from ltc_ir.programs.derive import program_names as names

    return names(target)


def case_of(guard: Guard, captured: Captured) -> Case:
    """A captured program beside what the store has of it.

    Raises:
        UsageError: its file is there and cannot be read.
    """
    current = captured.snapshot
    baseline = guard.store.read(current.target, current.program, current.identity)
    file = guard.store.path_of(current.target, current.program, current.identity).as_posix()
    return Case(captured.inventory, current, baseline, file)


def confirmed(looked: Look, x64: bool | None) -> list[Case]:
    """The cases; those that differ with what a second capture says of them, so that noise is never called growth."""
    differing = [looked.cases[number] for number in sorted(looked.red) if differs(looked.cases[number])]
    if differing and looked.progress is not None:
        looked.progress(f"{len(differing)} differ: capturing them again")
    again = captured_again(looked, differing, x64)
    return [_with_second(case, again.get((case.current.target, case.current.program))) for case in looked.cases]


def captured_again(looked: Look, cases: Sequence[Case], x64: bool | None) -> dict[tuple[str, str], Again]:
    """A second capture of each: in a process of its own, with another hash seed; in this one of a Target built here."""
    wanted: dict[str, list[str]] = {}
    made: dict[tuple[str, str], Again] = {}
    for case in reversed(cases):
        target, program = case.current.target, case.current.program
        if target in looked.built:
            made[target, program] = _in_process(looked.built[target], program, looked.guard)
        else:
            wanted.setdefault(target, []).insert(0, program)
    guard = looked.guard
    return made | (capture_again(wanted, guard.store, guard.asked, looked.options, x64) if wanted else {})


def _in_process(target: Any, program: str, guard: Guard) -> Again:
    try:
        return capture(target, program, guard.asked).snapshot
    except LtcIrError as error:
        return error


def _with_second(case: Case, second: Again | None) -> Case:
    return replace(case, confirm=lambda: second) if isinstance(second, Snapshot) else case


def is_red(guard: Guard, case: Case) -> bool:
    """Whether a program differs from its snapshot or breaks a rule: reason to look again from cleared caches."""
    if differs(case):
        return True
    if not guard.rules:
        return False
    found = check_all([case], guard.rules, guard.waivers, complete=False)
    return any(one.broken for one in found.checks)


def differs(case: Case) -> bool:
    """Whether a program is not what its snapshot says; one without a snapshot differs from nothing."""
    found = check_program(case.inventory, case.current, case.baseline)
    return found.status not in {Status.MATCH, Status.MISSING, Status.NOT_COMPARABLE}
