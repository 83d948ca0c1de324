"""Lays timings out: the profiling table of all programs, then the stages of each with their intervals; and rows for CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ltc_ir.records.figures import size
from ltc_ir.records.sweep import Sweep
from ltc_ir.records.timing import COLD, MORE_STAGES, STAGES, Machine, ProgramTiming, Settings, Stage, Timing, seconds
from ltc_ir.render.layouts.passes import passes_sheets
from ltc_ir.render.sheet import Cell, Row, Sheet
from ltc_ir.render.words.timing import (
    FIRST_ONLY,
    MARK,
    load_in_words,
    machine_in_words,
    marked,
    versions_in_words,
)

NOTHING = "-"
"""The cell of a stage that was not measured; the notes say why."""
UNKNOWN_LOAD = "load unknown before, unknown after"
ORDER = ("eager", "lower", "compile", "first", "steady", "trace", *MORE_STAGES)
"""The stages in CSV, the published columns first."""
_OF_STAGE = ("min_s", "max_s", "low_s", "high_s", "runs")


def timing_sheets(timings: Sequence[Timing], *, top: int | None = None) -> list[Sheet]:
    """The profiling table, of a single target the stages of each program, then each compile by pass, ``top`` rows a sheet."""
    sheets = [_profile(timings)]
    if len(timings) == 1:
        sheets += [_stages(timings[0], name, made) for name, made in timings[0].programs.items()]
    by_pass = [made.passes for timing in timings for made in timing.programs.values() if made.passes is not None]
    return [*sheets, *(sheet for passes in by_pass for sheet in passes_sheets(passes, top=top))]


def _profile(timings: Sequence[Timing]) -> Sheet:
    rows = [_profile_row(timing.target, name, made) for timing in timings for name, made in timing.programs.items()]
    title = f"{timings[0].target}: time, medians" if len(timings) == 1 else "time, medians"
    columns = ("program", *STAGES, "eager/steady", "pays after calls")
    return Sheet(title, columns, tuple(rows), tuple(dict.fromkeys(_profile_notes(timings))))


def _profile_row(target: str, name: str, made: ProgramTiming) -> Row:
    ratio = made.eager_over_steady
    stages = (marked(made.stages.get(stage)) or NOTHING for stage in STAGES)
    return (
        f"{target} {name}", *stages, NOTHING if ratio is None else _times(ratio),
        NOTHING if made.break_even_calls is None else made.break_even_calls,
    )  # fmt: skip


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.1f}x"


def _profile_notes(timings: Sequence[Timing]) -> Iterator[str]:
    shown = (made.stages.get(stage) for timing in timings for made in timing.programs.values() for stage in STAGES)
    yield from _explained(shown)
    for timing in timings:
        for name, made in timing.programs.items():
            if made.cause is not None:
                yield f"{timing.target} {name}: {made.cause.sentence}"
            if made.passes is not None:
                yield f"{timing.target} {name}: compile: {made.passes.sentence}"
            elif "passes" in made.reasons:
                yield f"{timing.target} {name}: passes: {made.reasons['passes']}"
        if timing.ended is not None:
            yield f"{timing.target}: cut short: {timing.ended.message}"
        yield from (f"{timing.target} {name} left out: {why}" for name, why in timing.unavailable.items())
    for timing in timings:
        yield from conditions(timing)


def _explained(stages: Iterable[Stage | None]) -> Iterator[str]:
    """What the mark means, where it stands."""
    if any(stage is not None and stage.first_only for stage in stages):
        yield f"{MARK} {FIRST_ONLY}; no ratio or break-even is made of it"


def conditions(timing: Timing | Sweep) -> Iterator[str]:
    """What stands under every timing: the machine, its load, the versions, how was measured and the caches."""
    here, machine = timing.environment, timing.machine
    if here.jax is None or machine is None or timing.settings is None:
        return
    yield f"{machine_in_words(machine)}; {versions_in_words(here)}"
    if machine.flags:
        yield machine.flags
    yield f"{timing.target}: {load_in_words(machine) or UNKNOWN_LOAD}{_busy(machine)}"
    yield from _settings(timing.settings)
    yield from timing.notes


def _busy(machine: Machine) -> str:
    """A warning where others were at work already: this program itself keeps one core busy, or all of them."""
    cores = machine.usable_cores or machine.cores
    if machine.load_before is None or cores is None or machine.load_before < 0.75 * cores:
        return ""
    return "; the machine was busy before, and the figures are of a busy machine"


def _settings(settings: Settings) -> Iterator[str]:
    yield f"caches {settings.caches}; results awaited; garbage collector held; the first run in a process set apart"
    if settings.repeat is not None:
        yield f"{settings.repeat} runs of each stage were asked for, within {settings.limit_s:g} s a program"
    else:
        yield (
            f"runs until the {settings.confidence:.0%} interval of each median lies within {settings.within:.0%} of it, "
            f"or {settings.limit_s:g} s a program are over"
        )


def _stages(timing: Timing, name: str, made: ProgramTiming) -> Sheet:
    columns = ("stage", "median", "least", "most", f"{timing.settings.confidence:.0%} interval", "runs", "stopped by")
    order = [stage for stage in (*STAGES, "compile_warm", "op_by_op") if stage in made.stages]
    rows = [_stage_row(stage, made.stages[stage]) for stage in order]
    if made.whole is not None:
        rows.append(_stage_row("whole", made.whole))
    rules = frozenset({len(COLD), len(rows) - 1}) if made.whole is not None else frozenset({len(COLD)})
    return Sheet(f"{timing.target} {name}: stages", columns, tuple(rows), tuple(_notes(made)), rules)


def _stage_row(name: str, stage: Stage | None) -> Row:
    if stage is None:
        return (name, NOTHING, None, None, None, None, None)
    between = "too few runs" if stage.low_s is None else f"{seconds(stage.low_s)} to {seconds(stage.high_s)}"
    runs = f"{stage.runs:,}" if stage.calls == 1 else f"{stage.runs:,} of {stage.calls:,} calls"
    stopped = "enough" if stage.enough else stage.stopped
    return (name, marked(stage), seconds(stage.min_s), seconds(stage.max_s), between, runs, stopped)


def _notes(made: ProgramTiming) -> Iterator[str]:
    yield from _explained((*made.stages.values(), made.whole))
    if made.cause is not None:
        yield made.cause.sentence
    if made.covered is not None:
        yield f"the stages add up to {made.covered:.1%} of the whole, measured from outside"
    for what, peak in (("compile", made.memory.compile), ("first call", made.memory.run)):
        if peak is not None:
            yield f"memory of the {what}: {size(peak.peak_bytes)} resident at most, {size(peak.added_bytes)} added"
    if made.memory.xla is not None:
        figures = ", ".join(f"{key.removesuffix('_bytes')} {size(value)}" for key, value in made.memory.xla.items())
        yield f"memory of the program by XLA: {figures}"
    if made.why_no_break_even is not None:
        yield f"no break-even: {made.why_no_break_even}"
    yield from dict.fromkeys(f"{what}: {why}" for what, why in made.reasons.items())


def timing_rows(timings: Sequence[Timing]) -> Iterator[Row]:
    """CSV: a row per program: medians in seconds, ratio, break-even, the spread of each stage, which are first runs."""
    medians = [f"{stage}_s" for stage in ORDER]
    spread = [f"{stage}_{name}" for stage in (*STAGES, *MORE_STAGES) for name in _OF_STAGE]
    yield ("target", "program", *medians, "eager_over_steady", "break_even_calls", *spread, "first_only")
    for timing in timings:
        for name, program in timing.programs.items():
            yield (timing.target, name, *_figures(program))


def _figures(program: ProgramTiming) -> Iterator[Cell]:
    """A program's figures; one that is not available is an empty cell."""
    yield from map(program.seconds, ORDER)
    yield from (program.eager_over_steady, program.break_even_calls)
    for stage in (*STAGES, *MORE_STAGES):
        yield from (getattr(program.stages.get(stage), name, None) for name in _OF_STAGE)
    yield " ".join(program.first_only)
