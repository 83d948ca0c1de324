"""A program whose jaxpr was read, on its way to the levels below: what is lowered from it refers to its equations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial

from ltc_ir import compat
from ltc_ir.errors import NOTES
from ltc_ir.ir.hlo import marked as marked_hlo
from ltc_ir.ir.hlo import reader as named_hlo
from ltc_ir.ir.hlo.merged import Merges, TooManyValuesError
from ltc_ir.ir.hlo.parser import HloModule, parse
from ltc_ir.ir.hlo.plain_names import without_marks
from ltc_ir.ir.hlo.products import with_products_named
from ltc_ir.ir.jaxpr import reader as jaxpr_level
from ltc_ir.ir.jaxpr.marking import mark
from ltc_ir.ir.jaxpr.phases import corrected_flags
from ltc_ir.ir.marks import Marks, Path
from ltc_ir.ir.op import Details, Origin, Stream, paused_collector
from ltc_ir.ir.origin import Evidence, Ownership
from ltc_ir.ir.stablehlo import marked as marked_stablehlo
from ltc_ir.ir.stablehlo import reader as named_stablehlo
from ltc_ir.records.op_table import Table
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import By, Level, Phase
from ltc_ir.tables.build import build, reading_options
from ltc_ir.tables.unfold import unfold
from ltc_ir.targets.stages import Staged


@dataclass(frozen=True)
class Inspected:
    """A program whose jaxpr was read.

    Args:
        staged: the program on its way from the marked copy of its jaxpr; from its own where there are no marks.
        request: what is read of it.
        ownership: the owners of source files.
        reader: the reader that read the jaxpr, with its stream.
        table: the table of the jaxpr.
        evidence: what the jaxpr proves of names.
        marks: what the marks mean; ``None`` where this JAX lowers no copy, so that origins are told by names.
        by_names: why origins below the jaxpr are told by names; ``None`` where they are told by marks.
    """

    staged: Staged
    request: Request
    ownership: Ownership
    reader: jaxpr_level.Reader
    table: Table
    evidence: Evidence
    marks: Marks | None = None
    by_names: str | None = None

    def lowered(self) -> Inspected:
        """The same program, lowered; without marks where its lowered module has none of them."""
        module = self.staged.module()
        if self.marks is None or not marked_stablehlo.drops_marks(module, self.marks):
            return self
        return replace(self, marks=None, by_names=_noted("this JAX loses marks on the way from a jaxpr to StableHLO"))

    def stablehlo(self) -> Stream:
        """The operations of the lowered module."""
        return self._stablehlo(self.request)

    def _stablehlo(self, request: Request) -> Stream:
        module, wants, options = self.staged.module(), request.wants, reading_options(request)
        stream = None
        if self.marks is not None:
            pure, details = self.evidence.pure, options["details"]
            stream = marked_stablehlo.read(module, self.marks, wants, pure=pure, details=details)
        return stream or named_stablehlo.read(module, wants, self.ownership, self.evidence, **options)

    @cached_property
    def hlo_module(self) -> HloModule:
        """The optimised HLO, compiled, printed and parsed once."""
        text: str = self.staged.compiled.as_text()
        if self.marks is None:
            return parse(text, printed=True)
        return with_products_named(parse(without_marks(text, self.marks.prefix), printed=True))

    @cached_property
    def merges(self) -> Merges | None:
        """Which equations XLA merged into one instruction; ``None`` where that is not known."""
        if self.marks is None:
            return None
        text = compat.hlo_before_optimisation(self.staged.lowered)
        with suppress(TooManyValuesError):
            return Merges(parse(text, printed=True) if text else None, self.hlo_module, self.marks)
        return None

    def hlo(self) -> Stream:
        """The instructions of the optimised HLO."""
        wants, options = self.request.wants, reading_options(self.request)
        attribution = self.attribution()
        if attribution is not None:
            return marked_hlo.read(attribution, wants, details=options["details"])
        evidence = self.evidence
        if compat.names_lose_transforms():
            stream = self._stablehlo(Request(sources=False))
            evidence = replace(evidence, doubtful=_several_phases(stream))
        return named_hlo.read(self.hlo_module, wants, self.ownership, evidence, **options)

    def attribution(self) -> marked_hlo.Attribution | None:
        """Which equation each instruction of the optimised HLO refers to; ``None`` where there are no marks."""
        if self.marks is None:
            return None
        module, pure = self.hlo_module, self.evidence.pure
        doubtful, merges = self._doubtful_paths(), self.merges
        with paused_collector():
            return marked_hlo.Attribution(module, self.marks, doubtful, merges, pure=pure)

    def _doubtful_paths(self) -> Mapping[Path, Origin]:
        """What is known of the paths in functions with several callers: on 0.6.x XLA keeps the first caller's name for all."""
        marks = self.marks
        if marks is None or not compat.names_lose_transforms():
            return {}
        stream = self._stablehlo(self.request)
        names: list[str | None] = stream.facts["names"]
        origins: dict[Path, set[Origin]] = defaultdict(set)
        unfolded = unfold(stream, static=False, regions=False)
        for index, body in enumerate(stream.bodies):
            contexts = unfolded.contexts(index)
            for code in set(body.codes) if len(contexts) > 1 else ():
                origin = stream.ops[code].origin
                inner = origin.at(origin.source, origin.stack, "")
                origins[marks.path(names[code])] |= {inner.within(outer) for outer, _ in contexts}
        return {path: marked_hlo.agreed(several) for path, several in origins.items() if path and len(several) > 1}


def _several_phases(stream: Stream) -> frozenset[str]:
    """The names of operations in functions that several phases call: on 0.6.x XLA keeps the first caller's name for all."""
    phases: dict[int, set[Phase]] = defaultdict(set)
    unfolded = unfold(stream, static=False, regions=False)
    for index, body in enumerate(stream.bodies):
        for origin, _ in unfolded.contexts(index):
            for code in set(body.codes):
                phases[code].add(stream.ops[code].origin.within(origin).phase)
    names: list[str | None] = stream.facts["names"]
    shared = (names[code] for code, several in phases.items() if names and len(several) > 1)
    return frozenset(name for name in shared if name)


def inspect(staged: Staged, request: Request, ownership: Ownership, *, each: bool = False) -> Inspected:
    """Read a program's jaxpr, and mark a copy of it where a level below is requested.

    Args:
        staged: the program; it is traced here at the latest.
        request: the levels, and what of them is read.
        ownership: the owners of source files.
        each: whether each equation has a separate mark; otherwise one for each distinct origin in a body. Where optimised
            HLO is requested each has one: what XLA merged is told by equation.
    """
    marking = any(level in request.read_levels for level in (Level.STABLEHLO, Level.HLO))
    wants = request.wants if marking or Level.JAXPR in request.read_levels else frozenset[By]()
    correct = partial(corrected_flags, whole=staged.program.gradient)
    options = reading_options(request)
    options["details"] = options["details"] or Details.WIDTHS
    reader = jaxpr_level.Reader(wants, ownership, **options, correct=correct)
    stream = reader.read_program(staged.traced.jaxpr)
    table = build(Level.JAXPR, stream, wants)
    ownership.outside |= staged.outside
    phases = frozenset(Phase(phase) for phase in {row.phase for row in table.weights})
    evidence = Evidence.of_program(stream.facts["scopes"], phases)
    inspected = Inspected(staged, request, ownership, reader, table, evidence)
    if not marking:
        return inspected
    copy, marks = mark(reader, (staged.function_name,), each=each or Level.HLO in request.read_levels)
    lowering = staged.with_marks(copy)
    if lowering is None:
        return replace(inspected, by_names=_noted("this JAX keeps a traced program's jaxpr in an unknown place"))
    return replace(inspected, staged=lowering, marks=marks)


def _noted(why: str) -> str:
    """The reason, noted for the user."""
    NOTES[f"phases and lines of StableHLO and HLO are told by names, which are less certain than marks: {why}"] = None
    return why
