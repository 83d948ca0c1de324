"""Times the stages of one program in cold starts, each from cleared caches; the clock is a parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from ltc_ir.errors import LimitError, TargetError
from ltc_ir.records.timing import COLD, Memory, ProgramTiming, Settings, Stage
from ltc_ir.tables.xla_costs import NO_MEMORY, xla_memory
from ltc_ir.targets.example_values import Arguments, Filling
from ltc_ir.targets.stages import clear_caches, users_failure
from ltc_ir.targets.target import Program
from ltc_ir.timing import isolation
from ltc_ir.timing.inputs import SHAPES_ALONE, Inputs, dynamic_argument_picker, fresh_jit
from ltc_ir.timing.machine import HighWater
from ltc_ir.timing.sampling import SECOND, Clock, Until, summarize_series

RUNNING = ("first", "steady", "eager")
"""The stages that need the values of the arguments."""

Pick = Callable[[Arguments], Arguments]
Tell = Callable[[str, int], None]
"""Called with the current stage and its run, before each run and outside every measurement."""


def _silent(_stage: str, _run: int) -> None: ...


@dataclass
class Measuring:
    """One program being timed: the settings and the results so far.

    Args:
        program: the program to time.
        label: its name in messages, e.g. ``ltc grad``.
        settings: runs, confidence, seconds.
        clock: returns nanoseconds.
        tell: called with the current stage and run.
        keep: called with the timing so far whenever a stage is done.
        fill: the values for shapes.
        dedicated: whether this process does nothing but measure.
    """

    program: Program
    label: str
    settings: Settings
    clock: Clock
    tell: Tell = _silent
    keep: Callable[[ProgramTiming], None] = lambda _: None
    fill: Filling | None = None
    dedicated: bool = False
    stages: dict[str, Stage | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    whole: Stage | None = None
    memory: Memory = field(default_factory=Memory)
    at: str = "trace"

    def timing(self) -> ProgramTiming:
        """The timing so far."""
        return ProgramTiming(dict(self.stages), self.whole, self.memory, reasons=dict(self.reasons))

    def done(self, stages: Mapping[str, Stage | None], reasons: Mapping[str, str] | None = None) -> None:
        """Record stages that were measured, or that cannot be, with the reasons."""
        self.stages.update(stages)
        self.reasons.update(reasons or {})
        self.keep(self.timing())

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Report an error of the user's function in a stage as its failure, exhausted memory as a limit."""
        self.at = name
        verb = name if name in {"trace", "lower", "compile"} else "run"
        try:
            with users_failure(self.label, verb, self.program.explain if name == "trace" else None):
                yield
        except TargetError as error:
            if _out_of_memory(error.__cause__):
                message = f"{self.label} ran out of memory in {name}: {error.message.partition(': ')[2]}"
                raise LimitError(message, "give it smaller arguments, or a machine with more memory") from error
            raise


def _out_of_memory(cause: BaseException | None) -> bool:
    return isinstance(cause, MemoryError) or "RESOURCE_EXHAUSTED" in str(cause)


@dataclass
class Cycle:
    """One cold start: the nanoseconds and results of the stages; ``pick`` selects the arguments of the compiled program."""

    spent: dict[str, int] = field(default_factory=dict)
    traced: Any = None
    lowered: Any = None
    compiled: Any = None
    pick: Pick | None = None

    @property
    def has_effects(self) -> bool:
        """Whether effects must be awaited in addition to results."""
        return bool(self.traced.jaxpr.effects)


def time_cold(measuring: Measuring, inputs: Inputs | None, deadline: int) -> Cycle:
    """Run the cold starts: the first only for its memory, then as many as are needed. Returns the last one."""
    named = [*(COLD if inputs is not None else COLD[:-1]), "whole"]
    trial = _Trial(measuring)
    cycle = _cycle(measuring, inputs, None, trial)
    warmups = {name: cycle.spent[name] / SECOND for name in named}
    measuring.memory = _memory(measuring, cycle, trial.marks)
    series: dict[str, list[float]] = {name: [] for name in named}
    until = Until(measuring.settings, measuring.clock, deadline)
    for number in until.rounds(series, expected_s=warmups["whole"]):
        pick = cycle.pick
        del cycle  # its program must not be in memory together with the next
        measuring.tell("cold start", number + 1)
        cycle = _cycle(measuring, inputs, pick)
        for name in named:
            series[name].append(cycle.spent[name] / SECOND)
    stages: dict[str, Stage | None] = {}
    stages |= summarize_series(series, warmups, measuring.settings, until.stopped)
    measuring.whole = stages.pop("whole")
    if inputs is None:
        stages |= dict.fromkeys(RUNNING)
    measuring.done(stages, {} if inputs is not None else dict.fromkeys(RUNNING, SHAPES_ALONE))
    return cycle


class _Trial:
    """The first cold start in a process: its memory is watched, and each stage is reported when it is done.

    Its seconds count only where no further cold start fits; the time of watching and reporting is subtracted.
    """

    def __init__(self, measuring: Measuring) -> None:
        self.measuring = measuring
        self.marks = {name: HighWater(measuring.dedicated) for name in ("compile", "first")}
        self.aside = 0

    @contextmanager
    def stage(self, name: str, cycle: Cycle) -> Iterator[None]:
        """Watch a stage."""
        clock, mark = self.measuring.clock, self.marks.get(name)
        begin = clock()
        self.measuring.tell(name, 0)
        with nullcontext() if mark is None else mark.watched():
            yield
            end = clock()
        seconds = {name: cycle.spent[name] / SECOND}
        self.measuring.done(summarize_series({name: []}, seconds, self.measuring.settings, "the end of the work"))
        self.aside += clock() - end + (end - begin) - cycle.spent[name]


def _cycle(measuring: Measuring, inputs: Inputs | None, pick: Pick | None, trial: _Trial | None = None) -> Cycle:
    """One cold start: a new function object, cleared caches, each stage measured separately and the whole from outside."""
    program, clock, cycle = measuring.program, measuring.clock, Cycle(pick=pick)
    values = None if inputs is None else inputs.next() if trial is None else inputs.trial()
    jitted = fresh_jit(program)

    def watched(name: str) -> AbstractContextManager[None]:
        return nullcontext() if trial is None else trial.stage(name, cycle)

    clear_caches()
    with isolation.paused_gc():
        begin = clock()
        with watched("trace"), measuring.stage("trace"):
            start = clock()
            cycle.traced = jitted.trace(*program.args, **program.kwargs)
            cycle.spent["trace"] = clock() - start
        with watched("lower"), measuring.stage("lower"):
            start = clock()
            cycle.lowered = cycle.traced.lower()
            cycle.spent["lower"] = clock() - start
        with watched("compile"), measuring.stage("compile"):
            start = clock()
            cycle.compiled = cycle.lowered.compile()
            cycle.spent["compile"] = clock() - start
        if inputs is not None and values is not None:
            cycle.pick = pick or dynamic_argument_picker(program, cycle.compiled)
            arguments, effects = cycle.pick(values), cycle.has_effects
            with watched("first"), measuring.stage("first"):
                start = clock()
                isolation.call_and_wait(cycle.compiled, arguments, effects)
                cycle.spent["first"] = clock() - start
        cycle.spent["whole"] = clock() - begin - (0 if trial is None else trial.aside)
    if inputs is not None and values is not None:
        inputs.note(values)
    return cycle


def _memory(measuring: Measuring, cycle: Cycle, marks: Mapping[str, HighWater]) -> Memory:
    memory = xla_memory(cycle.compiled)
    for name, mark in (("memory.compile", marks["compile"]), ("memory.run", marks["first"])):
        if mark.peak is None:
            measuring.reasons[name] = mark.reason or SHAPES_ALONE
    if memory is None:
        measuring.reasons["memory.xla"] = NO_MEMORY
    return Memory(marks["compile"].peak, marks["first"].peak, memory)


def time_warm(measuring: Measuring, deadline: int) -> None:
    """The compile of a program that is in the persistent cache; everything else is cold."""
    values: list[float] = []
    until = Until(measuring.settings, measuring.clock, deadline)
    hits = isolation.cache_hits()
    measuring.tell("compile_warm", 0)
    with isolation.own_persistent_cache():
        warmup = _compile_again(measuring)
        for number in until.rounds({"compile_warm": values}):
            measuring.tell("compile_warm", number + 1)
            values.append(_compile_again(measuring))
    if not values:
        measuring.done({"compile_warm": None}, {"compile_warm": f"{until.stopped} was reached before it"})
    elif isolation.cache_hits() - hits < len(values):
        measuring.done({"compile_warm": None}, {"compile_warm": "JAX did not find the program in its persistent cache"})
    else:
        measuring.done(
            summarize_series({"compile_warm": values}, {"compile_warm": warmup}, measuring.settings, until.stopped)
        )


def _compile_again(measuring: Measuring) -> float:
    """The seconds of a compile after JAX's in-memory caches were cleared."""
    program, clock = measuring.program, measuring.clock
    jitted = fresh_jit(program)
    clear_caches()
    with measuring.stage("compile_warm"), isolation.paused_gc():
        lowered = jitted.trace(*program.args, **program.kwargs).lower()
        start = clock()
        lowered.compile()
        return (clock() - start) / SECOND
