"""What the benchmarks share: programs of any size, child processes with their time and peak memory, pairs, and a table."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NO_BOUND = "shown, not asserted"
EQUATIONS_PER_STEP = 9
"""Equations of the gradient of one step on JAX 0.10 (seven from 0.12 on)."""


@dataclass(frozen=True)
class Result:
    """One line of the report: what was measured, the figure, its bound, and how it was had.

    A bound is ``1.5`` (at most), ``at least 0.90``, ``exactly 12,800`` or ``0.95 to 1.05``, in the figure's own unit; words say
    that there is none.
    """

    what: str
    figure: str
    bound: str
    how: str

    @property
    def bounded(self) -> bool:
        """Whether there is a figure, and a bound for it."""
        return bool(_numbers(self.figure) and _numbers(self.bound))

    @property
    def short(self) -> bool:
        """Whether the figure is outside its bound; what has no bound, or could not be had, falls short of nothing."""
        if not self.bounded:
            return False
        figure, bounds = _numbers(self.figure), _numbers(self.bound)
        least = bounds[0] if len(bounds) == 2 or self.bound.startswith(("at least", "exactly")) else -math.inf
        most = math.inf if self.bound.startswith("at least") else bounds[-1]
        return not least <= figure[0] <= most


def _numbers(text: str) -> list[float]:
    """The numbers of a figure or a bound; none where it is words."""
    found = re.fullmatch(r"(?:at least |exactly )?(-?[\d.,]+)(?: to ([\d.,]+))?(?: (?:%|x|ms|s|of [\d,]+))?", text)
    return [] if found is None else [float(one.replace(",", "")) for one in found.groups() if one]


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


def child(module: str, *arguments: str, platform: str = "cpu") -> Any:
    """What a benchmark's child process printed as JSON on its last line."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet_environment(platform))
    if done.returncode:
        raise SystemExit(f"python -m {module} {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def quiet_environment(platform: str = "cpu") -> dict[str, str]:
    """The environment of a child: one CPU device, no test settings; with an empty platform the one JAX finds or was told.

    Modules keep their bytecode, as installed ones do: without it every process compiles those of this repository again.
    """
    kept = {key: value for key, value in os.environ.items() if key not in {"XLA_FLAGS", "PYTHONDONTWRITEBYTECODE"}}
    return kept | ({"JAX_PLATFORMS": platform} if platform else {})


def seconds(command: list[str]) -> float:
    """Seconds a whole process takes."""
    took, _ = timed(lambda: subprocess.run(command, capture_output=True, check=True, env=quiet_environment()))
    return took


def paired(left: Callable[[], float], right: Callable[[], float], runs: int) -> tuple[float, float, float]:
    """The median ratio of two measurements taken in turn, with the least and the greatest; the first pair is not counted."""
    left(), right()
    ratios = [left() / right() for _ in range(runs)]
    return statistics.median(ratios), min(ratios), max(ratios)


def alternating(left: Callable[[], Any], right: Callable[[], Any], runs: int, fill_s: float = 0.2) -> list[float]:
    """Ratios of two calls, each of the medians of as many calls as fill a time, taken in turn; both are called before."""
    left(), right()
    took = timed(left)[0] + timed(right)[0]
    calls = max(3, min(1_000, round(fill_s / max(took, 1e-7))))
    ratios = []
    for _ in range(runs):
        both = [(timed(left)[0], timed(right)[0]) for _ in range(calls)]
        ratios.append(statistics.median(one for one, _ in both) / statistics.median(one for _, one in both))
    return ratios


def of_pairs(what: str, ratios: list[float], bound: str = NO_BOUND, more: str = "") -> Result:
    """A line whose figure is the median of ratios, each of two measurements taken in turn, with the least and the greatest."""
    how = f"{len(ratios)} pairs, {shown(min(ratios))} to {shown(max(ratios))}"
    return Result(what, shown(statistics.median(ratios)), bound, f"{how}; {more}" if more else how)


def shown(ratio: float) -> str:
    """A ratio with three digits, a small one with three decimals."""
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.3f}"


def report(results: Iterable[Result]) -> str:
    """The results as a Markdown table."""
    rows = [f"| {one.what} | {one.figure} | {one.bound} | {one.how} |" for one in results]
    return "\n".join(["| what | figure | bound | how |", "|---|---:|---:|---|", *rows]) + "\n"
