"""Times calls that are made again and again: of the compiled program, and of the Python function without `jax.jit`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import jax

from ltc_ir.records.timing import Stage
from ltc_ir.targets.example_values import Arguments
from ltc_ir.targets.stages import clear_caches
from ltc_ir.timing import conditions
from ltc_ir.timing.cold_start import Cycle, Measuring
from ltc_ir.timing.inputs import SHAPES_ALONE, Inputs, without_jit
from ltc_ir.timing.sampling import ONE_MORE, SECOND, Until, summed

SPAN_S = 0.2
"""Seconds that the runs of short calls take together at least, so that a lull does not pass for the truth."""
SHORT_S, MOST_CALLS = 5e-5, 1_000
"""A call shorter than this is timed several times in a row, but not more often than that."""
WARM_CALLS = 3
"""Calls of a compiled program before those that are measured."""

Call = Callable[[Arguments], Any]


def time_steady(measuring: Measuring, inputs: Inputs, cycle: Cycle, deadline: int) -> None:
    """Calls of the compiled program that the last cold start left."""
    assert cycle.pick is not None
    pick, compiled, effects = cycle.pick, cycle.compiled, cycle.has_effects

    def call(given: Arguments) -> None:
        conditions.awaited(compiled, given, effects)

    taken = Inputs(pick(inputs.values), inputs.donating)
    measuring.done({"steady": _timed(measuring, "steady", call, taken, deadline, warm_calls=WARM_CALLS)})


def time_eager(measuring: Measuring, name: str, inputs: Inputs | None, deadline: int) -> None:
    """Calls of the Python function without `jax.jit`; as ``op_by_op`` with every `jax.jit` inside disabled as well."""
    fn = without_jit(measuring.program)
    if inputs is None or fn is None:
        why = SHAPES_ALONE if inputs is None else "the function comes jitted and does not show what it wraps"
        measuring.done({name: None}, {name: why})
        return

    def call(given: Arguments) -> None:
        conditions.awaited(fn, given, effects=True)

    clear_caches()
    with jax.disable_jit() if name == "op_by_op" else nullcontext():
        made = _timed(measuring, name, call, Inputs(inputs.values), deadline)
    measuring.done({name: made})


def _timed(measuring: Measuring, name: str, call: Call, inputs: Inputs, deadline: int, *, warm_calls: int = 1) -> Stage:
    """A stage of calls, the first ones not measured."""
    trials = _trials(measuring, name, call, inputs, deadline=deadline, most=warm_calls)
    calls = 1 if inputs.donating else _calls_in_a_row(min(trials))
    values: list[float] = []
    until = Until(measuring.settings, measuring.clock, deadline, SPAN_S, ONE_MORE * measuring.settings.limit_s)
    with measuring.stage(name), conditions.held_collector() as between:
        for number in until.rounds({name: values}, calls, min(trials)):
            measuring.tell(name, number + 1)
            values.append(_run(measuring, call, inputs, calls))
            between(values[-1] * calls)
    made = summed({name: values}, {name: trials[0]}, measuring.settings, until.stopped)[name]
    return replace(made, calls=calls) if values else made


def _run(measuring: Measuring, call: Call, inputs: Inputs, calls: int) -> float:
    """The seconds of one call, where it is short as the mean of several in a row."""
    clock, given, rounds = measuring.clock, inputs.next(), range(calls)
    start = clock()
    for _ in rounds:
        call(given)
    return (clock() - start) / SECOND / calls


def _trials(measuring: Measuring, name: str, call: Call, inputs: Inputs, *, deadline: int, most: int) -> list[float]:
    """The seconds of calls before the measured ones, which also show whether a call deletes what it is given."""
    clock, found = measuring.clock, list[float]()
    measuring.tell(name, 0)
    with measuring.stage(name), conditions.held_collector():
        while not found or (len(found) < most and clock() < deadline):
            given = inputs.next() if found else inputs.trial()
            start = clock()
            call(given)
            found.append((clock() - start) / SECOND)
            inputs.note(given)
    return found


def _calls_in_a_row(seconds: float) -> int:
    if seconds >= SHORT_S:
        return 1
    return min(MOST_CALLS, max(1, round(SHORT_S / seconds))) if seconds > 0 else MOST_CALLS
