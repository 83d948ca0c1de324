"""What a user would pick instead: JAX's private histograms, a regular expression over the text, jaxplorer's parser."""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from typing import Any

from benchmarks.common import EQUATIONS_PER_STEP, Result, child, same_lines, timed, traced
from benchmarks.scale import read_all


def measure(equations: int) -> dict[str, Any]:
    """Seconds of each way to count the same traced and lowered gradient, and what each found."""
    program = traced(same_lines(equations // EQUATIONS_PER_STEP))
    lowered = program.lower()
    module = lowered.compiler_ir("stablehlo")
    ours_s, (total, operations) = timed(lambda: read_all(program, module))
    histogram_s, histogram = timed(lambda: _histogram(program.jaxpr))
    source_s, _ = timed(lambda: _source_histogram(program.jaxpr))
    regex_s, found = timed(lambda: _regex(lowered.as_text()))
    return {
        "ours_s": ours_s, "histogram_s": histogram_s, "source_s": source_s, "regex_s": regex_s, "equations": total,
        "operations": operations, "histogram": histogram, "regex": found, "jaxplorer": _jaxplorer(),
    }  # fmt: skip


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


def _regex(text: str) -> int:
    """Operations as a regular expression sees them; it misses those without a result and those inside ``applies``."""
    return sum(Counter(re.findall(r"= \"?(stablehlo\.[a-z_0-9]+)", text)).values())


def _jaxplorer() -> str:
    try:
        importlib.import_module("jaxplorer")
    except ImportError:
        return "not installed"
    return "installed"


def benchmark(equations: int) -> list[Result]:
    """The comparison lines of the report."""
    made = child("benchmarks.others", str(equations))

    def line(what: str, key: str, found: str) -> Result:
        return Result(f"ours / {what}", f"{made['ours_s'] / made[key]:.2f} x", "-", found)

    equations = f"it finds {made['histogram']:,} of {made['equations']:,} equations, no phase"
    operations = f"it finds {made['regex']:,} of {made['operations']:,} operations, no phase, no source"
    return [
        line("JAX's private histogram of primitives", "histogram_s", equations),
        line("JAX's private histogram by source line", "source_s", "jaxpr only, no phase"),
        line("a regular expression over the printed text", "regex_s", operations),
        Result("jaxplorer's parser", made["jaxplorer"], "-", "needs the text; compared where it installs"),
    ]


if __name__ == "__main__":
    import sys

    print(json.dumps(measure(int(sys.argv[1]))))
