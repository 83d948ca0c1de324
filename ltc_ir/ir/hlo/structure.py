"""Hashes of what an optimised HLO module computes, whatever its names, its layouts and the order of its instructions.

A value is hashed by the operation that makes it, its type, its attributes and its operands; fusions and calls are read as if
they were written out where they are used, so that only what flows where counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ltc_ir.ir.fingerprint import digest
from ltc_ir.ir.hlo.module import CALLING_ATTRIBUTES, Computation, HloModule, Instruction, operands_of
from ltc_ir.ir.hlo.scanner import pairs
from ltc_ir.ir.structure import MOST_ROUNDS, TooLargeError, Walk, most_operations, run

_INLINED = frozenset({"fusion", "call", "async-start"})
_EFFECTS = frozenset({
    "infeed", "outfeed", "send", "recv", "send-done", "recv-done", "rng", "rng-get-and-update-state",
})  # fmt: skip
"""Opcodes with an effect, beyond the custom calls that say so."""
_COPIES = frozenset({"bitcast", "copy", "async-done"})
_IGNORED = frozenset({
    "metadata", "frontend_attributes", "origin", "backend_config", "channel_id", "control-predecessors", "kind",
    "async_execution_thread", "async_group_id", "schedule", *CALLING_ATTRIBUTES,
})  # fmt: skip
_LAYOUT = re.compile(r"\{[^{}]*\}|\s|/\*.*?\*/")
Value = Any
"""The hash of a value with its type; of a tuple whose parts are known, the tuple of theirs."""


def of_hlo(module: HloModule) -> dict[str, str | None]:
    """The fingerprint of a module, without the values of constants, and its structure, without the order of what loops carry.

    ``None`` where it is too large, or a computation in it is missing.
    """
    hashes: dict[str, str | None] = {}
    for name, exact in (("fingerprint", False), ("structure", True)):
        reading = _Reading(module, exact=exact)
        try:
            outputs, effects = run(reading.computation(module.entry, lambda position: f"argument {position}"))
            hashes[name] = digest([_flat(outputs), *effects])
        except (TooLargeError, LookupError, ValueError, TypeError, RecursionError):
            hashes[name] = None
    return hashes


class _Reading:
    """Hashes a module once.

    Args:
        module: the module.
        exact: whether constants are known by their values, and what a loop carries by how it begins and what each pass makes
            of it; otherwise by their places.
    """

    def __init__(self, module: HloModule, *, exact: bool) -> None:
        self.computations = {computation.name: computation for computation in module.computations}
        self.exact = exact
        self.left = most_operations(sum(len(computation.instructions) for computation in module.computations))

    def computation(self, computation: Computation, arguments: Callable[[int], Value]) -> Walk:
        """The value that a computation returns, and its effects, in order."""
        values: dict[str, Value] = {}
        effects: list[str] = []
        for instruction in computation.instructions:
            self.left -= 1
            if self.left < 0:
                raise TooLargeError
            if instruction.opcode == "parameter":
                value = _typed(arguments(int(instruction.arguments)), instruction.shape)
            else:
                operands = [_element(values[name], index) for name, index in _operands(instruction)]
                called = [self.computations[name] for _, name in instruction.called]
                if not called:
                    value = self._plain(instruction, operands, effects)
                elif instruction.opcode in _INLINED and len(called) == 1:
                    value, inside = yield self.computation(called[0], operands.__getitem__)
                    effects += inside
                elif instruction.opcode == "while" and self.exact:
                    value = yield self._loop(operands[0], called, effects)
                else:
                    value = yield self._applied(instruction, operands, called, effects)
            values[instruction.name] = value
        return values[_root(computation).name], effects

    def _applied(
        self, instruction: Instruction, operands: list[Value], called: list[Computation], effects: list[str]
    ) -> Walk:
        """An instruction whose computations take values that are known inside only."""
        hashes = []
        for number, computation in enumerate(called):
            value, inside = yield self.computation(computation, _parameter(number, instruction.opcode))
            hashes.append(digest([_flat(value), *inside]))
        return self._plain(instruction, operands, effects, hashes)

    def _loop(self, initial: Value, called: list[Computation], effects: list[str]) -> Walk:
        """A loop, whose state is known by how it begins and what each pass makes of it."""
        labels = _mapped(lambda value: digest(["carried", value]), initial)
        made: list[Any] = []
        for _ in range(MOST_ROUNDS):
            made = []
            for computation in called:  # a condition and a body
                made.append((yield self.computation(computation, _constant(labels))))
            after = next((value for value, _ in made if isinstance(value, tuple)), None)
            refined = labels if after is None else _paired(labels, after)
            if len(set(_leaves(refined))) == len(set(_leaves(labels))):
                break
            labels = refined
        words = sorted(digest([*(_leaves(value) if value is not after else []), *inside]) for value, inside in made)
        state = _paired(labels, labels if after is None else after)
        hashed = digest(["while", *words, *sorted(_leaves(state)), *sorted(_leaves(initial))])
        if any(inside for _, inside in made):
            effects.append(hashed)
        return _mapped(lambda value: f"{digest([hashed, value])} : {_shape(value)}", state)

    def _plain(
        self, instruction: Instruction, operands: list[Value], effects: list[str], applied: list[str] | None = None
    ) -> Value:
        opcode, shape = instruction.opcode, _LAYOUT.sub("", instruction.shape)
        if opcode == "tuple":
            return tuple(operands)
        if opcode == "get-tuple-element":
            return _typed(_part(operands[0], int(instruction.attribute("index") or 0)), instruction.shape)
        if opcode in _COPIES and shape == _shape(operands[0]):
            return operands[0]  # copies and changes of layout compute nothing
        words = [opcode, shape, *map(_flat, operands), *_attributes(instruction), *(applied or ())]
        if opcode == "constant":
            words = [opcode, shape, instruction.arguments if self.exact else ""]
        effect = opcode in _EFFECTS or "has_side_effect=true" in instruction.attributes
        if effect:
            words.append(f"effect {len(effects)}")
        hashed = digest(words)
        if effect:
            effects.append(hashed)
        return f"{hashed} : {shape}"


def _constant(value: Value) -> Callable[[int], Value]:
    return lambda _: value


def _mapped(change: Callable[[str], str], value: Value) -> Value:
    """A value with its leaves changed; tuples are as deep as a program writes their types."""
    return tuple(_mapped(change, part) for part in value) if isinstance(value, tuple) else change(value)


def _paired(before: Value, after: Value) -> Value:
    """Each leaf with what became of it."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        return tuple(_paired(*pair) for pair in zip(before, after, strict=False))
    return f"{digest([_flat(before), _flat(after)])} : {_shape(after)}"


def _leaves(value: Value) -> list[str]:
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, tuple) else [value]


def _root(computation: Computation) -> Instruction:
    root = next((one for one in computation.instructions if one.is_root), None)
    return root or computation.instructions[-1]


def _operands(instruction: Instruction) -> list[tuple[str, str]]:
    return [] if instruction.opcode in {"constant", "parameter"} else operands_of(instruction.arguments)


def _parameter(number: int, opcode: str) -> Callable[[int], Value]:
    """A parameter of an applied computation, by its place."""
    return lambda position: f"parameter {number}.{position} of {opcode}"


def _typed(value: Value, shape: str) -> Value:
    """A value with its type, by which copies are recognised."""
    if isinstance(value, tuple):
        return value
    bare = value.partition(" : ")[0]
    return f"{bare} : {_LAYOUT.sub('', shape)}"


def _shape(value: Value) -> str:
    return "" if isinstance(value, tuple) else value.partition(" : ")[2]


def _part(value: Value, index: int) -> Value:
    if isinstance(value, tuple):
        return value[index]
    return f"{value.partition(' : ')[0]}.{index}"


def _element(value: Value, index: str) -> Value:
    """An operand; of ``%t#0`` the first element."""
    for number in filter(None, index.split("#")):
        value = _part(value, int(number))
    return value


def _flat(value: Value) -> str:
    """The hash of a value as a word: of nested tuples by their parts."""
    parts: list[str] = []
    pending: list[Value] = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, tuple):
            parts.append(f"({len(one)})")
            pending += reversed(one)
        else:
            parts.append(one)
    return parts[0] if len(parts) == 1 else digest(parts)


def _attributes(instruction: Instruction) -> list[str]:
    if not instruction.attributes:
        return []
    kept = [f"{name}={value}" for name, value in pairs(instruction.attributes) if name not in _IGNORED]
    if instruction.opcode == "custom-call" and "callback" not in (instruction.custom_call_target or ""):
        kept.append(f"backend_config={instruction.attribute('backend_config')}")
    return sorted(word for word in kept if "%" not in word)
