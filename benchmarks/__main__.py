"""Runs every benchmark and prints one table; ratios and shares only, each taken side by side in this run."""

from __future__ import annotations

import argparse
import os
import platform

import jax

from benchmarks import files, guard, others, scale, startup, timing
from benchmarks.common import report


def main() -> None:
    """Run them all, or the ones named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("only", nargs="*", help="scale, files, startup, others, guard, timing")
    options = parser.parse_args()
    most, megabytes = (20_000, 1.0) if options.quick else (280_000, 25.0)
    benchmarks = {
        "startup": lambda: startup.benchmark(max(5, options.runs)),
        "scale": lambda: scale.benchmark(most, options.runs),
        "files": lambda: files.benchmark(megabytes, options.runs),
        "others": lambda: others.benchmark(most // 4),
        "guard": lambda: guard.benchmark(max(3, options.runs)),
        "timing": lambda: timing.benchmark(max(3, options.runs)),
    }
    results = []
    for name, run in benchmarks.items():
        if not options.only or name in options.only:
            results += run()
    print(f"JAX {jax.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}\n")
    print(report(results))


if __name__ == "__main__":
    main()
