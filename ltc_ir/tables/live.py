"""Reads one live program into tables, level by level, for counts and snapshots alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ltc_ir import compat
from ltc_ir.ir import fingerprint
from ltc_ir.ir.jaxpr import closures
from ltc_ir.ir.jaxpr import reader as jaxpr_level
from ltc_ir.ir.op import Stream, paused_collector
from ltc_ir.ir.origin import Evidence, Ownership
from ltc_ir.ir.stablehlo import reader as stablehlo_level
from ltc_ir.ir.stablehlo.facts import devices_of, text_figures
from ltc_ir.records.count import LevelCount
from ltc_ir.records.op_table import Constant, ProgramTables, Table, level_count
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import By, Level, Phase
from ltc_ir.tables.build import build, reading_options
from ltc_ir.tables.unfold import place_of
from ltc_ir.targets.stages import Staged

Result = TypeVar("Result")


@dataclass(frozen=True)
class Reading:
    """One level as it was read: its table, the stream behind it, and the module that was read (none for a jaxpr)."""

    table: Table
    stream: Stream
    module: Any = None


@dataclass(frozen=True)
class _Program:
    """A program whose jaxpr was read: what the readers of the levels below it need."""

    staged: Staged
    request: Request
    ownership: Ownership
    evidence: Evidence
    constants: tuple[Constant, ...]


def read_program(
    staged: Staged, request: Request, ownership: Ownership, use: Callable[[Reading], Result]
) -> dict[str, Result]:
    """What becomes of each level of a program.

    Args:
        staged: the program, on its way through the stages; optimised HLO is compiled.
        request: the levels, and what of them is read.
        ownership: whose the source files are.
        use: makes what is kept of a level; what it does not keep of a large level is gone before the next is read.
    """
    levels = request.read_levels
    results: dict[str, Result] = {}
    if any(level in levels for level in _READERS):
        staged.module()  # so that it is lowered while garbage is collected
    reading, program = _read_jaxpr(staged, request, ownership)
    if Level.JAXPR in levels:
        results[Level.JAXPR.value] = use(reading)
    del reading
    for level, read in _READERS.items():
        if level in levels:
            results[level.value] = use(read(program))
    return results


def count_program(staged: Staged, request: Request, ownership: Ownership) -> dict[str, LevelCount]:
    """The counts of one program, by level."""
    return read_program(staged, request, ownership, lambda reading: level_count(reading.table, request))


def tables_of(staged: Staged, request: Request, ownership: Ownership, names: tuple[str, str]) -> ProgramTables:
    """The tables of one program, called by the names of its target and of itself."""
    levels = read_program(staged, request, ownership, lambda reading: reading.table)
    return ProgramTables(*names, devices_of(staged.module()), levels, request.details)


def jaxpr_evidence(staged: Staged, ownership: Ownership) -> Evidence:
    """What a program's own jaxpr proves of the names in what it is lowered to; called before anything else is read."""
    return _read_jaxpr(staged, Request(levels=(), sources=False), ownership)[1].evidence


@paused_collector()
def _read_jaxpr(staged: Staged, request: Request, ownership: Ownership) -> tuple[Reading, _Program]:
    wants = request.wants if Level.JAXPR in request.read_levels else frozenset[By]()
    jaxpr = staged.traced.jaxpr
    reader = jaxpr_level.Reader(wants, ownership, **reading_options(request))
    stream = reader.read_program(jaxpr)
    table = build(Level.JAXPR, stream, wants)
    constants: tuple[Constant, ...] = ()
    if request.facts:
        constants = tuple(map(_constant, closures.of_jaxpr(jaxpr, reader)))
        table = replace(table, constants=constants, fingerprint=fingerprint.of_jaxpr(jaxpr))
    ownership.outside |= staged.outside
    phases = frozenset(Phase(phase) for phase in {row.phase for row in table.weights})
    evidence = Evidence.of_program(stream.facts["scopes"], phases)
    return Reading(table, stream), _Program(staged, request, ownership, evidence, constants)


def _constant(closure: closures.Closure) -> Constant:
    return Constant(closure.bytes, closure.type, closure.origin.phase.value, *place_of(closure.origin))


@paused_collector()
def _read_stablehlo(program: _Program) -> Reading:
    request, module = program.request, program.staged.module()
    stream = stablehlo_level.read(
        module, request.wants, program.ownership, program.evidence, **reading_options(request)
    )
    figures, reasons = text_figures(module, request.text)
    figures["constants.bytes"] = _constant_bytes(stream, program.staged.lowered)
    if figures["constants.bytes"] is None:
        reasons["constants.bytes"] = "this JAX does not say what it hoisted"
    hashed = fingerprint.of_module(module) if request.facts else None
    table = build(
        Level.STABLEHLO, stream, request.wants, figures, reasons, constants=program.constants, fingerprint=hashed
    )
    return Reading(table, stream, module)


def _constant_bytes(stream: Stream, lowered: Any) -> int | None:
    """Stored bytes of constants that are neither scalar nor splat, in the text or hoisted out of it."""
    hoisted = compat.hoisted_constants(lowered)
    if hoisted is None:
        return None
    embedded = stream.figures["constants.embedded.bytes"]
    return int(embedded or 0) + sum(_stored_bytes(value) for value in hoisted)


def _stored_bytes(value: Any) -> int:
    """Bytes of a hoisted constant; scalars count for nothing, as embedded ones do."""
    return int(value.nbytes) if getattr(value, "ndim", 0) else 0


def _read_hlo(program: _Program) -> Reading:
    from ltc_ir.tables.compiled_hlo import optimised, xla_figures

    request = program.request
    compiled = optimised(program.staged, request.wants, program.ownership, program.evidence, **reading_options(request))
    figures, reasons = xla_figures(compiled.compiled, compiled.module)
    table = build(Level.HLO, compiled.stream, request.wants, figures, reasons)
    return Reading(table, compiled.stream, compiled.module)


_READERS: Mapping[Level, Callable[[_Program], Reading]] = {Level.STABLEHLO: _read_stablehlo, Level.HLO: _read_hlo}
