"""What the benchmarks share: programs of any size, child processes with their time and peak memory, and a table."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EQUATIONS_PER_STEP = 9
"""Equations of the gradient of one step on JAX 0.10 (seven from 0.12 on)."""


@dataclass(frozen=True)
class Result:
    """One line of the report: what was measured, the figure, its bound, and how it was had."""

    what: str
    figure: str
    bound: str
    how: str


def same_lines(steps: int) -> Callable[[Any], Any]:
    """A function of ``steps`` unrolled steps that share two source lines."""
    import jax.numpy as jnp

    def unrolled(x: Any) -> Any:
        for _ in range(steps):
            x = jnp.tanh(x * 1.01) + x
        return x.sum()

    return unrolled


def own_lines(steps: int, folder: Path) -> Callable[[Any], Any]:
    """The same function written out, every step on a source line of its own."""
    path = folder / "written_out.py"
    body = "    x = jnp.tanh(x * 1.01) + x\n" * steps
    path.write_text(f"import jax.numpy as jnp\ndef unrolled(x):\n{body}    return x.sum()\n", encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return names["unrolled"]  # type: ignore[no-any-return]


def traced(fn: Callable[[Any], Any]) -> Any:
    """The traced gradient of a function of four floats."""
    import jax
    import jax.numpy as jnp

    return jax.jit(jax.grad(fn)).trace(jax.ShapeDtypeStruct((4,), jnp.float32))


def timed(do: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds by the wall, and what came of it."""
    start = time.perf_counter()
    made = do()
    return time.perf_counter() - start, made


def peak_mib() -> float:
    """The peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(module: str, *arguments: str) -> Any:
    """What a benchmark's child process printed as JSON on its last line."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=True, env=quiet_environment()
    )
    return json.loads(done.stdout.splitlines()[-1])


def quiet_environment() -> dict[str, str]:
    """The environment of a child: one CPU device, no test settings."""
    return {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"} | {"JAX_PLATFORMS": "cpu"}


def seconds(command: list[str]) -> float:
    """Seconds a whole process takes."""
    took, _ = timed(lambda: subprocess.run(command, capture_output=True, check=True, env=quiet_environment()))
    return took


def paired(left: Callable[[], float], right: Callable[[], float], runs: int) -> tuple[float, float, float]:
    """The median ratio of two measurements taken in turn, with the least and the greatest."""
    ratios = [left() / right() for _ in range(runs)]
    return statistics.median(ratios), min(ratios), max(ratios)


def report(results: Iterable[Result]) -> str:
    """The results as a Markdown table."""
    rows = [f"| {one.what} | {one.figure} | {one.bound} | {one.how} |" for one in results]
    return "\n".join(["| what | figure | bound | how |", "|---|---:|---:|---|", *rows]) + "\n"
