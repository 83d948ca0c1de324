"""Counts one live program at the levels asked for: its stages passed, each level read once, its facts gathered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ltc_ir import compat
from ltc_ir.ir.jaxpr import reader as jaxpr_level
from ltc_ir.ir.name_evidence import Evidence
from ltc_ir.ir.op import Stream
from ltc_ir.ir.origin import Ownership
from ltc_ir.ir.stablehlo import reader as stablehlo_level
from ltc_ir.records.count import LevelCount
from ltc_ir.records.executed import Executed
from ltc_ir.records.vocabulary import Level
from ltc_ir.tables.counting import Question, count_hlo, count_jaxpr, count_stablehlo
from ltc_ir.tables.unfolding import RecursiveCallsError, Unfolded, unfold
from ltc_ir.tables.xla_costs import xla_facts
from ltc_ir.targets.stages import Staged

if TYPE_CHECKING:
    from ltc_ir.targets.example_values import Filling


@dataclass(frozen=True)
class Reading:
    """How to read: the question, whether to print the text for lines and bytes, whether library frames count.

    With ``executed`` it is also counted how often each operation runs; ``fill`` makes values of arguments that are shapes.
    """

    question: Question
    text: bool = True
    library: bool = False
    executed: bool = False
    fill: Filling | None = None


def count_program(
    staged: Staged, levels: Collection[Level], reading: Reading, ownership: Ownership
) -> dict[str, LevelCount]:
    """The counts of one program, by level."""
    wants = reading.question.wants if Level.JAXPR in levels else frozenset()
    made, evidence = _jaxpr(jaxpr_level.read(staged.traced.jaxpr, wants, ownership, library=reading.library), reading)
    ownership.outside |= staged.outside
    context = _Context(staged, reading, ownership, evidence)
    if reading.executed and Level.JAXPR in levels:
        from ltc_ir.execution.measured import Asked, with_executed

        asked = Asked(reading.question, ownership, reading.library, reading.fill)
        made = with_executed(made, staged, asked)
    counts = {Level.JAXPR.value: made} if Level.JAXPR in levels else {}
    return counts | {level.value: read(context) for level, read in _READERS.items() if level in levels}


@dataclass(frozen=True)
class _Context:
    staged: Staged
    reading: Reading
    ownership: Ownership
    evidence: Evidence


def _jaxpr(stream: Stream, reading: Reading) -> tuple[LevelCount, Evidence]:
    """The count of the jaxpr, and what it tells of the names below; its stream is gone before the next is read."""
    unfolded = unfold(stream, module=False)
    return count_jaxpr(stream, unfolded, reading.question), evidence_of(stream, unfolded)


def evidence_of(stream: Stream, unfolded: Unfolded) -> Evidence:
    """What a program's own jaxpr proves of the names in what it is lowered to."""
    phases = frozenset(op.origin.phase for op in unfolded.expanded)
    return Evidence.of_program(stream.facts["scopes"], phases)


def _stablehlo(context: _Context) -> LevelCount:
    stream = stablehlo_level.read(
        context.staged.module(),
        context.reading.question.wants,
        context.ownership,
        context.evidence,
        library=context.reading.library,
    )
    facts: dict[str, Any] = {"constants": constant_bytes(stream, context.staged.lowered)}
    if context.reading.text:
        text = context.staged.lowered.as_text()
        facts |= {"lines": len(text.splitlines()), "bytes": len(text.encode())}
    else:
        facts["reasons"] = {
            "lines": "the text was not printed (--no-text)",
            "bytes": "the text was not printed (--no-text)",
        }
    made = count_stablehlo(stream, context.reading.question, facts)

    def runs() -> Executed:
        from ltc_ir.execution.static import of_stablehlo

        return of_stablehlo(context.staged.module(), stream, context.reading.question)

    return _with_static(made, context, runs)


def _with_static(made: LevelCount, context: _Context, count: Callable[[], Executed]) -> LevelCount:
    """A count with how often its operations run, where that was asked; ``None`` with the reason where the text is silent."""
    if not context.reading.executed:
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

    question = context.reading.question
    found = optimised(
        context.staged, question.wants, context.ownership, context.evidence, library=context.reading.library
    )
    made = count_hlo(found.stream, question, xla_facts(found.compiled, found.module))

    def runs() -> Executed:
        from ltc_ir.execution.static import of_hlo

        return of_hlo(found.module, found.stream, question)

    return _with_static(made, context, runs)


_READERS: Mapping[Level, Callable[[_Context], LevelCount]] = {
    Level.STABLEHLO: _stablehlo,
    Level.HLO: _hlo,
}
