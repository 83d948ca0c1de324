"""Times one program stage by stage: cold starts, each from cleared caches, then calls; the clock is given in."""

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
from ltc_ir.timing import conditions
from ltc_ir.timing.inputs import SHAPES_ALONE, Inputs, fresh_jit, picking
from ltc_ir.timing.peak_memory import HighWater
from ltc_ir.timing.sampling import SECOND, Clock, Until, summed

RUNNING = ("first", "steady", "eager")
"""The stages that need the values of the arguments."""

Pick = Callable[[Arguments], Arguments]
Tell = Callable[[str, int], None]
"""Is told the stage at work and its run, before each of them and outside every measurement."""


def _silent(_stage: str, _run: int) -> None: ...


@dataclass
class Measuring:
    """One program being timed: how, and what is known so far.

    Args:
        program: what is timed.
        label: how messages call it, e.g. ``ltc grad``.
        settings: runs, confidence, seconds.
        clock: tells nanoseconds.
        tell: is told what is at work.
        keep: is given the timing so far whenever a stage is done.
        fill: what shapes are filled with.
        ours: whether this process is the measuring's own.
    """

    program: Program
    label: str
    settings: Settings
    clock: Clock
    tell: Tell = _silent
    keep: Callable[[ProgramTiming], None] = lambda _: None
    fill: Filling | None = None
    ours: bool = False
    stages: dict[str, Stage | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    whole: Stage | None = None
    memory: Memory = field(default_factory=Memory)
    at: str = "trace"

    def timing(self) -> ProgramTiming:
        """What is known so far."""
        return ProgramTiming(dict(self.stages), self.whole, self.memory, reasons=dict(self.reasons))

    def done(self, stages: Mapping[str, Stage | None], reasons: Mapping[str, str] | None = None) -> None:
        """Stages are measured, or are known not to be."""
        self.stages.update(stages)
        self.reasons.update(reasons or {})
        self.keep(self.timing())

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What the user's function raises in a stage is that function's failure; memory that ran out is a limit."""
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
    """One cold start: the nanoseconds of each stage, what the stages made, and how to pick what it is called with."""

    spent: dict[str, int] = field(default_factory=dict)
    traced: Any = None
    lowered: Any = None
    compiled: Any = None
    pick: Pick | None = None

    @property
    def has_effects(self) -> bool:
        """Whether more must be awaited than results."""
        return bool(self.traced.jaxpr.effects)


def time_cold(measuring: Measuring, inputs: Inputs | None, deadline: int) -> Cycle:
    """The cold starts: one that is measured only for its memory, then as many as are needed; the last is returned."""
    named = [*(COLD if inputs is not None else COLD[:-1]), "whole"]
    trial = _Trial(measuring)
    cycle = _cycle(measuring, inputs, None, trial)
    warmups = {name: cycle.spent[name] / SECOND for name in named}
    measuring.memory = _memory(measuring, cycle, trial.marks)
    series: dict[str, list[float]] = {name: [] for name in named}
    until = Until(measuring.settings, measuring.clock, deadline)
    for number in until.rounds(series, expected_s=warmups["whole"]):
        pick = cycle.pick
        del cycle  # its program is not to be in memory beside the next
        measuring.tell("cold start", number + 1)
        cycle = _cycle(measuring, inputs, pick)
        for name in named:
            series[name].append(cycle.spent[name] / SECOND)
    made: dict[str, Stage | None] = {}
    made |= summed(series, warmups, measuring.settings, until.stopped)
    measuring.whole = made.pop("whole")
    if inputs is None:
        made |= dict.fromkeys(RUNNING)
    measuring.done(made, {} if inputs is not None else dict.fromkeys(RUNNING, SHAPES_ALONE))
    return cycle


class _Trial:
    """The first cold start in a process: its memory is watched, and each stage is said and kept as it goes by.

    It is not measured if any other can be; what watching and keeping take is put aside.
    """

    def __init__(self, measuring: Measuring) -> None:
        self.measuring = measuring
        self.marks = {name: HighWater(measuring.ours) for name in ("compile", "first")}
        self.aside = 0

    @contextmanager
    def stage(self, name: str, cycle: Cycle) -> Iterator[None]:
        """Look on while a stage goes by."""
        clock, mark = self.measuring.clock, self.marks.get(name)
        begin = clock()
        self.measuring.tell(name, 0)
        with nullcontext() if mark is None else mark.watched():
            yield
            end = clock()
        seconds = {name: cycle.spent[name] / SECOND}
        self.measuring.done(summed({name: []}, seconds, self.measuring.settings, "the end of the work"))
        self.aside += clock() - end + (end - begin) - cycle.spent[name]


def _cycle(measuring: Measuring, inputs: Inputs | None, pick: Pick | None, trial: _Trial | None = None) -> Cycle:
    """One cold start: a function JAX has not seen, no caches, every stage by itself and the whole from outside."""
    program, clock, cycle = measuring.program, measuring.clock, Cycle(pick=pick)
    ready = None if inputs is None else inputs.next() if trial is None else inputs.trial()
    jitted = fresh_jit(program)

    def watched(name: str) -> AbstractContextManager[None]:
        return nullcontext() if trial is None else trial.stage(name, cycle)

    clear_caches()
    with conditions.held_collector():
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
        if inputs is not None and ready is not None:
            cycle.pick = pick or picking(program, cycle.compiled)
            taken, effects = cycle.pick(ready), cycle.has_effects
            with watched("first"), measuring.stage("first"):
                start = clock()
                conditions.awaited(cycle.compiled, taken, effects)
                cycle.spent["first"] = clock() - start
        cycle.spent["whole"] = clock() - begin - (0 if trial is None else trial.aside)
    if inputs is not None and ready is not None:
        inputs.note(ready)
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
    """The compile of a program that the persistent cache holds, everything else as cold as ever."""
    values: list[float] = []
    until = Until(measuring.settings, measuring.clock, deadline)
    hits = conditions.cache_hits()
    measuring.tell("compile_warm", 0)
    with conditions.own_persistent_cache():
        warmup = _compile_again(measuring)
        for number in until.rounds({"compile_warm": values}):
            measuring.tell("compile_warm", number + 1)
            values.append(_compile_again(measuring))
    if not values:
        measuring.done({"compile_warm": None}, {"compile_warm": f"{until.stopped} was reached before it"})
    elif conditions.cache_hits() - hits < len(values):
        measuring.done({"compile_warm": None}, {"compile_warm": "JAX did not find the program in its persistent cache"})
    else:
        measuring.done(summed({"compile_warm": values}, {"compile_warm": warmup}, measuring.settings, until.stopped))


def _compile_again(measuring: Measuring) -> float:
    """The seconds of a compile by a process that has forgotten all it compiled."""
    program, clock = measuring.program, measuring.clock
    jitted = fresh_jit(program)
    clear_caches()
    with measuring.stage("compile_warm"), conditions.held_collector():
        lowered = jitted.trace(*program.args, **program.kwargs).lower()
        start = clock()
        lowered.compile()
        return (clock() - start) / SECOND
