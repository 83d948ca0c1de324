"""A survey of targets whose code runs in workers: what is learnt of each program is judged here, as soon as it is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from ltc_ir import config
from ltc_ir.errors import LimitError, LtcIrError, TargetError, UsageError
from ltc_ir.records.check import Check, ProgramCheck
from ltc_ir.records.snapshot import TWICE, Snapshot
from ltc_ir.rules.check import Case, check_program, comparable_baseline, with_judgement
from ltc_ir.rules.evaluate import settle_notes
from ltc_ir.rules.grammar import Complete
from ltc_ir.rules.growth_policy import find_waiver_problems
from ltc_ir.rules.running import RunningJudgement
from ltc_ir.snapshots.batches import Asked, How, Told, Workers
from ltc_ir.snapshots.capture import Captured, capture_request
from ltc_ir.snapshots.naming import slug
from ltc_ir.snapshots.project import Guard
from ltc_ir.snapshots.store import Store
from ltc_ir.snapshots.survey import (
    GONE,
    TEST,
    Again,
    Progress,
    case_of,
    differs,
    failure_of,
    is_red,
    recorded_programs,
    with_second,
    without_verdict,
)
from ltc_ir.targets.places import home_of

_WINDOW = 256
"""Programs that differ and are looked at again together: their tables are here until they are judged."""

Place = tuple[int, str]
"""A program: the number of its target, and its name."""


class SurveyApart:
    """A look at targets by name, in workers.

    Args:
        guard: what they are held against.
        targets: their names, as they are found.
        how: how many workers, and the limit of each program.
        progress: is told what is at work.
    """

    def __init__(self, guard: Guard, targets: Sequence[str], how: How, progress: Progress | None) -> None:
        self.guard, self.how, self.progress = guard, how, progress
        request, store, own = guard.request, guard.store, config.targets()
        self.asked = [
            Asked(
                store.name_of(name),
                store.findable(store.name_of(name)),
                home_of(name, own, request.options),
                request.programs,
            )
            for name in targets
        ]
        self.checks: dict[Place, ProgramCheck] = {}
        self.cases: dict[Place, Case] = {}
        self.judging: RunningJudgement[Place] = RunningJudgement(guard.rules)
        self.failed: list[tuple[Place, ProgramCheck]] = []
        self._unchecked: dict[Place, str] = {}
        self.programs: dict[int, tuple[str, ...]] = {}
        """The programs of each target, once they are known."""
        self.notes: dict[str, None] = {}
        """What is to be said once, of modules and of all that was looked at."""
        self._lost: set[int] = set()
        """The targets that failed as a whole."""
        self.traced: dict[Place, str] = {}
        """What tracing a program set, for those that set something."""
        self._recorded: dict[int, set[str]] = {}
        self._version = ""

    def check(self, workers: Workers) -> None:
        """Judge all programs: those that differ from cleared caches, then with a second capture in another process."""
        self._version = workers.hello()["jax"]
        red: dict[Place, None] = {}
        for told in workers.run(self.asked, self.guard.request, clear=False):
            case = self.hear(told)
            if case is None:
                continue
            place = (told.number, case.current.program)
            check = check_program(case, (), self.guard.waivers)
            if is_red(self.guard, case, check):
                red[place] = None
            else:
                self.settle(place, case, check)
        for window in _windows(self.ordered(red)):
            self._look_again(workers, window)

    def capture(self, workers: Workers) -> None:
        """Capture all programs from cleared caches, to be recorded."""
        self._version = workers.hello()["jax"]
        for told in workers.run(self.asked, self.guard.request, clear=True):
            case = self.hear(told)
            if case is not None:
                self.cases[told.number, case.current.program] = case

    def capture_again(self, places: Iterable[Place]) -> dict[Place, Again]:
        """A second capture of programs, with another hash seed and in the opposite order."""
        asked, numbers = self._selected(list(places)[::-1])
        captures: dict[Place, Again] = {}
        with Workers(self.how, other_seed=True) as others:
            for told in others.run(asked, self.guard.request, clear=True) if asked else ():
                number = numbers[told.number]
                if told.kind == "made":
                    captures[number, str(told.program)] = replace(told.value.snapshot, captured=TWICE)
                elif told.kind == "failed":
                    for program in [told.program] if told.program else asked[told.number].programs or ():
                        captures[number, program] = told.value
        return captures

    def ordered(self, places: Collection[Place]) -> list[Place]:
        """Programs in the order of their targets, and of each target's programs."""
        ranks = {number: {name: rank for rank, name in enumerate(names)} for number, names in self.programs.items()}
        return sorted(places, key=lambda place: (place[0], ranks.get(place[0], {}).get(place[1], 999), place[1]))

    def without_verdict(self, spoken: Collection[tuple[str, str]]) -> list[ProgramCheck]:
        """The errors of what was asked for and has no verdict among those that are spoken; there should be none."""
        found = {self.asked[one].name: names for one, names in self.programs.items() if one not in self._lost}
        return without_verdict([one.name for one in self.asked], found, spoken, self.unchecked)

    def hear(self, told: Told) -> Case | None:
        """Take what is learnt; a program that was captured is given beside its file."""
        if told.kind == "made":
            return self._made(told)
        if told.kind == "names":
            self._named(told)
        elif told.kind == "failed":
            self._failed(told)
        elif told.kind == "imported":
            module = self.asked[told.number].home.module
            self.notes[f"importing {module} sets {_words(told.value)}: seen by its own targets alone"] = None
        elif told.kind == "traced":
            words = f"tracing it sets {_words(told.value)}: no other program sees that"
            self.traced[told.number, str(told.program)] = words
        else:
            self.notes[told.value] = None
        return None

    def settle(self, place: Place, case: Case, check: ProgramCheck | None = None) -> None:
        """Judge a program; what it breaks is known once all are judged, as what a rule means may depend on the others."""
        rules = self.guard.rules
        if rules:
            self.judging.add(place, case.tables, comparable_baseline(case))
        if check is None or rules:
            check = check_program(case, rules, self.guard.waivers)
        self.checks[place] = check

    def judged(self, complete: Complete, strict: bool, unchecked: Mapping[str, str]) -> Check:
        """The check of all programs that were settled, with the rules that are judged on all of them."""
        places = self.ordered(self.checks)
        failed = [(check.target, check.program) for _, check in self.failed]
        found = self.judging.judgement(places, complete, failed)
        checks = tuple(
            with_judgement(
                self.checks[place], found.changes.get(place, ()), found.unjudged.get(place, ()), self.guard.waivers
            )
            for place in places
        )
        problems, notes = settle_notes(found, strict=strict)
        problems += find_waiver_problems(self.guard.waivers, checks, complete=complete)
        return Check(checks, problems, unchecked, strict, notes)

    def fail(self, number: int, program: str, error: LtcIrError) -> None:
        """Remember what failed, with the exit code it gives."""
        name = self.asked[number].name
        self.failed.append(((number, program), failure_of(name, program, error)))

    def failures(self) -> list[ProgramCheck]:
        """What failed, in the order of the targets."""
        order = {place: rank for rank, place in enumerate(self.ordered([place for place, _ in self.failed]))}
        return [check for _, check in sorted(self.failed, key=lambda one: order[one[0]])]

    @property
    def unchecked(self) -> dict[str, str]:
        """What was left out, each with its reason, in the order of the targets."""
        return {
            f"{self.asked[place[0]].name} {place[1]}": self._unchecked[place] for place in self.ordered(self._unchecked)
        }

    def _named(self, told: Told) -> None:
        number, name = told.number, self.asked[told.number].name
        if number in self.programs:
            return
        self.programs[number] = told.value
        if self.progress is not None:
            self.progress(name)
        self._recorded[number] = recorded_programs(self.guard.store, name, self._version)
        if self.guard.request.programs is None:
            for program in sorted(self._recorded[number] - set(map(slug, told.value))):
                self._unchecked[number, program] = GONE

    def _made(self, told: Told) -> Case | None:
        captured: Captured = told.value
        if self.progress is not None:
            self.progress(f"{self.asked[told.number].name} {told.program}")
        try:
            return case_of(self.guard, captured)
        except LtcIrError as error:
            self.fail(told.number, str(told.program), error)
            return None

    def _failed(self, told: Told) -> None:
        """A program that was not named, has no snapshot and cannot be made is left out; not one that ended its process."""
        number, program, error = told.number, told.program, told.value
        if program is None:
            self._lost.add(number)
            self.fail(number, "forward" if not self.guard.request.programs else self.guard.request.programs[0], error)
            return
        optional = self.guard.request.programs is None and program != "forward" and not told.fatal
        if optional and isinstance(error, UsageError | TargetError):
            recorded = self._recorded.get(number, set())
            if slug(program) not in recorded:
                self._unchecked[number, program] = error.message
                return
        self.fail(number, program, error)

    def _look_again(self, workers: Workers, window: Sequence[Place]) -> None:
        asked, numbers = self._selected(window)
        looked: dict[Place, Case] = {}
        for told in workers.run(asked, self.guard.request, clear=True):
            number = numbers[told.number]
            if told.kind == "failed":
                for program in [told.program] if told.program else asked[told.number].programs or ():
                    self.fail(number, program, told.value)
            elif (case := self.hear(told._replace(number=number))) is not None:
                looked[number, case.current.program] = case
        differing = [place for place in window if place in looked and differs(looked[place])]
        if differing and self.progress is not None:
            self.progress(f"{len(differing)} differ: capturing them again")
        again = self.capture_again(differing) if differing else {}
        for place, case in looked.items():
            self.settle(place, with_second(case, again.get(place)))

    def _selected(self, places: Sequence[Place]) -> tuple[list[Asked], list[int]]:
        """These programs as they are asked for, and the number that each of the targets has here."""
        programs: dict[int, list[str]] = {}
        for number, program in places:
            programs.setdefault(number, []).append(program)
        return [self.asked[number]._replace(programs=tuple(names)) for number, names in programs.items()], list(
            programs
        )


def _windows(places: Iterable[Place]) -> Iterator[list[Place]]:
    remaining = iter(places)
    while window := list(islice(remaining, _WINDOW)):
        yield window


def _words(changes: Sequence[str]) -> str:
    return ", ".join(changes)


def look_apart(
    store: Store, snapshots: Iterable[Snapshot | LtcIrError], how: How
) -> Callable[[str], Collection[str] | LtcIrError]:
    """What gives the programs of the targets of snapshots, which were all looked at in workers."""
    own = config.targets()
    names = dict.fromkeys(one.target for one in snapshots if isinstance(one, Snapshot) and TEST not in one.target)
    asked = [Asked(name, place, home_of(place, own)) for name in names for place in [store.findable(name)]]
    found: dict[str, Collection[str] | LtcIrError] = {}
    if asked:
        with Workers(how) as workers:
            workers.hello()
            for told in workers.run(asked, capture_request(), clear=False, names=True):
                if told.kind in {"names", "failed"}:
                    found[asked[told.number].name] = told.value
    return lambda name: found.get(name, LimitError(f"{name} could not be looked at", "try it by itself"))
