"""Counts one live program at the levels asked for: its stages passed, each level read once, its facts gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ltc_ir import compat
from ltc_ir.ir.jaxpr import reader as jaxpr_level
from ltc_ir.ir.name_evidence import Evidence
from ltc_ir.ir.op import Stream
from ltc_ir.ir.origin import Ownership
from ltc_ir.ir.stablehlo import reader as stablehlo_level
from ltc_ir.ir.stablehlo.facts import text_size
from ltc_ir.records.count import Executed, LevelCount
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import Level
from ltc_ir.tables.counting import count_hlo, count_jaxpr, count_stablehlo
from ltc_ir.tables.unfolding import RecursiveCallsError, Unfolded, unfold
from ltc_ir.targets.stages import Staged


def count_program(staged: Staged, request: Request, ownership: Ownership) -> dict[str, LevelCount]:
    """The counts of one program, by level."""
    levels = request.read_levels
    wants = request.wants if Level.JAXPR in levels else frozenset()
    made, evidence = _jaxpr(jaxpr_level.read(staged.traced.jaxpr, wants, ownership, library=request.library), request)
    ownership.outside |= staged.outside
    context = _Context(staged, request, ownership, evidence)
    if request.executed and Level.JAXPR in levels:
        from ltc_ir.execution.measured import with_executed

        made = with_executed(made, staged, request, ownership)
    counts = {Level.JAXPR.value: made} if Level.JAXPR in levels else {}
    return counts | {level.value: read(context) for level, read in _READERS.items() if level in levels}


@dataclass(frozen=True)
class _Context:
    staged: Staged
    request: Request
    ownership: Ownership
    evidence: Evidence


def _jaxpr(stream: Stream, request: Request) -> tuple[LevelCount, Evidence]:
    """The count of the jaxpr, and what it tells of the names below; its stream is gone before the next is read."""
    unfolded = unfold(stream, module=False)
    return count_jaxpr(stream, unfolded, request), evidence_of(stream, unfolded)


def evidence_of(stream: Stream, unfolded: Unfolded) -> Evidence:
    """What a program's own jaxpr proves of the names in what it is lowered to."""
    phases = frozenset(op.origin.phase for op in unfolded.expanded)
    return Evidence.of_program(stream.facts["scopes"], phases)


def _stablehlo(context: _Context) -> LevelCount:
    stream = stablehlo_level.read(
        context.staged.module(),
        context.request.wants,
        context.ownership,
        context.evidence,
        library=context.request.library,
    )
    facts: dict[str, Any] = {"constants": constant_bytes(stream, context.staged.lowered)}
    if context.request.text:
        facts |= text_size(context.staged.module())
    else:
        facts["reasons"] = {
            "lines": "the text was not printed (--no-text)",
            "bytes": "the text was not printed (--no-text)",
        }
    made = count_stablehlo(stream, context.request, facts)

    def runs() -> Executed:
        from ltc_ir.execution.static import of_stablehlo

        return of_stablehlo(context.staged.module(), stream, context.request)

    return _with_static(made, context, runs)


def _with_static(made: LevelCount, context: _Context, count: Callable[[], Executed]) -> LevelCount:
    """A count with how often its operations run, where that was asked; ``None`` with the reason where the text is silent."""
    if not context.request.executed:
        return made
    from ltc_ir.execution.static import UnknownRunsError

    try:
        return replace(made, executed=count())
    except (UnknownRunsError, RecursiveCallsError) as error:
        return replace(made, reasons={**made.reasons, "executed": str(error)})


def constant_bytes(stream: Stream, lowered: Any) -> dict[str, int | None]:
    """Stored bytes of constants that are neither scalar nor splat: all of them, and those in the text."""
    embedded = stream.facts["constants"].embedded_bytes
    hoisted = compat.hoisted_constants(lowered)
    if hoisted is None:
        return {"bytes": None, "embedded_bytes": embedded}
    return {"bytes": embedded + sum(_stored_bytes(value) for value in hoisted), "embedded_bytes": embedded}


def _stored_bytes(value: Any) -> int:
    """Bytes of a hoisted constant; scalars count for nothing, as embedded ones do."""
    return int(value.nbytes) if getattr(value, "ndim", 0) else 0


def _hlo(context: _Context) -> LevelCount:
    from ltc_ir.tables.compiled_hlo import optimised
    from ltc_ir.tables.xla_costs import xla_facts

    request = context.request
    found = optimised(
        context.staged, request.wants, context.ownership, context.evidence, library=context.request.library
    )
    made = count_hlo(found.stream, request, xla_facts(found.compiled, found.module))

    def runs() -> Executed:
        from ltc_ir.execution.static import of_hlo

        return of_hlo(found.module, found.stream, request)

    return _with_static(made, context, runs)


_READERS: Mapping[Level, Callable[[_Context], LevelCount]] = {
    Level.STABLEHLO: _stablehlo,
    Level.HLO: _hlo,
}
