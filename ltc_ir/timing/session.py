"""Times the programs of a target in this process; an error ends the session and keeps what was measured until then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ltc_ir import compat
from ltc_ir.errors import NOTES, LtcIrError, TargetError, UsageError
from ltc_ir.ir.origin import Ownership
from ltc_ir.records.request import Request
from ltc_ir.records.timing import COLD, Cause, Ended, ProgramTiming, Settings, Timing
from ltc_ir.records.vocabulary import NO_SOURCE, By, Level
from ltc_ir.tables.live import count_program
from ltc_ir.targets import prepare
from ltc_ir.targets.derive import make_program, program_names
from ltc_ir.targets.example_values import Arguments, Filling, parse_filling
from ltc_ir.targets.stages import Staged, environment, platform_here
from ltc_ir.targets.target import Program, Target
from ltc_ir.timing import machine
from ltc_ir.timing.cold_start import Cycle, Measuring, time_cold, time_eager, time_steady, time_warm
from ltc_ir.timing.inputs import Inputs, argument_values
from ltc_ir.timing.passes import PassesUnknownError, passes_of
from ltc_ir.timing.sampling import RESERVED, SECOND, Clock

_WEIGHTS = {"cold": 4.0, "compile_warm": 1.0, "steady": 1.0, "eager": 2.0, "op_by_op": 2.0}
"""The shares of the kinds of runs in the allowed seconds; unused seconds go to the kinds that follow."""
_CALLS = ("steady", "eager", "op_by_op")
"""The kinds of runs that are calls: they may be short even where the cold start was long."""
FILLING = Filling(0)
"""The values of shapes where nobody says otherwise."""
FILLED = f"arguments that are shapes have values of --fill {FILLING.text} (integers are 0)"
ON_GPU = "XLA keeps what it found by autotuning within a process, so compiles after the first need not search again"


@dataclass(frozen=True)
class Watch:
    """Callbacks: ``at`` gets the program, stage and run before each run, ``keep`` the timing after each stage."""

    at: Callable[[str, str, int], None] | None = None
    keep: Callable[[Timing], None] | None = None


@dataclass
class Session:
    """The timing of one target so far.

    Args:
        target: its programs are timed.
        settings: how they are timed.
        watch: callbacks for progress.
        clock: returns nanoseconds.
    """

    target: Target
    settings: Settings
    watch: Watch = field(default_factory=Watch)
    clock: Clock = time.perf_counter_ns

    def __post_init__(self) -> None:
        platform = platform_here()
        notes = (ON_GPU,) if platform in {"cuda", "rocm"} else ()
        name = self.target.name or "target"
        self.timing = Timing(name, environment(), machine.read_machine(), self.settings, notes=notes)

    def time(self, programs: Sequence[str] | None, platform: str | None = None) -> Timing:
        """Time these programs, or all of the target; the record holds the error that ended the session, if any."""
        try:
            _check_platform(platform or self.target.platform)
            for name in programs or program_names(self.target):
                if not self._time_program(name, explicit=bool(programs)):
                    break
        except LtcIrError as error:
            self._end(error, None, None)
        self._change(machine=machine.with_load_after(self.timing.machine))
        return self.timing.closed()

    def _time_program(self, name: str, explicit: bool) -> bool:
        """Time one program; false where that ended the session."""
        measuring: Measuring | None = None
        try:
            measuring = self._measuring(name)
            cycle = _measure(measuring, self._values(measuring))
            timing = self._with_cause(measuring, cycle)
            self._keep(name, timing)
            if self.settings.passes:
                self._keep(name, self._with_passes(measuring, timing))
        except LtcIrError as error:
            not_traced = measuring is None or (not measuring.stages and measuring.at == "trace")
            if not_traced and not explicit and name != "forward" and isinstance(error, UsageError | TargetError):
                self._change(unavailable={**self.timing.unavailable, name: error.message})
                return True
            self._end(error, name, None if measuring is None else measuring.at)
            return False
        return True

    def _measuring(self, name: str) -> Measuring:
        def tell(stage: str, run: int) -> None:
            if self.watch.at is not None:
                self.watch.at(name, stage, run)

        def keep(timing: ProgramTiming) -> None:
            self._keep(name, timing)

        label, fill = f"{self.timing.target} {name}", parse_filling(self.settings.fill)
        program = make_program(self.target, name)
        return Measuring(
            program, label, self.settings, self.clock, tell, keep, fill=fill, dedicated=self.settings.apart
        )  # fmt: skip

    def _values(self, measuring: Measuring) -> Arguments:
        """The values of a program's arguments; shapes are filled with `FILLING` where nobody says otherwise."""
        program, fill, label = measuring.program, measuring.fill, measuring.label
        notes = dict.fromkeys([*self.timing.notes, *(NOTES if self.settings.apart else ())])
        values = argument_values(program, fill, label)
        if values is None:
            values = argument_values(program, FILLING, label)
            notes[FILLED] = None
        self._change(notes=tuple(notes))
        assert values is not None
        return values

    def _with_cause(self, measuring: Measuring, cycle: Cycle) -> ProgramTiming:
        timing = measuring.timing()
        try:
            ownership = prepare.ownership_of(self.target)
            return replace(timing, cause=_cause_of(timing, cycle, measuring.program, measuring.label, ownership))
        except LtcIrError as error:
            return replace(timing, reasons={**timing.reasons, "cause": error.message})

    def _with_passes(self, measuring: Measuring, timing: ProgramTiming) -> ProgramTiming:
        """One more compile by pass, after all measuring: no figure may come from a profiled compile."""
        measuring.tell("passes", 1)
        measuring.at = "passes"
        try:
            ownership = prepare.ownership_of(self.target)
            return replace(timing, passes=passes_of(measuring.program, measuring.label, ownership))
        except PassesUnknownError as error:
            return replace(timing, reasons={**timing.reasons, "passes": str(error)})

    def _keep(self, name: str, timing: ProgramTiming) -> None:
        self._change(programs={**self.timing.programs, name: timing})

    def _end(self, error: LtcIrError, program: str | None, stage: str | None) -> None:
        detail = error.detail if isinstance(error, TargetError) else None
        self._change(ended=Ended(error.exit_code, error.message, error.hint, detail, program, stage))

    def _change(self, **changes: Any) -> None:
        self.timing = replace(self.timing, **changes)
        if self.watch.keep is not None:
            self.watch.keep(self.timing)


def _measure(measuring: Measuring, values: Arguments) -> Cycle:
    """Measure every requested stage; returns the last cold start."""
    settings = measuring.settings
    budget = Budget(settings, measuring.clock)
    with compat.no_persistent_cache():
        inputs = Inputs(values)
        cycle = time_cold(measuring, inputs, budget.deadline("cold"))
        if settings.warm:
            time_warm(measuring, budget.deadline("compile_warm"))
        time_steady(measuring, inputs, cycle, budget.deadline("steady"))
        if not settings.eager:
            measuring.done({"eager": None}, {"eager": "not asked for (--no-eager)"})
        for name, enabled in (("eager", settings.eager), ("op_by_op", settings.op_by_op)):
            if enabled:
                time_eager(measuring, name, inputs, budget.deadline(name))
    return cycle


class Budget:
    """Divides the allowed seconds between the kinds of runs.

    A cold start may use all of them, and the first call does not predict the next: calls keep a reserve.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.end = clock() + round(settings.limit_s * SECOND)
        self.reserve = round(RESERVED * settings.limit_s * SECOND)
        enabled = {"cold": True, "compile_warm": settings.warm, "steady": True}
        enabled |= {"eager": settings.eager, "op_by_op": settings.op_by_op}
        self.left = {kind: _WEIGHTS[kind] for kind, is_enabled in enabled.items() if is_enabled}

    def deadline(self, kind: str) -> int:
        """The end of the runs of this kind, which begin now, in nanoseconds of the clock."""
        now = self.clock()
        share = self.left[kind] / sum(self.left.values())
        del self.left[kind]
        return now + max(self.reserve if kind in _CALLS else 0, round((self.end - now) * share))


def _check_platform(platform: str | None) -> None:
    current = platform_here()
    if platform not in (None, current):
        raise UsageError(
            f"timing for {platform} needs a {platform} device; this machine runs {current}",
            "leave out --platform; count and lower work for any platform",
        )


_COUNTED = {
    "trace": (Level.JAXPR, "equations"),
    "lower": (Level.STABLEHLO, "StableHLO operations"),
    "compile": (Level.HLO, "HLO instructions"),
}
"""The level that a stage produces: the time of the stage grows with its count."""


def _cause_of(timing: ProgramTiming, cycle: Cycle, program: Program, label: str, ownership: Ownership) -> Cause | None:
    """The largest stage of a cold start, its count and its largest line; ``None`` without a cold start.

    It is read from the results of the last cold start, after all measuring.
    """
    seconds = {stage: timing.seconds(stage) or 0.0 for stage in COLD if timing.stages.get(stage) is not None}
    if not seconds:
        return None
    stage = max(seconds, key=lambda name: seconds[name])
    first = not set(COLD).isdisjoint(timing.first_only)
    cause = Cause(stage, seconds[stage], sum(seconds.values()), first_only=first)
    if stage not in _COUNTED:
        return cause
    level, unit = _COUNTED[stage]
    count = count_program(_staged(program, label, cycle), _request(level), ownership)[level.value]
    largest = next((group for group in count.by or () if group.key != NO_SOURCE), None)
    source, number = (None, None) if largest is None else (largest.key, largest.tally.total)
    return replace(cause, number=count.tally.total, unit=unit, source=source, source_number=number)


def _request(level: Level) -> Request:
    return Request(levels=(level,), by=(By.SOURCE,), text=False)


def _staged(program: Program, label: str, cycle: Cycle) -> Staged:
    """A program whose stages have already run."""
    staged = Staged(program, label, clear=False)
    vars(staged).update(traced=cycle.traced, lowered=cycle.lowered, compiled=cycle.compiled)
    return staged
