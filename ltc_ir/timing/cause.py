"""What stands behind the largest stage of a cold start: the count that grows with it, and the line that has most of it."""

from __future__ import annotations

from dataclasses import replace

from ltc_ir.ir.origin import Ownership
from ltc_ir.records.request import Request
from ltc_ir.records.timing import COLD, Cause, ProgramTiming
from ltc_ir.records.vocabulary import NO_SOURCE, By, Level
from ltc_ir.tables.live import count_program
from ltc_ir.targets.stages import Staged
from ltc_ir.targets.target import Program
from ltc_ir.timing.cold_start import Cycle

_COUNTED = {
    "trace": (Level.JAXPR, "equations"),
    "lower": (Level.STABLEHLO, "StableHLO operations"),
    "compile": (Level.HLO, "HLO instructions"),
}
"""What a stage makes, which is what its time grows with."""


def cause_of(timing: ProgramTiming, cycle: Cycle, program: Program, label: str, ownership: Ownership) -> Cause | None:
    """The cause; ``None`` where there was no cold start.

    It is read from what the last cold start made, after all measuring.
    """
    known = {stage: timing.seconds(stage) or 0.0 for stage in COLD if timing.stages.get(stage) is not None}
    if not known:
        return None
    stage = max(known, key=lambda name: known[name])
    first = not set(COLD).isdisjoint(timing.first_only)
    cause = Cause(stage, known[stage], sum(known.values()), first_only=first)
    if stage not in _COUNTED:
        return cause
    level, unit = _COUNTED[stage]
    made = count_program(_passed(program, label, cycle), _request(level), ownership)[level.value]
    most = next((group for group in made.by or () if group.key != NO_SOURCE), None)
    source, number = (None, None) if most is None else (most.key, most.tally.total)
    return replace(cause, number=made.tally.total, unit=unit, source=source, source_number=number)


def _request(level: Level) -> Request:
    return Request(levels=(level,), by=(By.SOURCE,), text=False)


def _passed(program: Program, label: str, cycle: Cycle) -> Staged:
    """A program that has passed its stages already."""
    staged = Staged(program, label, clear=False)
    vars(staged).update(traced=cycle.traced, lowered=cycle.lowered, compiled=cycle.compiled)
    return staged
