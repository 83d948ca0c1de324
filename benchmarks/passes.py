"""The compile by pass beside a plain compile, and beside a trace or a dump that a user would take and read by hand."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from benchmarks.common import Result, of_pairs, timed
from benchmarks.timing import product
from ltc_ir import compat
from ltc_ir.ir.origin import Ownership
from ltc_ir.records.passes import Passes
from ltc_ir.targets.derive import make_program
from ltc_ir.targets.find import find
from ltc_ir.targets.stages import clear_caches
from ltc_ir.targets.target import Program
from ltc_ir.timing import isolation
from ltc_ir.timing.inputs import fresh_jit
from ltc_ir.timing.passes import PassesUnknownError, passes_of
from ltc_ir.timing.profiler import require_profile_data

TARGETS = (("ltc", "forward"), ("ltc", "grad"), ("node", "train_step"))


def benchmark(runs: int, *, quick: bool = False) -> list[Result]:
    """The lines of the compile by pass in the report."""
    try:
        require_profile_data()
    except PassesUnknownError as error:
        return [Result("a compile by pass", "not to be had", "-", str(error))]
    programs = {"a matrix product": product()}
    if not quick:
        programs |= {f"{target} {name}": make_program(find(target), name) for target, name in TARGETS}
    with compat.no_persistent_cache():
        return [line for label, program in programs.items() for line in of_program(label, program, runs)]


def of_program(label: str, program: Program, runs: int) -> list[Result]:
    """One program compiled five ways in turn, each time from cleared caches."""
    passes_of(program, label, Ownership())  # what is loaded at first use is in no figure
    profiled: list[float] = []
    whole: list[float] = []
    traced: list[float] = []
    dumped: list[float] = []
    covered: list[float] = []
    for _ in range(runs):
        plain_s = compile_s(program)
        ours_s, made = timed(lambda: passes_of(program, label, Ownership()))
        stages_s, _ = timed(lambda: lowered(program).compile())
        trace_s, events = by_trace(program)
        dump_s, written = by_dump(program)
        profiled.append(made.compile_s / plain_s)
        whole.append(ours_s / stages_s)
        traced.append(trace_s / plain_s)
        dumped.append(dump_s / plain_s)
        covered.append(made.covered)
    return [
        of_pairs(f"{label}: compile under the profiler / plain compile", profiled, more=f"plain {plain_s:.2f} s"),
        of_pairs(f"{label}: --passes, whole / plain trace, lower and compile", whole, more=_what(made)),
        of_pairs(f"{label}: jax.profiler.trace, read by hand / plain compile", traced, more=events),
        of_pairs(f"{label}: --xla_dump_to, read by hand / plain compile", dumped, more=written),
        of_pairs(f"{label}: share of the compile below the root of the tree", covered, "at least 0.90"),
    ]


def _what(made: Passes) -> str:
    kernels = [one for one in made.kernels if one.name]
    placed = sum(one.source is not None for one in kernels)
    return f"a tree of {len(made.times):,} paths on {len(made.threads)} threads, {placed} of {len(kernels)} kernels with a line"


def lowered(program: Program) -> Any:
    """The program ready to compile, from cleared caches."""
    clear_caches()
    return fresh_jit(program).trace(*program.args, **program.kwargs).lower()


def compile_s(program: Program, do: Callable[[Any], Any] = lambda ready: ready.compile()) -> float:
    """Seconds of a compile, or of what is done around it."""
    ready = lowered(program)
    with isolation.paused_gc():
        return timed(lambda: do(ready))[0]


def by_trace(program: Program) -> tuple[float, str]:
    """Seconds of a compile in `jax.profiler.trace`, with its JSON summed by name; and what that gave."""
    found: Counter[str] = Counter()

    def traced(ready: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with jax.profiler.trace(folder):
                ready.compile()
            for path in Path(folder).rglob("*.trace.json.gz"):
                for event in json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]:
                    if event.get("ph") == "X":
                        found[event["name"]] += event["dur"]

    took = compile_s(program, traced)
    return took, f"{len(found):,} names, inclusive times of all threads in one sum, no line and no phase"


def by_dump(program: Program) -> tuple[float, str]:
    """Seconds of a compile that dumps the module around every pass, the files read; and what that gave."""
    sizes: list[int] = []

    def dumped(ready: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            ready.compile(compiler_options={"xla_dump_to": folder, "xla_dump_hlo_pass_re": ".*"})
            sizes.extend(len(path.read_bytes()) for path in Path(folder).rglob("*") if path.is_file())

    took = compile_s(program, dumped)
    return took, f"{len(sizes):,} files, {sum(sizes) / 1e6:.0f} MB: what each pass changed, and not what it took"
