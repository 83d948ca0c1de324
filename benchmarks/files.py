"""Reading a 25 MB StableHLO file, child process included, beside MLIR's own parse of the same text."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.common import Result, paired, same_lines, timed, traced

PARSE = """
import sys
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo
from jax._src.interpreters.mlir import make_ir_context
with make_ir_context():
    ir.Module.parse(open(sys.argv[1]).read())
"""


def written(folder: Path, megabytes: float) -> Path:
    """A StableHLO text of about that size: a gradient's, with debug information left out."""
    text = traced(same_lines(200)).lower().as_text()
    steps = int(200 * megabytes * 1e6 / len(text))
    path = folder / "large.mlir"
    path.write_text(traced(same_lines(steps)).lower().as_text(), encoding="utf-8")
    return path


def parse_seconds(path: Path) -> float:
    """Seconds of MLIR's own parse, in this process."""
    from jax._src.interpreters.mlir import make_ir_context
    from jaxlib.mlir import ir

    text = path.read_text(encoding="utf-8")
    with make_ir_context():
        took, _ = timed(lambda: ir.Module.parse(text))
    return took


def count_seconds(path: Path) -> float:
    """Seconds of counting the file, its child process included."""
    import ltc_ir

    took, _ = timed(lambda: ltc_ir.count(str(path)))
    return took


def benchmark(megabytes: float, runs: int) -> list[Result]:
    """The file line of the report."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), megabytes)
        size = path.stat().st_size / 1e6
        ratio, low, high = paired(lambda: count_seconds(path), lambda: parse_seconds(path), runs)
        took = parse_seconds(path)
    how = f"{size:.1f} MB; MLIR's parse {took:.1f} s; {runs} pairs, {low:.2f} to {high:.2f}; Python {sys.version.split()[0]}"
    return [Result("counting a .mlir file / MLIR's parse", f"{ratio:.2f}", "2", how)]
