"""Counts one live program at the levels asked for: its stages passed, each level read once, its facts gathered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ltc_ir import compat
from ltc_ir.ir import jaxpr as jaxpr_level
from ltc_ir.ir import stablehlo as stablehlo_level
from ltc_ir.ir.evidence import Evidence
from ltc_ir.ir.op import Stream
from ltc_ir.ir.origin import Ownership
from ltc_ir.measure.counting import Question, count_hlo, count_jaxpr, count_stablehlo
from ltc_ir.measure.unfolding import RecursiveCallsError, unfold
from ltc_ir.programs.stages import Staged
from ltc_ir.records.count import LevelCount
from ltc_ir.records.executed import Executed
from ltc_ir.records.vocabulary import By, Level, Phase

if TYPE_CHECKING:
    from ltc_ir.programs.filling import Filling


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
        from ltc_ir.measure.executing import Asked, with_executed

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
    phases = frozenset(op.origin.phase for op in unfolded.expanded)
    return count_jaxpr(stream, unfolded, reading.question), Evidence.of_program(stream.facts["scopes"], phases)


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
        from ltc_ir.measure.static_execution import of_stablehlo

        return of_stablehlo(context.staged.module(), stream, context.reading.question)

    return _with_static(made, context, runs)


def _with_static(made: LevelCount, context: _Context, count: Callable[[], Executed]) -> LevelCount:
    """A count with how often its operations run, where that was asked; ``None`` with the reason where the text is silent."""
    if not context.reading.executed:
        return made
    from ltc_ir.measure.static_execution import UnknownRunsError

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
    stream, compiled = compiled_stream(
        context.staged,
        context.reading.question.wants,
        context.ownership,
        context.evidence,
        library=context.reading.library,
    )
    made = count_hlo(stream, context.reading.question, xla_facts(compiled))

    def runs() -> Executed:
        from ltc_ir.ir.hlo_text import parse
        from ltc_ir.measure.static_execution import of_hlo

        return of_hlo(parse(compiled.as_text()), stream, context.reading.question)

    return _with_static(made, context, runs)


def compiled_stream(
    staged: Staged, wants: Collection[By], ownership: Ownership, evidence: Evidence, **reading: Any
) -> tuple[Stream, Any]:
    """The stream of what XLA made of a program, and the compiled program itself."""
    from ltc_ir.ir import hlo as hlo_level

    compiled = staged.compiled
    from ltc_ir.ir.hlo_text import parse

    module = parse(compiled.as_text())
    if compat.names_lose_transforms():
        lowered = stablehlo_level.read(staged.module(), (), ownership, evidence)
        evidence = replace(evidence, doubtful=_several_phases(lowered))
    return hlo_level.read(module, wants, ownership, evidence, **reading), compiled


def _several_phases(stream: Stream) -> frozenset[str]:
    """The names of operations in functions that several phases call: on 0.6.x XLA keeps the first caller's name for all."""
    phases: dict[int, set[Phase]] = defaultdict(set)
    unfolded = unfold(stream, module=False)
    for index, body in enumerate(stream.bodies):
        for origin, _ in unfolded.contexts(index):
            for code in set(body.codes):
                phases[code].add(stream.ops[code].origin.within(origin).phase)
    names: list[str | None] = stream.facts["names"]
    shared = (names[code] for code, found in phases.items() if names and len(found) > 1)
    return frozenset(name for name in shared if name)


def xla_facts(compiled: Any) -> dict[str, Any]:
    """XLA's own estimates, each ``None`` with a reason where this backend has none."""
    facts: dict[str, Any] = {"reasons": {}}
    try:
        costs = compiled.cost_analysis()
        costs = costs[0] if isinstance(costs, list) else costs or {}
    except Exception as error:
        costs = {}
        facts["reasons"]["flops"] = f"no cost analysis: {error}"
    facts["flops"] = costs.get("flops")
    facts["bytes_accessed"] = costs.get("bytes accessed")
    for name in ("flops", "bytes_accessed"):
        if facts[name] is None:
            facts["reasons"].setdefault(name, "XLA's cost analysis has no such figure here")
    facts["memory"] = _memory(compiled)
    if facts["memory"] is None:
        facts["reasons"]["memory"] = "this backend has no memory analysis"
    return facts


_MEMORY = {
    "argument_bytes": "argument_size_in_bytes",
    "output_bytes": "output_size_in_bytes",
    "temporary_bytes": "temp_size_in_bytes",
    "alias_bytes": "alias_size_in_bytes",
    "code_bytes": "generated_code_size_in_bytes",
}


def _memory(compiled: Any) -> dict[str, int] | None:
    try:
        analysis = compiled.memory_analysis()
    except Exception:
        return None
    found = {name: getattr(analysis, attribute, None) for name, attribute in _MEMORY.items()}
    return {name: int(value) for name, value in found.items() if value is not None} or None


_READERS: Mapping[Level, Callable[[_Context], LevelCount]] = {
    Level.STABLEHLO: _stablehlo,
    Level.HLO: _hlo,
}
