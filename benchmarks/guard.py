"""The guard beside what it watches: a check of the own programs and JAX alone; pytest with the idle plugin and without."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import Result, paired, seconds
from benchmarks.startup import command

TARGETS = ("ltc", "ctrnn", "node")
BARE = """
import jax
from ltc_ir.lab.models import ctrnn, ltc, node
for target in (ltc.TARGET, ctrnn.TARGET, node.TARGET):
    for program in (target, *target.programs.values()):
        jax.jit(program.fn).trace(*program.args).lower()
"""
"""All twelve programs: a Target is its own forward program."""
IDLE = "def test_nothing():\n    pass\n"


def benchmark(runs: int) -> list[Result]:
    """The lines of the guard in the report."""
    inside, low, high = paired(_check, _jax_alone, runs)
    whole, whole_low, whole_high = paired(
        lambda: seconds([command(), "snapshot", "check", *TARGETS, "--quiet"]),
        lambda: seconds([sys.executable, "-c", BARE]),
        runs,
    )
    idle, spread = _idle_ms(max(15, 5 * runs))
    return [
        Result(
            "check of the 12 own snapshots / JAX's trace and lower of them, in one process",
            f"{inside:.2f}",
            "1.5",
            f"{runs} pairs, {low:.2f} to {high:.2f}",
        ),
        Result(
            "ltc-ir snapshot check / a bare script of the same stages, whole processes",
            f"{whole:.2f}",
            "1.5",
            f"{runs} pairs, {whole_low:.2f} to {whole_high:.2f}",
        ),
        Result("pytest with the idle plugin - without it", f"{idle:.1f} ms", "10 ms", spread),
    ]


def _check() -> float:
    """Seconds of a check; both sides begin with empty caches and clear none between programs."""
    import jax

    from ltc_ir.api import snapshot as guarding

    jax.clear_caches()
    start = time.perf_counter()
    made = guarding.check(TARGETS)
    took = time.perf_counter() - start
    if made.exit_code:
        raise SystemExit("the own snapshots do not hold: record them first")
    return took


def _jax_alone() -> float:
    import jax

    from ltc_ir.targets import prepare

    jax.clear_caches()
    start = time.perf_counter()
    for name in TARGETS:
        target = prepare.resolve(name)
        for program in (target, *target.programs.values()):
            jax.jit(program.fn).trace(*program.args).lower()
    return time.perf_counter() - start


def _idle_ms(runs: int) -> tuple[float, str]:
    """Milliseconds that the plugin adds to a run of one empty test: the median of differences, each taken back to back."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "test_idle.py")
        file.write_text(IDLE, encoding="utf-8")
        tail = ["-q", "-p", "no:cacheprovider", str(file)]
        plain = [sys.executable, "-m", "pytest", "-p", "no:ltc-ir", *tail]
        loaded = [sys.executable, "-m", "pytest", *tail]
        found = [1e3 * (seconds(loaded) - seconds(plain)) for _ in range(runs)]
    low, _, high = statistics.quantiles(found, n=4)
    return statistics.median(found), f"median of {runs} pairs, half of them {low:.1f} to {high:.1f} ms"
