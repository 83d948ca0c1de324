"""Times repeated calls: of the compiled program, and of the Python function without `jax.jit`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import jax

from ltc_ir.records.timing import Stage
from ltc_ir.targets.example_values import Arguments
from ltc_ir.targets.stages import clear_caches
from ltc_ir.timing import isolation
from ltc_ir.timing.cold_start import Cycle, Measuring
from ltc_ir.timing.inputs import SHAPES_ALONE, Inputs, without_jit
from ltc_ir.timing.sampling import ONE_MORE, SECOND, Until, summarize_series

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


def time_eager(measuring: Measuring, name: str, inputs: Inputs | None, deadline: int) -> None:
    """Calls of the Python function without `jax.jit`; as ``op_by_op`` with every `jax.jit` inside disabled as well."""
    fn = without_jit(measuring.program)
    if inputs is None or fn is None:
        why = SHAPES_ALONE if inputs is None else "the function comes jitted and does not show what it wraps"
        measuring.done({name: None}, {name: why})
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
