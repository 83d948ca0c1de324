"""What a check of thousands of targets takes: ``python -m benchmarks.guard_scale --update`` writes it into docs/ci.md."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.startup import command
from ltc_ir.snapshots.naming import folder_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "ci.md"
BEGIN, END = "<!-- guard-scale: begin -->", "<!-- guard-scale: end -->"
SIZES = (100, 1000, 3000)
A_MODULE = 50
"""Targets of a module."""
LOOK_S = 0.1
BODY = """
def f{number}(w, x):
    for _ in range({steps}):
        x = jnp.tanh(x @ w) + {number}.0
    return x.sum()


f{number}_args = (jax.ShapeDtypeStruct((4, 4), "float32"), jax.ShapeDtypeStruct(({rows}, 4), "float32"))
"""


@dataclass(frozen=True)
class Taken:
    """What one command took: seconds, seconds of all processors, the peak memory of all processes, and their number."""

    targets: int
    programs: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    processes: int


def write_project(folder: Path, targets: int) -> None:
    """A project with so many small targets, of two programs each, in modules of fifty."""
    names = []
    for module in range(-(-targets // A_MODULE)):
        numbers = range(min(A_MODULE, targets - module * A_MODULE))
        bodies = [BODY.format(number=number, steps=1 + number % 4, rows=1 + number % 5) for number in numbers]
        text = "".join(["import jax\nimport jax.numpy as jnp\n\n", *bodies])
        (folder / f"part{module}.py").write_text(text, encoding="utf-8")
        names += [f"part{module}:f{number}" for number in numbers]
    listed = ", ".join(f'"{name}"' for name in names)
    settings = f'[project]\nname = "large"\n\n[tool.ltc-ir.snapshots]\ntargets = [{listed}]\n'
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")


def record(folder: Path, targets: int, jobs: int) -> None:
    """Record the first module, and copy its snapshots to the others, which differ in their name only."""
    first = [f"part0:f{number}" for number in range(min(A_MODULE, targets))]
    measured(folder, len(first), "update", "--quiet", "--jobs", str(jobs), *first)
    store = folder / "snapshots"
    made = {name: sorted((store / folder_of(name)).iterdir()) for name in first}
    for module in range(1, -(-targets // A_MODULE)):
        for name, files in made.items():
            place = store / folder_of(name.replace("part0", f"part{module}"))
            place.mkdir()
            for file in files:
                text = file.read_text(encoding="utf-8").replace("part0", f"part{module}")
                (place / file.name).write_text(text, encoding="utf-8")


def measured(folder: Path, targets: int, *words: str) -> Taken:
    """Run a command in a project to its end, and look at all of its processes meanwhile."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    running = subprocess.Popen(
        [command(), "snapshot", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    peak, most = 0, 0
    with tempfile.TemporaryFile("w+") as said:
        os.set_blocking(running.stdout.fileno(), False)  # type: ignore[union-attr]
        while running.poll() is None:
            sizes = [proportional(number) for number in processes(running.pid)]
            peak, most = max(peak, sum(sizes)), max(most, len(sizes))
            with contextlib.suppress(TypeError):
                said.write(running.stdout.read())  # type: ignore[union-attr]
            time.sleep(LOOK_S)
        said.write(running.stdout.read() or "")  # type: ignore[union-attr]
        said.seek(0)
        last = said.read().strip().splitlines()[-1]
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if running.returncode:
        raise SystemExit(f"{' '.join(words)}: exit {running.returncode}: {last}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    programs = int(re.match(r"[\d,]+", last)[0].replace(",", ""))  # type: ignore[index]
    return Taken(targets, programs, wall, cpu, peak, most)


def processes(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {root}
    while more := {number for number, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def proportional(number: int) -> int:
    """The memory of a process, what it shares with others divided among them."""
    with contextlib.suppress(OSError, ValueError):
        text = Path(f"/proc/{number}/smaps_rollup").read_text(encoding="ascii")
        return sum(int(size) << 10 for size in re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE))
    return 0


def page(rows: list[Taken], jobs: int, load: float) -> str:
    """The section of the page."""
    cores = len(os.sched_getaffinity(0))
    lines = [
        f"`python -m benchmarks.guard_scale --update` makes projects of small targets, fifty to a module, and checks them with "
        f"`--jobs {jobs}` on {cores} cores"
        + (f" (busy with other work: load {load:.0f})" if load > cores else "")
        + ".",
        "",
        "| targets | programs | seconds | CPU seconds | a program | peak memory of all processes | processes at most |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        each = 1e3 * row.cpu_s / row.programs
        lines.append(
            f"| {row.targets:,} | {row.programs:,} | {row.wall_s:.0f} | {row.cpu_s:.0f} | {each:.0f} ms | "
            f"{row.peak_bytes / (1 << 20):,.0f} MiB | {row.processes} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the table into docs/ci.md")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of targets")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows, load = [], os.getloadavg()[0]
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            write_project(Path(folder), size)
            record(Path(folder), size, options.jobs)
            rows.append(measured(Path(folder), size, "check", "--jobs", str(options.jobs)))
        print(rows[-1], file=sys.stderr)
    made = page(rows, options.jobs, load)
    print(made)
    if options.update:
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
        PAGE.write_text(f"{head}{BEGIN}\n{made}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
