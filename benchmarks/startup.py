"""Whole processes: `ltc-ir --help` beside ``import jax``, and ``count --grad`` beside a bare script of the same stages."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.common import Result, paired, seconds

BARE = """
import jax
from ltc_ir.lab.models.ltc import TARGET
for name in ("forward", "grad"):
    program = TARGET.programs.get(name)
    fn, args = (program.fn, program.args) if program else (TARGET.fn, TARGET.args)
    jax.clear_caches()
    jax.jit(fn).trace(*args).lower()
"""


def command() -> str:
    """The console script beside this Python."""
    beside = Path(sys.executable).parent / "ltc-ir"
    return str(beside) if beside.exists() else shutil.which("ltc-ir") or "ltc-ir"


def benchmark(runs: int) -> list[Result]:
    """The start-up lines of the report."""
    tool = command()
    help_, low, high = paired(
        lambda: seconds([tool, "--help"]), lambda: seconds([sys.executable, "-c", "import jax"]), runs
    )
    bare, bare_low, bare_high = paired(
        lambda: seconds([tool, "count", "--grad"]), lambda: seconds([sys.executable, "-c", BARE]), runs
    )
    return [
        Result("ltc-ir --help / import jax", f"{help_:.2f}", "0.3", f"{runs} pairs, {low:.2f} to {high:.2f}"),
        Result(
            "ltc-ir count --grad / bare trace and lower of both programs, each from cleared caches",
            f"{bare:.2f}",
            "1.2",
            f"{runs} pairs, {bare_low:.2f} to {bare_high:.2f}",
        ),
    ]
