"""Reads one live program into tables, level by level, for counts and snapshots alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ltc_ir import compat
from ltc_ir.ir import fingerprint, jaxpr_structure
from ltc_ir.ir.hlo.structure import of_hlo
from ltc_ir.ir.jaxpr import closures
from ltc_ir.ir.op import Stream, paused_collector
from ltc_ir.ir.origin import Ownership
from ltc_ir.ir.stablehlo.facts import devices_of, text_figures
from ltc_ir.ir.stablehlo.structure import hash_module
from ltc_ir.records.count import LevelCount
from ltc_ir.records.op_table import Constant, ProgramTables, Table, level_count
from ltc_ir.records.request import Request
from ltc_ir.records.signature import Signature
from ltc_ir.records.vocabulary import Level
from ltc_ir.tables.build import build
from ltc_ir.tables.inspected import Inspected, inspect
from ltc_ir.tables.signature import read_signature
from ltc_ir.tables.unfold import place_of
from ltc_ir.targets.stages import Staged

Result = TypeVar("Result")


@dataclass(frozen=True)
class Reading:
    """One level as it was read: its table, the stream behind it, and the module that was read (none for a jaxpr)."""

    table: Table
    stream: Stream
    module: Any = None


def read_program(
    staged: Staged,
    request: Request,
    ownership: Ownership,
    use: Callable[[Reading], Result],
    signed: Callable[[Signature], None] | None = None,
) -> dict[str, Result]:
    """What becomes of each level of a program.

    Args:
        staged: the program, on its way through the stages. A marked copy of it is lowered, and compiled for optimised HLO.
        request: the levels, and what of them is read.
        ownership: whose the source files are.
        use: makes what is kept of a level; what it does not keep of a large level is gone before the next is read.
        signed: takes the signature of the program, where that is wanted.
    """
    program = _inspected(staged, request, ownership)
    results = _read_levels(program, use)
    if signed is not None:
        lowered = program.staged if any(level in request.read_levels for level in _READERS) else None
        signed(read_signature(staged, lowered, program.table, every=request.types))
    return results


def _read_levels(program: Inspected, use: Callable[[Reading], Result]) -> dict[str, Result]:
    levels = program.request.read_levels
    results: dict[str, Result] = {}
    if Level.JAXPR in levels:
        results[Level.JAXPR.value] = use(Reading(program.table, program.reader.stream))
    for level, read in _READERS.items():
        if level in levels:
            program = program.lowered()  # outside of its reader, so that it is lowered while garbage is collected
            results[level.value] = use(read(program))
    return results


def count_program(
    staged: Staged, request: Request, ownership: Ownership, signed: Callable[[Signature], None] | None = None
) -> dict[str, LevelCount]:
    """The counts of one program, by level; ``signed`` takes its signature."""
    return read_program(staged, request, ownership, lambda reading: level_count(reading.table, request), signed)


def tables_of(staged: Staged, request: Request, ownership: Ownership, names: tuple[str, str]) -> ProgramTables:
    """The tables of one program, called by the names of its target and of itself."""
    program = _inspected(staged, request, ownership)
    levels = _read_levels(program, lambda reading: reading.table)
    signature = read_signature(staged, program.staged, program.table)
    return ProgramTables(*names, devices_of(program.staged.module()), levels, request.details, signature)


@paused_collector()
def _inspected(staged: Staged, request: Request, ownership: Ownership) -> Inspected:
    """A program whose jaxpr was read, with the facts that were requested of it."""
    staged.traced  # noqa: B018 - traced
    program = inspect(staged, request, ownership)
    jaxpr, table = staged.traced.jaxpr, program.table
    if request.facts:
        table = replace(table, constants=tuple(map(_constant, closures.of_jaxpr(jaxpr, program.reader))))
    hashed, ordered = request.fingerprints
    if hashed:
        table = replace(table, fingerprint=fingerprint.of_jaxpr(jaxpr))
    if ordered:
        table = replace(table, structure=jaxpr_structure.of_jaxpr(jaxpr))
    return program if table is program.table else replace(program, table=table)


def _constant(closure: closures.Closure) -> Constant:
    return Constant(closure.bytes, closure.type, closure.origin.phase.value, *place_of(closure.origin))


@paused_collector()
def _read_stablehlo(program: Inspected) -> Reading:
    request, module = program.request, program.staged.module()
    stream = program.stablehlo()
    figures, reasons = text_figures(module, request.text)
    reasons |= _attribution(program)
    figures["constants.bytes"] = _constant_bytes(stream, program.staged.lowered)
    if figures["constants.bytes"] is None:
        reasons["constants.bytes"] = "this JAX does not say what it hoisted"
    hashes, constants = hash_module(module, request.fingerprints), program.table.constants
    table = build(Level.STABLEHLO, stream, request.wants, figures, reasons, constants=constants, **hashes)
    return Reading(table, stream, module)


def _attribution(program: Inspected) -> dict[str, str]:
    """Why origins are told by names, where they are."""
    return {} if program.by_names is None else {"attributed.marks": program.by_names}


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


def _read_hlo(program: Inspected) -> Reading:
    from ltc_ir.tables.compiled_hlo import xla_figures
    from ltc_ir.tables.partitioned import compile_with_partitioned, with_partitioned

    text = compile_with_partitioned(program.staged)
    stream = program.hlo()
    figures, reasons = xla_figures(program.staged.compiled, program.hlo_module)
    collectives, reason = with_partitioned(stream.figures, text)
    figures, reasons = figures | collectives, reasons | stream.facts["reasons"]
    if reason:
        reasons["collectives.partitioned"] = reason
    reasons |= _attribution(program)
    hashes = of_hlo(program.hlo_module) if program.request.hashes else {}
    table = build(Level.HLO, stream, program.request.wants, figures, reasons, **hashes)
    return Reading(table, stream, program.hlo_module)


_READERS: Mapping[Level, Callable[[Inspected], Reading]] = {Level.STABLEHLO: _read_stablehlo, Level.HLO: _read_hlo}
