"""Follows the equations of a program: the operations and instructions that refer to each, and what became of it."""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import NamedTuple

from ltc_ir.ir.hlo.kernels import PLUMBING, Places
from ltc_ir.ir.hlo.marked import Attribution
from ltc_ir.ir.marks import Path
from ltc_ir.ir.op import Stream, callers_first, paused_collector
from ltc_ir.ir.stablehlo.reader import BARE
from ltc_ir.records import element_types
from ltc_ir.records.follow import Coverage, Fate, FollowedEquation, Key, Selection, select
from ltc_ir.records.vocabulary import Level
from ltc_ir.tables.equations import Equations, Result, results_of

_CALLS = frozenset({"func.call", "stablehlo.composite", "stablehlo.constant", "sdy.manual_computation"})
_ENDS = frozenset({*BARE, "func.return"})
IN_KERNEL = "its kernel is compiled as a whole"
NOT_COMPILED = "the program was not compiled"


class Shaped(NamedTuple):
    """An opcode with the type and number of the elements of its result."""

    opcode: str
    element: str
    elements: int


class Judgement(NamedTuple):
    """What became of an equation, and how that is known; ``reason`` says why it is not."""

    fate: Fate
    inferred: bool = False
    reason: str | None = None


class Amount(NamedTuple):
    """The work of one run of an equation; ``None`` where there is no formula, or what it holds does the work."""

    flops: int | None
    transcendentals: int | None
    reason: str | None = None


class Runs(NamedTuple):
    """How often the equation of each mark runs: 0 where there is no number, unknown where there is a reason for that.

    ``reason`` says why nothing is known; ``how`` how the numbers were determined.
    """

    numbers: Mapping[int, int] | None = None
    how: str | None = None
    reasons: Mapping[int, str] = MappingProxyType({})
    reason: str | None = None

    def of(self, mark: int) -> int | None:
        """How often an equation runs."""
        return None if self.numbers is None or mark in self.reasons else self.numbers.get(mark, 0)


@dataclass
class Instructions:
    """The HLO instructions of each mark: how many of each opcode, their names, and where they sit."""

    opcodes: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    names: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    kernels: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    loops: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    merged: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    unnamed: set[Shaped] = field(default_factory=set)
    total: int = 0

    @property
    def attributed(self) -> int:
        """How many instructions are an equation's."""
        return sum(map(len, self.names.values()))


@dataclass
class Operations:
    """The StableHLO operations of each mark, over all call sites.

    ``total`` counts the operations of all. ``ambiguous`` are names of operations in a function that several equations call:
    on JAX 0.6.x XLA gives the first caller's to the instructions of all.
    """

    by_mark: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    total: int = 0
    ambiguous: set[str | None] = field(default_factory=set)


def operations_by_mark(stream: Stream) -> Operations:
    """The StableHLO operations of each mark.

    A function of which no operation has a mark is a helper that JAX made to lower an equation: it belongs to its callers.
    """
    paths: list[Path] = stream.facts["paths"]
    times: Counter[int] = Counter(stream.roots)
    callers: dict[int, Counter[int]] = defaultdict(Counter)
    found = Operations()
    by_mark = found.by_mark
    graph = {index: {edge.child for edge in body.edges} for index, body in enumerate(stream.bodies)}
    for index in callers_first(graph):
        body, runs = stream.bodies[index], times[index]
        tally = body.tally()
        found.total += runs * sum(tally.values())
        helper = bool(callers[index]) and not any(paths[code] for code in tally if stream.ops[code].name not in _ENDS)
        if helper and len(callers[index]) > 1:
            found.ambiguous.update(stream.facts["names"][code] for code in tally)
        for code, number in tally.items():
            name = stream.ops[code].name
            if name in _ENDS:
                continue
            if paths[code]:
                by_mark[paths[code][-1]][name] += number * runs
            elif helper:
                for mark, calls in callers[index].items():
                    by_mark[mark][name] += number * calls
        for edge, number in body.edges.items():
            times[edge.child] += number * runs
            path = paths[edge.code]
            if path:
                callers[edge.child][path[-1]] += number * runs
            elif helper:
                for mark, calls in callers[index].items():
                    callers[edge.child][mark] += number * calls
    return found


def instructions_by_mark(attribution: Attribution, places: Places, ambiguous: Collection[str | None]) -> Instructions:
    """The HLO instructions of each mark; what has an ambiguous name has none."""
    found = Instructions()
    for computation, instruction in attribution.module.instructions():
        found.total += 1
        path = attribution.paths.get((computation.name, instruction.name))
        if not path or instruction.op_name in ambiguous:
            if instruction.opcode not in PLUMBING:
                found.unnamed.add(Shaped(instruction.opcode, *_elements(instruction.shape)))
            continue
        mark = path[-1]
        found.opcodes[mark][instruction.opcode] += 1
        found.names[mark].append(instruction.name)
        kernel, loop = places.kernel(computation, instruction), places.loop(computation.name)
        if kernel is not None:
            found.kernels[mark].add(kernel)
        if loop is not None:
            found.loops[mark].add(loop)
        for other in attribution.merged_into(computation.name, instruction):
            if other and other[-1] != mark:
                found.merged[mark].add(other[-1])
                found.merged[other[-1]].add(mark)
    return found


@dataclass
class Followed:
    """The equations of a program with what became of each.

    Args:
        equations: the equations.
        operations: the StableHLO operations of each mark.
        compiled: the HLO instructions; ``None`` without optimised HLO, for the reason ``uncompiled``.
        amount: the work of one run of an equation, by its mark.
        runs: how often each equation runs.
    """

    equations: Equations
    operations: Operations
    compiled: Instructions | None
    uncompiled: str | None
    amount: Callable[[int], Amount]
    runs: Runs = field(default_factory=Runs)

    def __post_init__(self) -> None:
        self.judgements: dict[int, Judgement] = {}
        self.unused = self.equations.unused()
        self.lowered_bodies = {self.equations.body(mark) for mark in self.operations.by_mark}

    def judge(self, mark: int) -> Judgement:
        """What became of an equation."""
        judgement = self.judgements.get(mark)
        if judgement is None:
            judgement = self.judgements[mark] = self._judge(mark)
        return judgement

    def _judge(self, mark: int) -> Judgement:
        operations: Mapping[str, int] = self.operations.by_mark.get(mark, {})
        if self.equations.body(mark) in self.equations.unmarked and not operations:
            return Judgement(Fate.UNKNOWN, reason=IN_KERNEL)
        if mark in self.equations.held and mark not in self.unused and _CALLS.issuperset(operations):
            return Judgement(Fate.INLINED)
        if self.compiled is not None and self._is_kept(mark, operations, self.compiled):
            return Judgement(Fate.KEPT)
        return Judgement(Fate.GONE) if mark in self.unused else self._vanished(mark, operations)

    def _vanished(self, mark: int, operations: Mapping[str, int]) -> Judgement:
        """What became of an equation whose result is used and that has no instruction."""
        if not operations:
            return self._without_operations(mark)
        if self.compiled is None:
            return Judgement(Fate.UNKNOWN, reason=self.uncompiled)
        return self._without_instructions(mark, operations, self.compiled)

    def _without_operations(self, mark: int) -> Judgement:
        """An equation of a body that is lowered somewhere lowers to nothing; one of a body that is not does not run."""
        body = self.equations.body(mark)
        lowered = body in self.lowered_bodies or body in self.equations.reader.stream.roots
        return Judgement(Fate.FOLDED) if lowered else Judgement(Fate.GONE, inferred=True)

    @staticmethod
    def _is_kept(mark: int, operations: Mapping[str, int], compiled: Instructions) -> bool:
        """Whether an instruction does what the equation did: a constant, or what only arranges values, does that for few."""
        opcodes = compiled.opcodes.get(mark, {}).keys()
        if not _REWRITTEN.isdisjoint(operations):
            return not opcodes <= _ARRANGING
        return bool(opcodes) and (opcodes != {"constant"} or operations.keys() <= _CONSTANTS)

    def _without_instructions(self, mark: int, operations: Mapping[str, int], compiled: Instructions) -> Judgement:
        if compiled.merged.get(mark):
            return Judgement(Fate.MERGED, inferred=True)
        rewritten = sorted(name.rpartition(".")[2] for name in _REWRITTEN.intersection(operations))
        if rewritten:
            return Judgement(Fate.UNKNOWN, reason=f"XLA rewrites {', '.join(rewritten)} without keeping names")
        types = [_elements(result.type) for result in results_of(self.equations.equation(mark))]
        same = sorted({
            opcode for opcode in map(_opcode, operations) for type in types if (opcode, *type) in compiled.unnamed
        })  # fmt: skip
        if same:
            return Judgement(Fate.UNKNOWN, reason=f"instructions without a name may be its own: {', '.join(same)}")
        return Judgement(Fate.FOLDED, inferred=mark not in compiled.names)

    def fates(self) -> dict[str, dict[str, int]]:
        """How many equations became what, by phase."""
        fates: dict[str, Counter[str]] = defaultdict(Counter)
        for mark in self.equations.order:
            fates[self.judge(mark).fate.value][self.equations.known(mark).phase] += 1
        return {fate.value: dict(fates[fate.value]) for fate in Fate if fate.value in fates}

    def levels(self) -> dict[str, Coverage]:
        """The operations of each level, and how many of them are an equation's."""
        count = sum(self.equations.known(mark).occurrences for mark in self.equations.order)
        lowered = sum(sum(names.values()) for names in self.operations.by_mark.values())
        levels = {
            Level.JAXPR.value: Coverage(count, count),
            Level.STABLEHLO.value: Coverage(self.operations.total, lowered),
        }
        if self.compiled is not None:
            levels[Level.HLO.value] = Coverage(self.compiled.total, self.compiled.attributed)
        return levels

    @paused_collector()
    def rows(self, selection: Selection, where: str, largest: int | None) -> tuple[FollowedEquation, ...]:
        """A row for each selected equation, in program order; without a selection of so many of the largest only."""
        order = self.equations.order
        if largest and not selection.words:
            chosen = sorted(
                heapq.nlargest(largest, range(len(order)), key=lambda position: self._work(order[position]))
            )
            return tuple(self.row(order[position]) for position in chosen)
        return tuple(self.row(order[number - 1]) for number in select(self._keys(), selection, where))

    def _work(self, mark: int) -> tuple[int, int, int]:
        """What ranks an equation, as `FollowedEquation.work`."""
        amount, runs = self.amount(mark), self.runs.of(mark)
        runs = self.equations.known(mark).occurrences if runs is None else runs
        size = _total(results_of(self.equations.equation(mark)))
        return (amount.flops or 0) * runs, (amount.transcendentals or 0) * runs, (size or 0) * runs

    def _keys(self) -> list[Key]:
        """What selects each equation."""
        keys = []
        for number, mark in enumerate(self.equations.order, 1):
            known = self.equations.known(mark)
            name = self.equations.equation(mark).primitive.name
            keys.append(Key(number, name, known.source, known.function, self.operations.by_mark.get(mark, {})))
        return keys

    def row(self, mark: int) -> FollowedEquation:
        """The row of an equation."""
        eqn, known, judgement = self.equations.equation(mark), self.equations.known(mark), self.judge(mark)
        amount, compiled, results = self.amount(mark), self.compiled, results_of(eqn)
        reasons = {"flops": amount.reason, "fate": judgement.reason, "executed": self.runs.reasons.get(mark)}
        hlo = None if compiled is None else dict(sorted(compiled.opcodes.get(mark, {}).items()))
        return FollowedEquation(
            number=self.equations.numbers[mark],
            name=eqn.primitive.name,
            types=tuple(result.type for result in results),
            phase=known.phase,
            source=known.source,
            function=known.function,
            region=known.region,
            count=known.occurrences,
            executed=self.runs.of(mark),
            bytes=_total(results),
            flops=amount.flops,
            transcendentals=amount.transcendentals,
            stablehlo=dict(sorted(self.operations.by_mark.get(mark, {}).items())),
            hlo=hlo,
            instructions=() if compiled is None else tuple(compiled.names.get(mark, ())),
            kernels=() if compiled is None else tuple(sorted(compiled.kernels.get(mark, ()))),
            loops=() if compiled is None else tuple(sorted(compiled.loops.get(mark, ()))),
            fate=judgement.fate,
            merged_with=self._merged_with(mark),
            inferred=judgement.inferred,
            reasons={name: reason for name, reason in reasons.items() if reason is not None},
        )

    def _merged_with(self, mark: int) -> tuple[int, ...]:
        if self.compiled is None:
            return ()
        return tuple(sorted(self.equations.numbers[other] for other in self.compiled.merged.get(mark, ())))


_ARRANGING = PLUMBING - {"call", "conditional", "while"}
_REWRITTEN = frozenset(
    f"stablehlo.{name}"
    for name in (
        "all_gather", "all_reduce", "all_to_all", "case", "cholesky", "collective_broadcast", "collective_permute",
        "convolution", "custom_call", "dot", "dot_general", "fft", "gather", "if", "map", "reduce", "reduce_scatter",
        "reduce_window", "rng", "rng_bit_generator", "scatter", "select_and_scatter", "sort", "triangular_solve", "while",
    )
)  # fmt: skip
"""Operations that XLA expands or replaces by others, often without their names: that none is left proves nothing."""
_CONSTANTS = frozenset({"stablehlo.constant", "stablehlo.iota"})
_SHAPE = re.compile(r"(\w+)\[([\d,]*)\]")


def _elements(shape: str) -> tuple[str, int]:
    """The element type and the number of elements of ``f32[8,4]{1,0}``; of a tuple those of its first array."""
    match = _SHAPE.search(shape)
    if match is None:
        return shape, 0
    return element_types.of_hlo(match[1]), prod(int(size) for size in match[2].split(",") if size)


def _total(results: Sequence[Result]) -> int | None:
    sizes = [result.bytes for result in results if result.bytes is not None]
    return sum(sizes) if len(sizes) == len(results) else None


_OPCODES = {"dot_general": "dot", "exponential_minus_one": "exponential-minus-one", "case": "conditional"}


def _opcode(operation: str) -> str:
    """The opcode that an instruction of a StableHLO operation has, where XLA rewrites nothing."""
    name = operation.rpartition(".")[2]
    return _OPCODES.get(name, name.replace("_", "-"))
