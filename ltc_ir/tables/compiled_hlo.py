"""Reads what XLA made of a live program: compiled, printed and parsed once, for whoever asks about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import Any, NamedTuple

from ltc_ir import compat
from ltc_ir.ir.hlo import reader as hlo
from ltc_ir.ir.hlo.parser import HloModule, parse
from ltc_ir.ir.name_evidence import Evidence
from ltc_ir.ir.op import Stream
from ltc_ir.ir.origin import Ownership
from ltc_ir.ir.stablehlo import reader as stablehlo
from ltc_ir.records.vocabulary import By, Phase
from ltc_ir.tables.unfold import unfold
from ltc_ir.targets.stages import Staged


class Optimised(NamedTuple):
    """A compiled program: its stream, the module that was read, and what JAX holds."""

    stream: Stream
    module: HloModule
    compiled: Any


def optimised(
    staged: Staged, wants: Collection[By], ownership: Ownership, evidence: Evidence, **reading: Any
) -> Optimised:
    """Compile a program and read it; ``reading`` are further arguments of the HLO reader."""
    compiled = staged.compiled
    module = parse(compiled.as_text())
    if compat.names_lose_transforms():
        lowered = stablehlo.read(staged.module(), (), ownership, evidence)
        evidence = replace(evidence, doubtful=_several_phases(lowered))
    return Optimised(hlo.read(module, wants, ownership, evidence, **reading), module, compiled)


def _several_phases(stream: Stream) -> frozenset[str]:
    """The names of operations in functions that several phases call: on 0.6.x XLA keeps the first caller's name for all."""
    phases: dict[int, set[Phase]] = defaultdict(set)
    unfolded = unfold(stream, static=False, regions=False)
    for index, body in enumerate(stream.bodies):
        for origin, _ in unfolded.contexts(index):
            for code in set(body.codes):
                phases[code].add(stream.ops[code].origin.within(origin).phase)
    names: list[str | None] = stream.facts["names"]
    shared = (names[code] for code, found in phases.items() if names and len(found) > 1)
    return frozenset(name for name in shared if name)
