"""Every benchmark by name: what it sets beside what, and how it is run; nothing here imports JAX before one is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.common import Result


@dataclass(frozen=True)
class Settings:
    """How large and how often: small sizes with ``quick``, else those of the documentation; ``runs`` pairs."""

    quick: bool = False
    runs: int = 5

    @property
    def equations(self) -> int:
        """The largest program that is counted."""
        return 20_000 if self.quick else 280_000


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: ``about`` is its heading on the page, ``on_device`` whether an accelerator makes it another one."""

    about: str
    run: Callable[[Settings], list[Result]]
    on_device: bool = False


def _run(name: str, *arguments: object, **named: object) -> list[Result]:
    """The lines of the module of that name."""
    made: list[Result] = importlib.import_module(f"benchmarks.{name}").benchmark(*arguments, **named)
    return made


BENCHMARKS: dict[str, Benchmark] = {
    "startup": Benchmark("whole commands, and Python scripts of the same work", lambda how: _run("startup", how.runs)),
    "scale": Benchmark("counting, and JAX's own trace and lower", lambda how: _run("scale", how.equations, 3)),
    "files": Benchmark(
        "counting a StableHLO file, and MLIR's parse of it",
        lambda how: _run("files", 1.0 if how.quick else 25.0, how.runs),
    ),
    "others": Benchmark("other ways to count", lambda how: _run("others", how.equations // 4, how.runs)),
    "executing": Benchmark(
        "counting what runs, and the plain run, counters on the host, a counter by hand",
        lambda how: _run("executing", how.runs, quick=how.quick),
        on_device=True,
    ),
    "work": Benchmark(
        "flops of what ran, and XLA's and JAX's estimates", lambda how: _run("work", quick=how.quick), on_device=True
    ),
    "timing": Benchmark(
        "timings, and what one writes to time a function",
        lambda how: _run("timing", how.runs, quick=how.quick),
        on_device=True,
    ),
    "passes": Benchmark(
        "a compile by pass, and a plain compile, a trace, a dump",
        lambda how: _run("passes", how.runs, quick=how.quick),
        on_device=True,
    ),
    "training": Benchmark(
        "ways to train several seeds, and the published one",
        lambda how: _run("training", how.runs, quick=how.quick),
    ),
    "guard": Benchmark("the guard, and JAX and pytest without it", lambda how: _run("guard", how.runs)),
}
