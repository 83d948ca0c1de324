"""What a user would pick instead to count: JAX's histograms, a recursion by hand, text, MLIR's statistics, other tools."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.common import EQUATIONS_PER_STEP, Result, child, of_pairs, same_lines, timed, traced
from benchmarks.scale import read_jaxpr, read_stablehlo

TOOLS = {"jaxlint": "", "jaxplorer": "needs Python 3.12"}
"""Tools of the package registry that count operations, and what else they need."""


def measure(equations: int, runs: int) -> dict[str, Any]:
    """Each way to count the same traced and lowered gradient: ratios of seconds, taken in turn, and what it found."""
    from ltc_ir.ir.origin import Ownership

    program = traced(same_lines(equations // EQUATIONS_PER_STEP))
    lowered = program.lower()
    module = lowered.compiler_ir("stablehlo")
    ways: dict[str, dict[str, Callable[[], int | None]]] = {
        "jaxpr": {
            "histogram": lambda: _histogram(program.jaxpr),
            "source": lambda: _source_histogram(program.jaxpr),
            "recursion": lambda: _by_hand(program.jaxpr),
        },
        "stablehlo": {
            "count": lambda: lowered.as_text().count("stablehlo."),
            "regex": lambda: _regex(lowered.as_text()),
            "statistics": lambda: _statistics(module),
            "jaxlint": lambda: _jaxlint(lowered),
        },
    }
    found: dict[str, Any] = {name: {"ratios": []} for level in ways.values() for name in level}
    phases = read_jaxpr(program, Ownership())[1]
    read_stablehlo(module, Ownership(), phases)  # what is imported at first use is in no figure
    there: dict[str, int] = {}
    for _ in range(runs):
        ours: dict[str, float] = {}
        ours["jaxpr"], (there["jaxpr"], _) = timed(lambda: read_jaxpr(program, Ownership()))
        ours["stablehlo"], there["stablehlo"] = timed(lambda: read_stablehlo(module, Ownership(), phases))
        for level, named in ways.items():
            for name, way in named.items():
                took, found[name]["found"] = timed(way)
                found[name]["ratios"].append(ours[level] / took)
                found[name]["level"] = level
    return {"ways": found, "there": there, "branches": _branches(), "hlo": _hlo(equations, runs)}


def _histogram(jaxpr: Any) -> int | None:
    """JAX's own histogram of primitives, a private helper; it adds the shapes of outputs to its keys."""
    try:
        util = importlib.import_module("jax._src.jaxpr_util")
        return sum(util.primitives(getattr(jaxpr, "jaxpr", jaxpr)).values())
    except (ImportError, AttributeError):
        return None


def _source_histogram(jaxpr: Any) -> int | None:
    try:
        util = importlib.import_module("jax._src.jaxpr_util")
        return sum(util.source_locations(getattr(jaxpr, "jaxpr", jaxpr)).values())
    except (ImportError, AttributeError):
        return None


def _by_hand(jaxpr: Any) -> int:
    """The recursion that most people write: into each parameter that is a jaxpr, and so not into a tuple of branches."""
    found: Counter[str] = Counter()

    def visit(inner: Any) -> None:
        for eqn in getattr(inner, "jaxpr", inner).eqns:
            found[eqn.primitive.name] += 1
            for value in eqn.params.values():
                if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
                    visit(value)

    visit(jaxpr)
    return sum(found.values())


def _branches() -> dict[str, int]:
    """What that recursion and this tool find of a program with branches."""
    import jax
    import jax.numpy as jnp

    import ltc_ir

    def f(x: Any) -> Any:
        return jax.lax.cond(x.sum() > 0, lambda y: jnp.sin(jnp.cos(y)), lambda y: jnp.exp(y) + 1, x)

    made = ltc_ir.count(f, args=(jnp.ones(3),), programs=["forward"], levels=["jaxpr"])
    return {"found": _by_hand(jax.make_jaxpr(f)(jnp.ones(3))), "there": made.programs["forward"]["jaxpr"].tally.total}


def _regex(text: str) -> int:
    """Operations as a regular expression sees them; it misses those without a result and those inside ``applies``."""
    return sum(Counter(re.findall(r"= \"?(stablehlo\.[a-z_0-9]+)", text)).values())


def _statistics(module: Any) -> int:
    """MLIR's ``print-op-stats``, which prints to file descriptor 2 and nowhere else."""
    from jaxlib.mlir import passmanager

    with tempfile.TemporaryFile() as caught, module.context:
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            passmanager.PassManager.parse("builtin.module(print-op-stats{json=true})").run(module.operation)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        caught.seek(0)
        return sum(json.loads(caught.read()).values())


def _jaxlint(lowered: Any) -> int | None:
    """The inventory of jaxlint, which is a regular expression over the text."""
    try:
        analysis = importlib.import_module("jaxlint.hlo.stablehlo_analysis")
    except ImportError:
        return None

    class Exported:
        mlir_module = staticmethod(lowered.as_text)

    return sum(analysis.SemanticAnalyzer(Exported()).get_operation_inventory().values())


def _hlo(equations: int, runs: int) -> dict[str, Any] | None:
    """Counting optimised HLO: this tool from the compiled program, jaxplorer from its text; ``None`` without jaxplorer."""
    import jax
    import jax.numpy as jnp

    from ltc_ir.ir.origin import Ownership
    from ltc_ir.records.request import Request
    from ltc_ir.records.vocabulary import Level
    from ltc_ir.tables.live import count_program
    from ltc_ir.targets.stages import Staged
    from ltc_ir.targets.target import Program

    try:
        parse = importlib.import_module("jaxplorer.hlograph").parse_module
    except (ImportError, SyntaxError):
        return None
    steps = max(1, min(200, equations // EQUATIONS_PER_STEP))
    staged = Staged(Program(jax.grad(same_lines(steps)), (jnp.ones(4),)), "others")
    compiled = staged.compiled
    ratios = []
    for _ in range(runs + 1):
        ours_s, made = timed(lambda: count_program(staged, Request(levels=(Level.HLO,)), Ownership()))
        theirs_s, module = timed(lambda: parse(compiled.as_text()))
        ratios.append(ours_s / theirs_s)
    return {"ratios": ratios[1:], "found": module.instruction_count, "there": made["hlo"].tally.total}


def benchmark(equations: int, runs: int) -> list[Result]:
    """The comparison lines of the report."""
    made = child("benchmarks.others", str(equations), str(runs))
    branches = made["branches"]
    misses = f"no phase, no source; of a program with branches {branches['found']} of {branches['there']}"
    return [
        _line("JAX's private histogram of primitives", made, "histogram", "no phase"),
        _line("JAX's private histogram by source line", made, "source", "no phase"),
        _line("a recursion over make_jaxpr, by hand", made, "recursion", misses),
        _line("str.count over the printed text", made, "count", "one sum of all"),
        _line("a regular expression over the printed text", made, "regex", "no phase, no source"),
        _line("MLIR's print-op-stats", made, "statistics", "in C++, no phase, no source"),
        _of_tool("jaxlint", made, "inventory of StableHLO"),
        _of_tool("jaxplorer", made, "parser of HLO"),
    ]


_KINDS = {"jaxpr": "equations", "stablehlo": "operations"}


def _line(what: str, made: dict[str, Any], key: str, words: str) -> Result:
    """The line of one way: the same level counted by this tool, with phase and source, and by it."""
    way = made["ways"][key]
    level, label = way["level"], f"ours / {what}"
    if way["found"] is None:
        return Result(label, "not to be had", "-", "this JAX, or this installation, does not have it")
    return of_pairs(label, way["ratios"], "-", f"{way['found']:,} of {made['there'][level]:,} {_KINDS[level]}; {words}")


def _of_tool(tool: str, made: dict[str, Any], what: str) -> Result:
    """The line of a tool that may not be installed, or not for this Python."""
    try:
        version = importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        needs = f"; it {TOOLS[tool]}, this is {platform.python_version()}" if TOOLS[tool] else ""
        how = f"compared where it is (benchmarks/requirements.txt){needs}"
        return Result(f"ours / {tool}'s {what}", "not installed", "-", how)
    label = f"{tool}'s {what}, {version}"
    if tool == "jaxlint":
        return _line(label, made, tool, "a regular expression over the text, no phase")
    hlo = made["hlo"]
    if hlo is None:
        return Result(f"ours / {label}", "does not load", "-", f"on Python {platform.python_version()}")
    found = f"{hlo['found']:,} of {hlo['there']:,} instructions; no phase"
    return of_pairs(f"ours / {label}", hlo["ratios"], "-", found)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
