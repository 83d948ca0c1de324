"""Times one program stage by stage: cold starts, each from cleared caches, then calls; the clock is given in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import jax

from ltc_ir.errors import LimitError, TargetError
from ltc_ir.records.timing import COLD, Memory, ProgramTiming, Settings, Stage
from ltc_ir.tables.compiled_hlo import NO_MEMORY, xla_memory
from ltc_ir.targets.example_values import Arguments, Filling
from ltc_ir.targets.stages import clear_caches, text_of, users_failure
from ltc_ir.targets.target import Program
from ltc_ir.timing import isolation
from ltc_ir.timing.inputs import Inputs, dynamic_argument_picker, fresh_jit, without_jit
from ltc_ir.timing.machine import HighWater
from ltc_ir.timing.sampling import ONE_MORE, SECOND, Clock, Until, summarize_series

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
    return isinstance(cause, MemoryError) or (cause is not None and "RESOURCE_EXHAUSTED" in text_of(cause))


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


def time_cold(measuring: Measuring, inputs: Inputs, deadline: int) -> Cycle:
    """Run the cold starts: the first only for its memory, then as many as are needed. Returns the last one."""
    named = [*COLD, "whole"]
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
    measuring.done(stages)
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


def _cycle(measuring: Measuring, inputs: Inputs, pick: Pick | None, trial: _Trial | None = None) -> Cycle:
    """One cold start: a new function object, cleared caches, each stage measured separately and the whole from outside."""
    program, clock, cycle = measuring.program, measuring.clock, Cycle(pick=pick)
    values = inputs.next() if trial is None else inputs.trial()
    with measuring.stage("trace"):
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
        cycle.pick = pick or dynamic_argument_picker(program, cycle.compiled)
        arguments, effects = cycle.pick(values), cycle.has_effects
        with watched("first"), measuring.stage("first"):
            start = clock()
            isolation.call_and_wait(cycle.compiled, arguments, effects)
            cycle.spent["first"] = clock() - start
        cycle.spent["whole"] = clock() - begin - (0 if trial is None else trial.aside)
    inputs.note(values)
    return cycle


def _memory(measuring: Measuring, cycle: Cycle, marks: Mapping[str, HighWater]) -> Memory:
    memory = xla_memory(cycle.compiled)
    for name, mark in (("memory.compile", marks["compile"]), ("memory.run", marks["first"])):
        if mark.peak is None:
            measuring.reasons[name] = mark.reason or "it was not watched"
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


SPAN_S = 0.2
"""Seconds that the runs of short calls take together at least, so that a quiet moment does not bias the median."""
SHORT_S, MOST_CALLS = 5e-5, 1_000
"""A call shorter than this is timed several times in a row, but not more often than that."""
WARM_CALLS = 3
"""Calls of a compiled program before those that are measured."""

Call = Callable[[Arguments], Any]


def time_steady(measuring: Measuring, inputs: Inputs, cycle: Cycle, deadline: int) -> None:
    """Calls of the compiled program of the last cold start."""
    assert cycle.pick is not None
    pick, compiled, effects = cycle.pick, cycle.compiled, cycle.has_effects

    def call(arguments: Arguments) -> None:
        isolation.call_and_wait(compiled, arguments, effects)

    dynamic_inputs = Inputs(pick(inputs.values), inputs.donating)
    measuring.done({"steady": _time_calls(measuring, "steady", call, dynamic_inputs, deadline, warm_calls=WARM_CALLS)})


def time_eager(measuring: Measuring, name: str, inputs: Inputs, deadline: int) -> None:
    """Calls of the Python function without `jax.jit`; as ``op_by_op`` with every `jax.jit` inside disabled as well."""
    fn = without_jit(measuring.program)
    if fn is None:
        measuring.done({name: None}, {name: "the function comes jitted and does not show what it wraps"})
        return

    def call(arguments: Arguments) -> None:
        isolation.call_and_wait(fn, arguments, effects=True)

    clear_caches()
    with jax.disable_jit() if name == "op_by_op" else nullcontext():
        stage = _time_calls(measuring, name, call, Inputs(inputs.values), deadline)
    measuring.done({name: stage})


def _time_calls(
    measuring: Measuring, name: str, call: Call, inputs: Inputs, deadline: int, *, warm_calls: int = 1
) -> Stage:
    """A stage of calls; the warm-up calls are not measured."""
    trials = _time_trials(measuring, name, call, inputs, deadline=deadline, most=warm_calls)
    calls = 1 if inputs.donating else _calls_in_a_row(min(trials))
    values: list[float] = []
    until = Until(measuring.settings, measuring.clock, deadline, SPAN_S, ONE_MORE * measuring.settings.limit_s)
    with measuring.stage(name), isolation.paused_gc() as between:
        for number in until.rounds({name: values}, calls, min(trials)):
            measuring.tell(name, number + 1)
            values.append(_time_run(measuring, call, inputs, calls))
            between(values[-1] * calls)
    stage = summarize_series({name: values}, {name: trials[0]}, measuring.settings, until.stopped)[name]
    return replace(stage, calls=calls) if values else stage


def _time_run(measuring: Measuring, call: Call, inputs: Inputs, calls: int) -> float:
    """The seconds of one call, where it is short as the mean of several in a row."""
    clock, arguments, rounds = measuring.clock, inputs.next(), range(calls)
    start = clock()
    for _ in rounds:
        call(arguments)
    return (clock() - start) / SECOND / calls


def _time_trials(
    measuring: Measuring, name: str, call: Call, inputs: Inputs, *, deadline: int, most: int
) -> list[float]:
    """The seconds of the warm-up calls, which also show whether a call deletes its arguments."""
    clock, seconds = measuring.clock, list[float]()
    measuring.tell(name, 0)
    with measuring.stage(name), isolation.paused_gc():
        while not seconds or (len(seconds) < most and clock() < deadline):
            arguments = inputs.next() if seconds else inputs.trial()
            start = clock()
            call(arguments)
            seconds.append((clock() - start) / SECOND)
            inputs.note(arguments)
    return seconds


def _calls_in_a_row(seconds: float) -> int:
    if seconds >= SHORT_S:
        return 1
    return min(MOST_CALLS, max(1, round(SHORT_S / seconds))) if seconds > 0 else MOST_CALLS
