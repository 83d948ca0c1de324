"""Records to draw: sweeps and timings made up, with what a picture may meet."""

from __future__ import annotations

from collections.abc import Callable

from ltc_ir.records.environment import Environment
from ltc_ir.records.sweep import ProgramSweep, Sweep, SweepPoint
from ltc_ir.records.timing import STAGES, Machine, ProgramTiming, Settings, Stage, Timing
from ltc_ir.tables.growth import with_growth

ENVIRONMENT = Environment("0.10.2", "0.10.2", "3.11.7", "cpu", False, 1)
MACHINE = Machine("A processor", 8, 2, 1 << 34, "cpu", None, 0.5, 1.25)
VALUES = (8, 16, 32, 64, 128)
FIGURES: dict[str, Callable[[int], float]] = {
    "jaxpr": lambda n: 436,
    "stablehlo": lambda n: 10 * n,
    "hlo": lambda n: n * n,
    "temporary_bytes": lambda n: 0 if n < 32 else 8 * n * n,
    "argument_bytes": lambda n: 400 * n,
    "compile_s": lambda n: 0.001 * n**3,
    "steady_s": lambda n: 2e-5 * n,
}


def program_sweep(values: tuple[int, ...] = VALUES, **more: Callable[[int], float]) -> ProgramSweep:
    """A program's points with the growth of each figure; timed ones have an interval."""
    figures = {**FIGURES, **more}
    points = []
    for value in values:
        metrics = {name: float(figure(value)) for name, figure in figures.items()}
        spans = {name: (0.9 * one, 1.2 * one) for name, one in metrics.items() if name.endswith("_s")}
        points.append(SweepPoint(value, metrics, spans))
    return with_growth(ProgramSweep(tuple(points)), 0.9)


def sweep(values: tuple[int, ...] = VALUES, programs: tuple[str, ...] = ("grad",), **more: object) -> Sweep:
    """A sweep of these programs, all alike."""
    made = {name: program_sweep(values) for name in programs}
    fields: dict[str, object] = {"programs": made, "machine": MACHINE, "settings": Settings(), **more}
    return Sweep("mine:net", "width", values, ENVIRONMENT, **fields)  # type: ignore[arg-type]


def stage(median: float) -> Stage:
    """A stage with an interval."""
    return Stage(median, median * 0.8, median * 1.5, 7, median * 0.9, median * 1.2, True)


SECONDS = {"trace": 0.5, "lower": 0.25, "compile": 1.25, "first": 0.01, "steady": 0.002, "eager": 0.102}


def timing(target: str = "ltc", why: str = "no reason", **changed: float | Stage | None) -> Timing:
    """A timing of one program; a stage set to ``None`` was not measured for the reason ``why``."""
    made: dict[str, Stage | None] = {}
    for name, value in {**SECONDS, **changed}.items():
        made[name] = stage(value) if isinstance(value, float) else value
    reasons = {name: why for name in STAGES if made[name] is None}
    return Timing(target, ENVIRONMENT, MACHINE, Settings(), {"forward": ProgramTiming(made, reasons=reasons)})
