"""Runs every benchmark in a process of its own, prints one page of tables, and with ``--update`` writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable

from benchmarks import page
from benchmarks.catalogue import BENCHMARKS, Settings
from benchmarks.common import Result, child


def main() -> None:
    """Run them all, or the ones named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--runs", type=int, default=Settings.runs)
    parser.add_argument("--update", action="store_true", help="write the tables into docs/benchmarks.md")
    parser.add_argument("only", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    options = parser.parse_args()
    unknown = set(options.only) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if options.update and (options.only or options.quick):
        parser.error("the page holds one whole run: leave out --quick and names")
    names = [name for name in BENCHMARKS if not options.only or name in options.only]
    made = run(names, Settings(options.quick, options.runs))
    print(made.text())
    if options.update:
        page.write(made)


def run(names: Iterable[str], how: Settings) -> page.Run:
    """One run: on the processor, then what an accelerator can make another figure of on that, where JAX finds one."""
    start, before = time.monotonic(), os.getloadavg()[0]
    there = child("benchmarks.one", "machine", platform="")
    names = list(names)
    processor = {name: lines(name, how, "cpu") for name in names}
    accelerator = there["accelerator"]
    asked = [name for name in names if accelerator and BENCHMARKS[name].on_device]
    on_accelerator = {name: lines(name, how, "") for name in asked}
    minutes = (time.monotonic() - start) / 60
    load = (before, os.getloadavg()[0])
    return page.Run(there["machine"], load, minutes, processor, accelerator, on_accelerator)


def lines(name: str, how: Settings, platform: str) -> list[Result]:
    """The lines of one benchmark, run in a process of its own."""
    start = time.monotonic()
    quick = ["--quick"] if how.quick else []
    made = child("benchmarks.one", name, "--runs", str(how.runs), *quick, platform=platform)
    print(f"{name}{f' on {platform}' if platform else ''}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return [Result(**one) for one in made]


if __name__ == "__main__":
    main()
