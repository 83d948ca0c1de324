"""Times the programs of a target in this process, one after the other; what ends the work keeps what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ltc_ir.errors import LtcIrError, TargetError, UsageError
from ltc_ir.records.timing import Ended, ProgramTiming, Settings, Timing
from ltc_ir.targets import prepare
from ltc_ir.targets.derive import make_program, program_names
from ltc_ir.targets.example_values import parse_filling
from ltc_ir.targets.stages import environment, platform_here
from ltc_ir.targets.target import Target
from ltc_ir.timing import conditions, machine
from ltc_ir.timing.calls import time_eager, time_steady
from ltc_ir.timing.cause import cause_of
from ltc_ir.timing.cold_start import Cycle, Measuring, time_cold, time_warm
from ltc_ir.timing.inputs import Inputs, values_of
from ltc_ir.timing.passes import PassesUnknownError, passes_of
from ltc_ir.timing.sampling import RESERVED, SECOND, Clock

_WEIGHTS = {"cold": 4.0, "compile_warm": 1.0, "steady": 1.0, "eager": 2.0, "op_by_op": 2.0}
"""How the seconds allowed are shared out between the kinds of runs; what one leaves over goes to those after it."""
_CALLS = ("steady", "eager", "op_by_op")
"""The kinds of runs that are calls, which may be short however long the cold start was."""
ON_GPU = "XLA keeps what it found by autotuning within a process, so compiles after the first need not search again"


@dataclass(frozen=True)
class Watch:
    """Who looks on: told the program, stage and run before each run, and given the timing after each stage."""

    at: Callable[[str, str, int], None] | None = None
    keep: Callable[[Timing], None] | None = None


@dataclass
class Session:
    """The timing of one target, as far as it has come.

    Args:
        target: whose programs are timed.
        settings: how.
        watch: who looks on.
        clock: tells nanoseconds.
    """

    target: Target
    settings: Settings
    watch: Watch = field(default_factory=Watch)
    clock: Clock = time.perf_counter_ns

    def __post_init__(self) -> None:
        platform = platform_here()
        notes = (ON_GPU,) if platform in {"cuda", "rocm"} else ()
        name = self.target.name or "target"
        self.timing = Timing(name, environment(), machine.machine(), self.settings, notes=notes)

    def time(self, programs: Sequence[str] | None, platform: str | None = None) -> Timing:
        """Time these programs, or all there are; what ends it is in the record."""
        try:
            _check_platform(platform or self.target.platform)
            for name in programs or program_names(self.target):
                if not self._one(name, asked=bool(programs)):
                    break
        except LtcIrError as error:
            self._end(error, None, None)
        self._change(machine=machine.afterwards(self.timing.machine))
        return self.timing.closed()

    def _one(self, name: str, asked: bool) -> bool:
        """Time one program; false where that ended the work."""
        measuring: Measuring | None = None
        try:
            measuring = self._measuring(name)
            cycle = _measure(measuring)
            made = self._with_cause(measuring, cycle)
            self._keep(name, made)
            if self.settings.passes:
                self._keep(name, self._with_passes(measuring, made))
        except LtcIrError as error:
            unmade = measuring is None or (not measuring.stages and measuring.at == "trace")
            if unmade and not asked and name != "forward" and isinstance(error, UsageError | TargetError):
                self._change(unavailable={**self.timing.unavailable, name: error.message})
                return True
            self._end(error, name, None if measuring is None else measuring.at)
            return False
        return True

    def _measuring(self, name: str) -> Measuring:
        def tell(stage: str, run: int) -> None:
            if self.watch.at is not None:
                self.watch.at(name, stage, run)

        def keep(made: ProgramTiming) -> None:
            self._keep(name, made)

        label, fill = f"{self.timing.target} {name}", parse_filling(self.settings.fill)
        program = make_program(self.target, name)
        return Measuring(
            program, label, self.settings, self.clock, tell, keep, fill=fill, ours=self.settings.apart
        )  # fmt: skip

    def _with_cause(self, measuring: Measuring, cycle: Cycle) -> ProgramTiming:
        timing = measuring.timing()
        try:
            ownership = prepare.ownership_of(self.target)
            return replace(timing, cause=cause_of(timing, cycle, measuring.program, measuring.label, ownership))
        except LtcIrError as error:
            return replace(timing, reasons={**timing.reasons, "cause": error.message})

    def _with_passes(self, measuring: Measuring, made: ProgramTiming) -> ProgramTiming:
        """One more compile by pass, after all that is measured, so that no figure is of a compile that was looked into."""
        measuring.tell("passes", 1)
        measuring.at = "passes"
        try:
            ownership = prepare.ownership_of(self.target)
            return replace(made, passes=passes_of(measuring.program, measuring.label, ownership))
        except PassesUnknownError as error:
            return replace(made, reasons={**made.reasons, "passes": str(error)})

    def _keep(self, name: str, made: ProgramTiming) -> None:
        self._change(programs={**self.timing.programs, name: made})

    def _end(self, error: LtcIrError, program: str | None, stage: str | None) -> None:
        detail = error.detail if isinstance(error, TargetError) else None
        self._change(ended=Ended(error.exit_code, error.message, error.hint, detail, program, stage))

    def _change(self, **changes: Any) -> None:
        self.timing = replace(self.timing, **changes)
        if self.watch.keep is not None:
            self.watch.keep(self.timing)


def _measure(measuring: Measuring) -> Cycle:
    """Measure every stage that was asked for; what the last cold start made is left to be looked into."""
    settings = measuring.settings
    budget = Budget(settings, measuring.clock)
    with conditions.no_persistent_cache():
        values = values_of(measuring.program, measuring.fill, measuring.label)
        inputs = None if values is None else Inputs(values)
        cycle = time_cold(measuring, inputs, budget.deadline("cold"))
        if settings.warm:
            time_warm(measuring, budget.deadline("compile_warm"))
        if inputs is not None:
            time_steady(measuring, inputs, cycle, budget.deadline("steady"))
        if not settings.eager:
            measuring.done({"eager": None}, {"eager": "not asked for (--no-eager)"})
        for name, wanted in (("eager", settings.eager), ("op_by_op", settings.op_by_op)):
            if wanted:
                time_eager(measuring, name, inputs, budget.deadline(name))
    return cycle


class Budget:
    """Shares the seconds allowed out between the kinds of runs.

    A cold start may use them all up, and a first call is no measure of the next: calls have their reserve all the same.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.end = clock() + round(settings.limit_s * SECOND)
        self.reserve = round(RESERVED * settings.limit_s * SECOND)
        asked = {"cold": True, "compile_warm": settings.warm, "steady": True}
        asked |= {"eager": settings.eager, "op_by_op": settings.op_by_op}
        self.left = {kind: _WEIGHTS[kind] for kind, wanted in asked.items() if wanted}

    def deadline(self, kind: str) -> int:
        """When the runs of this kind end; its turn is now."""
        now = self.clock()
        share = self.left[kind] / sum(self.left.values())
        del self.left[kind]
        return now + max(self.reserve if kind in _CALLS else 0, round((self.end - now) * share))


def _check_platform(platform: str | None) -> None:
    here = platform_here()
    if platform not in (None, here):
        raise UsageError(
            f"timing for {platform} needs a {platform} device; this machine runs {here}",
            "leave out --platform; count and lower work for any platform",
        )
