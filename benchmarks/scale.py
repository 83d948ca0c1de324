"""What counting adds to JAX's own trace and lower: time, memory and growth, on gradients of up to 280,000 equations."""

from __future__ import annotations

import gc
import json
import math
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import EQUATIONS_PER_STEP, Result, child, own_lines, peak_mib, same_lines, timed, traced


def count_all(program: Any) -> tuple[float, float, tuple[int, int]]:
    """Seconds of counting both levels as `count` does, and of lowering the marked copy; the totals of the levels.

    Counting is reading the jaxpr, marking a copy of it, and reading the module that the copy is lowered to.
    """
    from ltc_ir import compat
    from ltc_ir.ir.jaxpr import reader as jaxpr
    from ltc_ir.ir.jaxpr.marking import mark
    from ltc_ir.ir.jaxpr.phases import corrected_flags
    from ltc_ir.ir.op import Details
    from ltc_ir.ir.origin import Ownership
    from ltc_ir.ir.stablehlo import marked
    from ltc_ir.records.op_table import level_count
    from ltc_ir.records.request import Request
    from ltc_ir.records.vocabulary import Level
    from ltc_ir.tables.build import build

    request, correct = Request(), partial(corrected_flags, whole=True)
    reader = jaxpr.Reader(request.wants, Ownership(), library=False, details=Details.WIDTHS, correct=correct)

    def read_and_mark() -> tuple[int, Any, Any]:
        table = build(Level.JAXPR, reader.read_program(program.jaxpr), request.wants)
        return (level_count(table, request).tally.total, *mark(reader))

    def read_module() -> int:
        table = build(Level.STABLEHLO, marked.read(module, marks, request.wants), request.wants)
        return level_count(table, request).tally.total

    first_s, (equations, copy, marks) = timed(read_and_mark)
    lower_s, lowered = timed(compat.with_jaxpr(program, copy).lower)
    module = lowered.compiler_ir("stablehlo")
    gc.collect()
    second_s, operations = timed(read_module)
    return first_s + second_s, lower_s, (equations, operations)


def read_jaxpr(program: Any, ownership: Any) -> tuple[int, frozenset[Any]]:
    """Count a jaxpr with phase and source: the total, and the phases that are in it."""
    from ltc_ir.ir.jaxpr import reader as jaxpr
    from ltc_ir.ir.jaxpr.phases import corrected_flags
    from ltc_ir.records.op_table import level_count
    from ltc_ir.records.request import Request
    from ltc_ir.records.vocabulary import Level, Phase
    from ltc_ir.tables.build import build

    request = Request()
    stream = jaxpr.read(program.jaxpr, request.wants, ownership, correct=corrected_flags)
    table = build(Level.JAXPR, stream, request.wants)
    phases = frozenset(map(Phase, {row.phase for row in table.weights}))
    return level_count(table, request).tally.total, phases


def read_stablehlo(module: Any, ownership: Any, phases: frozenset[Any]) -> int:
    """Count a StableHLO module with phase and source: the total."""
    from ltc_ir.ir.origin import Evidence
    from ltc_ir.ir.stablehlo import reader as stablehlo
    from ltc_ir.records.op_table import level_count
    from ltc_ir.records.request import Request
    from ltc_ir.records.vocabulary import Level
    from ltc_ir.tables.build import build

    request = Request()
    lowered = stablehlo.read(module, request.wants, ownership, Evidence(lowered=True, phases=phases))
    return level_count(build(Level.STABLEHLO, lowered, request.wants), request).tally.total


def measure(kind: str, equations: int) -> dict[str, float]:
    """Seconds of JAX's stages, of counting, and of printing, in this process; peak memory before and after counting.

    Where the marked copy takes longer to lower than the program, counting has that time.
    """
    steps = max(1, equations // EQUATIONS_PER_STEP)
    first = traced(same_lines(1))
    count_all(first)  # what is imported at first use is in no figure
    with tempfile.TemporaryDirectory() as folder:
        fn = same_lines(steps) if kind == "same" else own_lines(steps, Path(folder))
        trace_s, program = timed(lambda: traced(fn))
        lower_s, lowered = timed(program.lower)
    text_s, _ = timed(partial(_printed_lines, lowered))
    del lowered
    gc.collect()
    before = peak_mib()
    count_s, marked_s, (jaxpr_total, stablehlo_total) = count_all(program)
    after = peak_mib()
    count_s += max(0.0, marked_s - lower_s)
    return {
        "stages_s": trace_s + lower_s, "count_s": count_s, "text_s": text_s, "jaxpr": jaxpr_total,
        "stablehlo": stablehlo_total, "memory": after / before,
    }  # fmt: skip


def _printed_lines(lowered: Any) -> int:
    return len(lowered.as_text().splitlines())


def exponent(points: list[tuple[float, float]]) -> float:
    """The slope of a least-squares line through the logarithms of size and cost."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)


def benchmark(most: int, runs: int) -> list[Result]:
    """The scale lines of the report."""
    results = []
    sizes = [size for size in (1_000, 4_000, 16_000, 64_000) if size < most]
    grown = [[child("benchmarks.scale", "same", str(size)) for _ in range(runs)] for size in sizes]
    for kind, bound, name in (("same", "5 %", "shared source lines"), ("own", "20 %", "a source line per step")):
        made = [child("benchmarks.scale", kind, str(most)) for _ in range(runs)]
        grown += [made] if kind == "same" else []
        shares = sorted(100 * one["count_s"] / one["stages_s"] for one in made)
        with_text = sorted(100 * (one["count_s"] + one["text_s"]) / one["stages_s"] for one in made)
        sizes_read = f"{made[0]['jaxpr']:,} equations, {made[0]['stablehlo']:,} operations"
        how = f"{sizes_read}; {runs} runs {shares[0]:.1f} to {shares[-1]:.1f} %"
        results.append(
            Result(f"counting both levels, phase and source, {name}", f"{shares[runs // 2]:.1f} %", bound, how)
        )
        results.append(
            Result(f"… and the text for lines and bytes, {name}", f"{with_text[runs // 2]:.1f} %", "-", "same runs")
        )
        memory = max(one["memory"] for one in made)
        results.append(Result(f"peak memory with counting, {name}", f"{memory:.2f} x", "1.2 x", "of JAX's own peak"))
    points = [(made[0]["jaxpr"] + made[0]["stablehlo"], min(one["count_s"] for one in made)) for made in grown]
    figure = f"{exponent(points):.2f}"
    shown = ", ".join(f"{size:,}: {1e6 * cost / size:.2f} µs" for size, cost in points)
    results.append(Result("growth of counting, exponent", figure, "1.05", f"per operation of both levels: {shown}"))
    return results


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
