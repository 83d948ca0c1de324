"""The collectives of an HLO module: what XLA merged into each, how often each runs, and the bytes of both by phase.

XLA merges collectives of one kind into one instruction with a tuple of operands and results. Each element of the tuple is a
part; its origin is that of the instruction that takes the element out of the result, which keeps the name of the collective
that was merged, else that of the instruction that produces the operand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ltc_ir.ir.hlo.module import Computation, HloModule, Instruction
from ltc_ir.ir.hlo.scanner import pieces
from ltc_ir.ir.hlo.shapes import shape_bytes
from ltc_ir.ir.op import Origin, callers_first
from ltc_ir.records.vocabulary import COLLECTIVES, Part, Phase

_START, _DONE = "-start", "-done"
_PLUMBING = frozenset({"bitcast", "convert", "copy", "get-tuple-element", "reshape", "transpose"})
"""The instructions that pass a value on; XLA makes many of them without a name."""


class Element(NamedTuple):
    """One element of a merged collective: the bytes of its result, and what its origin can be told by, best first."""

    bytes: int | None
    witnesses: tuple[Instruction, ...]


class Collective(NamedTuple):
    """A collective: the number of its computation, its position there, its kind, its elements where XLA merged several."""

    number: int
    computation: Computation
    position: int
    kind: str
    elements: tuple[Element, ...] = ()

    @property
    def instruction(self) -> Instruction:
        """The instruction itself."""
        return self.computation.instructions[self.position]

    @property
    def is_start(self) -> bool:
        """Whether it is the first of an asynchronous pair, of which the second is counted: its shape is the result."""
        return self.instruction.opcode.endswith(_START)

    @property
    def bytes(self) -> int | None:
        """The bytes of the result on one device."""
        return shape_bytes(self.instruction.shape)

    def origin(self, own: Origin, origin_of: Callable[[Instruction], Origin]) -> Origin:
        """The origin of a merged collective: the phase on which its elements agree, else a part for each phase.

        Args:
            own: its origin by its own name.
            origin_of: the origin of another instruction of its computation.
        """
        sizes: dict[Phase, int | None] = {}
        told = own
        for element in self.elements:
            origins = (origin_of(witness) for witness in element.witnesses)
            told = next((origin for origin in origins if origin.phase is not Phase.UNATTRIBUTED), UNKNOWN)
            for phase in [Phase(part.phase) for part in told.parts] or [told.phase]:
                sizes[phase] = _sum((sizes.get(phase, 0), element.bytes))
        if len(sizes) > 1:
            return own._replace(parts=tuple(Part(phase.value, sizes[phase]) for phase in Phase if phase in sizes))
        return own._replace(flags=told.flags, complete=told.complete, marked=told.marked, parts=())


UNKNOWN = Origin(complete=False)
"""The origin of what nothing tells."""


def collectives_of(module: HloModule) -> Iterator[Collective]:
    """The collectives of a module, in the order of the text, both instructions of an asynchronous pair.

    A collective inside an ``async-start`` is in a separate computation, and found there.
    """
    for number, computation in enumerate(module.computations):
        kinds = [_kind(instruction) for instruction in computation.instructions]
        if not any(kinds):
            continue
        by_name = {instruction.name: instruction for instruction in computation.instructions}
        takers = _takers(computation)
        for position, kind in enumerate(kinds):
            if kind is not None:
                elements = _elements(computation.instructions[position], by_name, takers)
                yield Collective(number, computation, position, kind, elements)


def _kind(instruction: Instruction) -> str | None:
    name = instruction.opcode.removesuffix(_DONE).removesuffix(_START)
    return name if name in COLLECTIVES else None


def _takers(computation: Computation) -> dict[tuple[str, int], Instruction]:
    """The instructions that take an element out of a tuple, by the name of the tuple and the element's index."""
    takers: dict[tuple[str, int], Instruction] = {}
    for instruction in computation.instructions:
        if instruction.opcode == "get-tuple-element":
            index = instruction.attribute("index")
            if index is not None and index.isdecimal():
                takers.setdefault((instruction.operands[0], int(index)), instruction)
    return takers


def _elements(
    instruction: Instruction, by_name: Mapping[str, Instruction], takers: Mapping[tuple[str, int], Instruction]
) -> tuple[Element, ...]:
    """What was merged into a collective; nothing where its result is not a tuple with an element for each operand."""
    start, done = _pair(instruction, by_name)
    shapes = _tuple_shapes(done.shape)
    if len(shapes) < 2 or len(shapes) != len(start.operands):
        return ()
    return tuple(
        Element(shape_bytes(shape), tuple(_witnesses(takers.get((done.name, index)), operand, by_name)))
        for index, (shape, operand) in enumerate(zip(shapes, start.operands, strict=True))
    )


def _pair(instruction: Instruction, by_name: Mapping[str, Instruction]) -> tuple[Instruction, Instruction]:
    """The instruction that has the operands of a collective, and the one that has its result."""
    if instruction.opcode.endswith(_DONE):
        return by_name.get(next(iter(instruction.operands), ""), instruction), instruction
    if instruction.opcode.endswith(_START):
        ends = (other for other in by_name.values() if other.opcode.endswith(_DONE))
        return instruction, next((other for other in ends if instruction.name in other.operands), instruction)
    return instruction, instruction


def _tuple_shapes(shape: str) -> list[str]:
    """The shapes in a tuple's; none of an array's."""
    shape = shape.strip()
    return list(pieces(shape[1:-1])) if shape.startswith("(") and shape.endswith(")") else []


def _witnesses(taker: Instruction | None, operand: str, by_name: Mapping[str, Instruction]) -> Iterator[Instruction]:
    """What tells the origin of an element: who takes it out of the result, then who produces the operand; named ones only."""
    if taker is not None and taker.op_name:
        yield taker
    producer = by_name.get(operand)
    while producer is not None:
        if producer.op_name and producer.opcode != "parameter":
            yield producer
        source = producer.operands[0] if producer.opcode in _PLUMBING and producer.operands else ""
        producer = by_name.get(source)


class Runs(NamedTuple):
    """How often a computation runs; ``None`` with the reason where the text does not tell."""

    times: int | None
    reason: str = ""


_ONCE = frozenset({"fusion", "call", "async-start"})
"""Instructions that run what they call once."""


def runs_of(module: HloModule) -> dict[str, Runs]:
    """How often each computation of a module runs, by the trip counts that the text fixes; 0 of what nothing runs."""
    computations = {computation.name: computation for computation in module.computations}
    calls = {name: list(_calls(computation, computations)) for name, computation in computations.items()}
    runs = {name: Runs(int(computation.is_entry)) for name, computation in computations.items()}
    for name in callers_first({name: {callee for callee, _ in called} for name, called in calls.items()}):
        for callee, inner in calls[name]:
            runs[callee] = _added(runs[callee], runs[name], inner)
    return runs


def _calls(computation: Computation, computations: Mapping[str, Computation]) -> Iterator[tuple[str, Runs]]:
    for instruction in computation.instructions:
        for role, callee in instruction.called:
            if callee in computations:
                yield callee, _inner_runs(instruction, role)


def _inner_runs(instruction: Instruction, role: str) -> Runs:
    """How often an instruction runs a computation that it names."""
    if instruction.opcode == "while":
        if instruction.trip_count is None:
            return Runs(None, f"the trip count of {instruction.name} is not fixed in the text")
        return Runs(instruction.trip_count + (role == "condition"))
    if instruction.opcode in _ONCE:
        return Runs(1)
    chosen = f"which branch of {instruction.name} runs depends on values"
    applied = f"how often {instruction.name} applies its function is the compiler's choice"
    return Runs(None, chosen if instruction.opcode == "conditional" else applied)


def _added(before: Runs, outer: Runs, inner: Runs) -> Runs:
    """How often a computation runs, with those of one more caller."""
    if 0 in {outer.times, inner.times} or before.times is None:
        return before
    if outer.times is None or inner.times is None:
        return Runs(None, outer.reason or inner.reason)
    return Runs(before.times + outer.times * inner.times)


Amount = dict[str, int | None]
"""A number of collectives, ``count``, and the ``bytes`` of their results."""


def amounts_by_kind(collectives: Iterable[Collective]) -> dict[str, Amount]:
    """The collectives by kind as they stand in the text; an asynchronous pair counts once."""
    kinds: dict[str, Amount] = {}
    for collective in collectives:
        if not collective.is_start:
            _add(kinds.setdefault(collective.kind, _nothing()), 1, collective.bytes)
    return kinds


def entries_by_kind(
    module: HloModule, collectives: Sequence[Collective], parts_of: Callable[[Collective], Sequence[Part]]
) -> tuple[dict[str, dict[str, Any]], str]:
    """The collectives by kind as a count has them, and why it is unknown how often one of them runs.

    Args:
        module: the module.
        collectives: its collectives.
        parts_of: the phases that a collective has, each with the bytes of its part.
    """
    counted = [collective for collective in collectives if not collective.is_start]
    runs = runs_of(module) if counted else {}
    entries: dict[str, dict[str, Any]] = {}
    for kind, amount in amounts_by_kind(counted).items():
        executed = _nothing()
        by_phase: dict[str, Amount] = {}
        for collective in counted:
            if collective.kind == kind:
                times = runs[collective.computation.name].times
                _add(executed, times, _product(times, collective.bytes))
                for part in parts_of(collective):
                    _add(by_phase.setdefault(part.phase, _nothing()), 1, part.bytes)
        ordered = {phase.value: by_phase[phase.value] for phase in Phase if phase.value in by_phase}
        entries[kind] = {**amount, "executed": executed if executed["count"] is not None else None, "phases": ordered}
    reasons = (runs[collective.computation.name].reason for collective in counted)
    return entries, next(filter(None, reasons), "")


def _nothing() -> Amount:
    return {"count": 0, "bytes": 0}


def _add(amount: Amount, count: int | None, size: int | None) -> None:
    amount["count"] = _sum((amount["count"], count))
    amount["bytes"] = _sum((amount["bytes"], size))


def _sum(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _product(times: int | None, size: int | None) -> int | None:
    return None if times is None or size is None else times * size
