"""Lays a sweep out: per program a row for each figure, a column for each size, and how fast it grows; and rows for CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ltc_ir.records.figures import size
from ltc_ir.records.sweep import BYTES, SECONDS, Growth, Metric, ProgramSweep, Sweep, SweepPoint
from ltc_ir.records.timing import seconds
from ltc_ir.render.layouts.timing import conditions
from ltc_ir.render.sheet import Cell, Row, Sheet
from ltc_ir.render.words.text import figure
from ltc_ir.render.words.timing import FIRST_ONLY, MARK, NOTHING, between, grows_as, too_few

COLUMNS = ("target", "program", "parameter", "value", "metric", "unit", "figure", "low", "high", "runs", "first_only")
_SHOWN: dict[str, Callable[[float], str]] = {SECONDS: seconds, BYTES: size}


def sweep_sheets(sweep: Sweep) -> list[Sheet]:
    """A sheet per program; what holds for all stands under the last."""
    sheets = [_sheet(sweep, name, program) for name, program in sweep.programs.items()]
    if sheets:
        last = sheets[-1]
        sheets[-1] = Sheet(last.title, last.columns, last.rows, (*last.notes, *_notes(sweep)), last.rules)
    return sheets


def _sheet(sweep: Sweep, name: str, program: ProgramSweep) -> Sheet:
    sizes = [str(point.value) for point in program.points]
    columns = ("figure", *sizes, "grows as", f"{sweep.confidence:.0%} interval")
    metrics = program.metrics()
    rows = tuple(_row(program, metric) for metric in metrics)
    units = [metric.unit for metric in metrics]
    rules = frozenset(number for number in range(1, len(units)) if units[number] != units[number - 1])
    notes = (*_of_runs(sweep, program), *_said(program))
    return Sheet(f"{sweep.target} {name}: over {sweep.parameter}", columns, rows, notes, rules)


def _row(program: ProgramSweep, metric: Metric) -> Row:
    growth = program.growth.get(metric.name, Growth())
    return (metric.words, *(_shown(point, metric) for point in program.points), grows_as(growth), between(growth))


def _shown(point: SweepPoint, metric: Metric) -> str:
    value = point.metrics.get(metric.name)
    if value is None:
        return NOTHING
    return _SHOWN.get(metric.unit, figure)(value) + (MARK if metric.name in point.first_only else "")


def _of_runs(sweep: Sweep, program: ProgramSweep) -> Iterator[str]:
    """What the mark means where it stands, and which figures have an interval at no size."""
    if any(point.first_only for point in program.points):
        yield f"{MARK} {FIRST_ONLY}; growth is fitted through it all the same"
    if sweep.settings is not None:
        yield from too_few(program.without_interval(), sweep.settings)


def _said(program: ProgramSweep) -> Iterator[str]:
    """What outgrows what it is made from, then why figures are not there."""
    words = {metric.name: metric.words for metric in program.metrics()}
    for faster in program.faster:
        after, before = program.growth[faster.metric], program.growth[faster.than]
        yield (
            f"{words[faster.metric]} grows faster than {words[faster.than]}: {grows_as(after)} ({between(after)}) against "
            f"{_against(before)}"
        )
    reasons = (
        f"{words[name]}: {why}" for point in program.points for name, why in point.reasons.items()
    )  # fmt: skip
    yield from dict.fromkeys(reasons)
    for name, growth in program.growth.items():
        if growth.reason is not None and any(name in point.metrics for point in program.points):
            yield f"{words[name]}: no growth fitted: {growth.reason}"


def _against(before: Growth) -> str:
    return f"{grows_as(before)} ({between(before)})" if before.grows else grows_as(before)


def _notes(sweep: Sweep) -> Iterator[str]:
    if any(len(program.points) > 1 for program in sweep.programs.values()):
        what = "" if sweep.parameter == "n" else f"n is {sweep.parameter}; "
        yield f"{what}from four sizes on a fixed part is fitted beside the power of n"
    narrowed = [name for names in sweep.filters.values() for name in names]
    if narrowed:
        yield f"operations counted: {', '.join(narrowed)}"
    if sweep.ended is not None:
        yield f"cut short: {sweep.ended.message}"
    yield from (f"{name} left out: {why}" for name, why in sweep.unavailable.items())
    if sweep.settings is None and sweep.environment.jax is not None:
        here = sweep.environment
        yield f"JAX {here.jax}, jaxlib {here.jaxlib}, for {here.platform}"
    yield from conditions(sweep)
    if sweep.settings is not None:
        yield "each size is timed in turn, so a drift of the machine's load shows as growth"
    yield from sweep.notes if sweep.settings is None else ()


def sweep_rows(sweep: Sweep) -> Iterator[Row]:
    """Tidy CSV: a row per figure, by program, metric and size; a figure that is not available is an empty cell."""
    yield COLUMNS
    for name, program in sweep.programs.items():
        for metric in program.metrics():
            for point in program.points:
                span = point.spans.get(metric.name, (None, None))
                which = (sweep.target, name, sweep.parameter, point.value, metric.name, metric.unit)
                yield (*which, _figure(point, metric), *span, *_runs(point, metric.name))


def _figure(point: SweepPoint, metric: Metric) -> float | None:
    """The figure, whole numbers of anything but seconds without a decimal point."""
    value = point.metrics.get(metric.name)
    return int(value) if value is not None and float(value).is_integer() and metric.unit != SECONDS else value


def _runs(point: SweepPoint, metric: str) -> tuple[Cell, Cell]:
    """How many runs a timed figure is of, and whether that is the first alone; empty for counted figures."""
    if metric not in point.runs:
        return None, None
    return point.runs[metric], "yes" if metric in point.first_only else "no"
