"""Which equations XLA merged into one instruction: those that compute the same value, of which only some are left.

XLA eliminates common subexpressions and keeps the name of one of them. Values of the program before optimisation are
numbered: two instructions have the same number where they apply the same operation to the same numbers. Calls are followed,
and barriers pass their operands on, as XLA removes them before its last elimination. Where an instruction is gone and
another of the same number is left, the one that is left computes both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from ltc_ir.ir.hlo.module import CALLING_ATTRIBUTES, Computation, HloModule, Instruction
from ltc_ir.ir.hlo.scanner import pairs
from ltc_ir.ir.marks import Marks, Path
from ltc_ir.ir.op import callers_first

MOST_VALUES = 2_000_000
"""Instructions numbered at most, with those of a function once per call; beyond, merges are not known."""
Member = tuple[Path, str]
"""An instruction as merges know it: its path and its opcode."""
Value = Any
"""The number of a value; of a tuple made of values, the tuple of their numbers."""
_FORWARDED = frozenset({"parameter", "tuple", "get-tuple-element", "opt-barrier", "call", "constant"})
"""Opcodes that compute nothing, and constants, which have no equation of their own."""
_IGNORED = frozenset({"metadata", "frontend_attributes", "origin", *CALLING_ATTRIBUTES})


class TooManyValuesError(Exception):
    """The program is too large to number its values."""


class Merges:
    """The equations that were merged into the instructions of an optimised module.

    Args:
        before: the module before optimisation; ``None`` where it is not available, so that no merge is known.
        after: the optimised module.
        marks: what the marks in both mean.

    Raises:
        TooManyValuesError: the program is too large to tell.
    """

    def __init__(self, before: HloModule | None, after: HloModule, marks: Marks) -> None:
        self._exact: dict[Member, set[Path]] = defaultdict(set)
        self._renamed: dict[Path, set[Path]] = defaultdict(set)
        self._before: set[Member] = set()
        left = {(marks.path(instruction.op_name), instruction.opcode) for _, instruction in after.instructions()}
        paths = {path for path, _ in left}
        for members in () if before is None else _Numbering(before, marks).classes():
            self._before |= members
            self._add(members, left, paths)

    def _add(self, members: set[Member], left: set[Member], paths: Collection[Path]) -> None:
        """Add the instructions that compute one value: those that are gone were merged into those that are left."""
        kept = members & left
        gone = {path for path, _ in members - left if kept or path not in paths}
        for path, opcode in kept:
            self._exact[path, opcode] |= gone - {path}
        for path, _ in () if kept else members:
            if path in paths:
                self._renamed[path] |= gone - {path}

    def into(self, path: Path, opcode: str) -> Collection[Path]:
        """The paths of the other equations that the instruction of this path computes as well."""
        if (path, opcode) in self._before:
            return self._exact.get((path, opcode), ())
        return self._renamed.get(path, ())


@dataclass
class _Frame:
    """A computation being numbered, for one call of it."""

    computation: Computation
    arguments: Callable[[int], Value]
    prefix: Path
    instructions: Iterator[Instruction]
    values: dict[str, Value] = field(default_factory=dict)
    result: str = ""


class _Numbering:
    """The numbers of the values of a module."""

    def __init__(self, module: HloModule, marks: Marks) -> None:
        self.module = module
        self.marks = marks
        self.computations = {computation.name: computation for computation in module.computations}
        self.numbers: dict[Any, int] = {}
        self.members: dict[Value, set[Member]] = defaultdict(set)
        self.live: dict[str, set[str]] = {}
        self.visited = 0
        self.hashes = self._hash_all()

    def classes(self) -> Iterator[set[Member]]:
        """The instructions that compute one value each, where several equations do."""
        self._run(self.module.entry, lambda position: self._number(("argument", position)), ())
        for members in self.members.values():
            if len({path for path, _ in members}) > 1:
                yield members

    def _number(self, key: Any) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _run(self, entry: Computation, arguments: Callable[[int], Value], prefix: Path) -> None:
        """Number a computation and all it calls; without recursion, as programs nest arbitrarily deep."""
        frames = [self._frame(entry, arguments, prefix)]
        while frames:
            frame = frames[-1]
            instruction = next(frame.instructions, None)
            if instruction is None:
                frames.pop()
                if frames and frame.result:
                    root = frame.computation.instructions[-1]
                    root = next((one for one in frame.computation.instructions if one.is_root), root)
                    frames[-1].values[frame.result] = frame.values[root.name]
                continue
            self.visited += 1
            if self.visited > MOST_VALUES:
                raise TooManyValuesError
            frames += self._visit(frame, instruction)

    def _frame(
        self, computation: Computation, arguments: Callable[[int], Value], prefix: Path, result: str = ""
    ) -> _Frame:
        return _Frame(computation, arguments, prefix, iter(computation.instructions), result=result)

    def _visit(self, frame: _Frame, instruction: Instruction) -> list[_Frame]:
        """Number one instruction; the computations that it runs are to be numbered next."""
        opcode, values = instruction.opcode, frame.values
        operands = [values.get(name, ("undefined", name)) for name in instruction.operands]
        called = [(role, self.computations[name]) for role, name in instruction.called if name in self.computations]
        if opcode == "parameter":
            values[instruction.name] = frame.arguments(int(instruction.arguments))
            return []
        path = self._path(frame, instruction)
        if opcode == "call" and len(called) == 1:
            return [self._frame(called[0][1], lambda position: operands[position], path, instruction.name)]
        value = values[instruction.name] = self._value(instruction, operands, called)
        if opcode not in _FORWARDED and instruction.name in self._live(frame.computation):
            self.members[value].add((path, opcode))
        bodies = called if opcode in {"while", "conditional"} else []
        return [self._body(value, *body, number, frame.prefix) for number, body in enumerate(bodies)]

    def _body(self, value: Value, role: str, computation: Computation, number: int, prefix: Path) -> _Frame:
        """The frame of a loop's body or a branch, whose arguments are known to it only."""
        place = number if role == "branch_computations" else 0
        return self._frame(computation, lambda position: self._number(("inner", value, place, position)), prefix)

    def _path(self, frame: _Frame, instruction: Instruction) -> Path:
        """The path of an instruction as XLA writes it where it inlines the calls around."""
        path = self.marks.path(instruction.op_name)
        return path if self.marks.is_absolute(path) else frame.prefix + path

    def _value(self, instruction: Instruction, operands: list[Value], called: list[tuple[str, Computation]]) -> Value:
        opcode = instruction.opcode
        if opcode == "opt-barrier" and len(operands) == 1:
            return operands[0]
        if opcode == "tuple":
            return tuple(operands)
        if opcode == "get-tuple-element":
            index = int(instruction.attribute("index") or 0)
            if isinstance(operands[0], tuple) and index < len(operands[0]) and operands[0][:1] != ("undefined",):
                return operands[0][index]
        applied = tuple((role, self.hashes.get(computation.name)) for role, computation in called)
        literal = instruction.arguments if opcode == "constant" else ""
        return self._number((opcode, instruction.shape, tuple(operands), literal, _attributes(instruction), applied))

    def _hash_all(self) -> dict[str, int]:
        """What tells a computation that is applied from others, by its name: the number of its instructions, by position."""
        calls = {
            name: {callee for instruction in computation.instructions for _, callee in instruction.called}
            & self.computations.keys()
            for name, computation in self.computations.items()
        }
        hashes: dict[str, int] = {}
        for name in reversed(callers_first(calls)):
            instructions = self.computations[name].instructions
            position = {instruction.name: number for number, instruction in enumerate(instructions)}
            hashes[name] = self._number(
                tuple(
                    (
                        instruction.opcode,
                        instruction.shape,
                        tuple(position.get(operand, operand) for operand in instruction.operands),
                        "" if instruction.operands else instruction.arguments,
                        _attributes(instruction),
                        tuple(hashes.get(callee, callee) for _, callee in instruction.called),
                        instruction.is_root,
                    )
                    for instruction in instructions
                )
            )
        return hashes

    def _live(self, computation: Computation) -> set[str]:
        """The instructions of a computation that its result or an effect needs."""
        live = self.live.get(computation.name)
        if live is None:
            live = self.live[computation.name] = set()
            for instruction in reversed(computation.instructions):
                if instruction.is_root or instruction.name in live or _has_effect(instruction):
                    live |= {instruction.name, *instruction.operands}
        return live


def _attributes(instruction: Instruction) -> tuple[tuple[str, str], ...]:
    if not instruction.attributes:
        return ()
    return tuple((name, value) for name, value in pairs(instruction.attributes) if name not in _IGNORED)


def _has_effect(instruction: Instruction) -> bool:
    return (
        instruction.opcode in {"outfeed", "send", "infeed", "recv"} or "has_side_effect=true" in instruction.attributes
    )
