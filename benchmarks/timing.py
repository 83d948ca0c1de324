"""Timings held against what a user would write: `timeit`, a loop around perf_counter, and a plain first call from outside."""

from __future__ import annotations

import gc
import statistics
import time
import timeit
from collections.abc import Callable
from typing import Any

import jax

from benchmarks.common import Result, of_pairs, timed
from ltc_ir import compat
from ltc_ir.errors import UsageError
from ltc_ir.records.timing import Settings
from ltc_ir.targets.derive import make_program
from ltc_ir.targets.find import find
from ltc_ir.targets.stages import clear_caches
from ltc_ir.targets.target import Program
from ltc_ir.timing.cold_start import Measuring, time_cold, time_steady
from ltc_ir.timing.inputs import Inputs, argument_values, copy_function

FOREVER = 10**18
PROGRAMS = (("ltc", "forward"), ("ltc", "grad"), ("ltc", "train_step"), ("node", "forward"))


def benchmark(runs: int, *, quick: bool = False) -> list[Result]:
    """The timing lines of the report."""
    programs = {"a matrix product": product()}
    if not quick:
        programs |= {f"{target} {name}": make_program(find(target), name) for target, name in PROGRAMS}
    results = []
    for label, program in programs.items():
        results += steady_by_hand(label, program, runs)
        results += stages_and_first_call(label, program, runs)
    return results


def product() -> Program:
    """A call of some tens of microseconds, where the timing's own cost would show."""
    x = jax.numpy.ones((64, 64))
    return Program(lambda x: x @ x, (x,))


def measuring_of(program: Program, label: str, runs: int | None) -> tuple[Measuring, Inputs]:
    settings = Settings(repeat=runs, limit_s=1e6)
    values = argument_values(program, None, label)
    if values is None:
        raise UsageError(f"{label} has no values")
    return Measuring(program, label, settings, time.perf_counter_ns), Inputs(values)


def steady_by_hand(label: str, program: Program, runs: int) -> list[Result]:
    """The median of the steady stage beside what a user would write, on the very same compiled function, taken in turn."""
    measuring, inputs = measuring_of(program, label, 1)
    with compat.no_persistent_cache():
        cycle = time_cold(measuring, inputs, FOREVER)
    assert cycle.pick is not None
    args, kwargs = cycle.pick(inputs.values)
    measuring.settings = Settings(limit_s=1e6)
    by_hand: dict[str, Callable[[Callable[[], Any]], float]] = {"timeit": by_timeit, "a perf_counter loop": by_loop}
    ratios: dict[str, list[float]] = {name: [] for name in by_hand}
    for _ in range(runs):
        time_steady(measuring, inputs, cycle, FOREVER)
        ours = measuring.timing().seconds("steady") or 0.0
        for name, theirs in by_hand.items():
            ratios[name].append(ours / theirs(lambda: jax.block_until_ready(cycle.compiled(*args, **kwargs))))
    return [
        of_pairs(f"{label}: steady / {name} on the same compiled function", found) for name, found in ratios.items()
    ]


def by_timeit(call: Callable[[], Any]) -> float:
    """The median of as many repeats as fill a fifth of a second, each of as many calls as `timeit` takes a tenth of it."""
    timer = timeit.Timer(call)
    took = max(1e-7, min(timer.repeat(5, 1)))
    number = max(1, round(1e-3 / took))
    return statistics.median(timer.repeat(max(11, round(0.2 / took / number)), number)) / number


def by_loop(call: Callable[[], Any]) -> float:
    """The median of calls one by one, as many as fill a fifth of a second, as most people time a function."""
    took = max(1e-7, min(timed(call)[0] for _ in range(5)))
    return statistics.median(timed(call)[0] for _ in range(max(11, round(0.2 / took))))


def stages_and_first_call(label: str, program: Program, runs: int) -> list[Result]:
    """The sum of the cold stages beside one plain `jax.jit(f)(x)` from cleared caches, taken in turn."""
    measuring, inputs = measuring_of(program, label, 1)
    ratios, covered = [], []
    with compat.no_persistent_cache():
        for _ in range(runs):
            time_cold(measuring, inputs, FOREVER)
            made = measuring.timing()
            ratios.append((made.cold_s or 0.0) / plain_first_call(program, inputs))
            covered.append(made.covered or 0.0)
    return [
        of_pairs(f"{label}: trace + lower + compile + first / a plain first call of jax.jit(f)", ratios),
        of_pairs(f"{label}: trace + lower + compile + first / the whole of the same run", covered, "0.95 to 1.05"),
    ]


def plain_first_call(program: Program, inputs: Inputs) -> float:
    """Seconds of what a user does: jit, call, await."""
    args, kwargs = inputs.values
    clear_caches()
    gc.collect()
    gc.disable()
    try:
        took, _ = timed(lambda: jax.block_until_ready(jax.jit(copy_function(program.fn))(*args, **kwargs)))
    finally:
        gc.enable()
    return took


if __name__ == "__main__":
    from benchmarks.common import report

    print(report(benchmark(5)))
