"""A hash of a program's structure that does not depend on the order of independent operations.

Where two fingerprints differ and these hashes do not, the same operations were written in another order. An operation is
hashed by its name, types and attributes, an operand by the operation that makes it, a literal by its value; a program by its
operations, sorted, and its results. Operations with side effects keep their order. Fingerprints ignore the values of constants,
these hashes need them: two programs are the same where either agrees.

The order of lines in a loop's body or in a called function decides the order of what it closes over, and that of what a
gradient keeps of it. So values inside are known by what they are outside, results by what computes them, and what a loop
carries by how it begins and what each pass makes of it; their places do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from ltc_ir.ir.fingerprint import digest

MOST_ROUNDS = 8
"""Passes over a loop's body at most until the values that it carries are told apart."""


class Kind(Enum):
    """How an operation's operands, the bodies that it holds and its results are connected.

    ``EACH`` has no body and gives each operand on, as a barrier does.
    """

    CALL = auto()
    BRANCH = auto()
    LOOP = auto()
    EACH = auto()
    OTHER = auto()


@dataclass(frozen=True)
class Body:
    """A jaxpr, a function or a region.

    ``operations`` reads them, once; ``outputs`` are their operands at the end, known once they were read.
    ``known`` are the constants in it.
    """

    inputs: Sequence[Any]
    operations: Callable[[], Sequence[Operation]]
    outputs: Callable[[], Sequence[Any]]
    known: Mapping[Hashable, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation without the names of its values.

    Args:
        text: its name, the types of its results, and its attributes.
        operands: keys of values, or literals as text.
        results: keys of values.
        kind: the connection of operands, bodies and results.
        bodies: the bodies that it holds; of a loop the condition first, where it has one.
        closed: of a loop, how many values each body closes over, which come before the carried ones.
        carried: of a loop, how many values it carries.
        ordered: whether it has an effect.
        commutes: whether the order of its operands makes no difference, as in the sums that a gradient makes.
    """

    text: str
    operands: Sequence[Any]
    results: Sequence[Hashable]
    kind: Kind = Kind.OTHER
    bodies: tuple[Body, ...] = ()
    closed: tuple[int, ...] = ()
    carried: int = 0
    ordered: bool = False
    commutes: bool = False


class TooLargeError(Exception):
    """The program is too large, with functions and loops read once per use."""


def most_operations(size: int) -> int:
    """How many operations are read at most of a program with this many in its text: functions and loops are read per use."""
    return 10_000 + 4 * size


Walk = Generator[Any, Any, Any]
Made = tuple[list[str], list[str]]
"""The hashes of a body's outputs, and of its operations."""


class Structure:
    """Hashes one program.

    Args:
        size: the operations of its text.
    """

    def __init__(self, size: int) -> None:
        self.values: dict[Hashable, str] = {}
        self.left = most_operations(size)

    def of_program(self, body: Body, labels: Sequence[str]) -> str:
        """The hash of a program whose inputs are these.

        Raises:
            TooLargeError: it is too large.
        """
        outputs, operations = run(self._body(body, labels))
        return digest([*operations, f"out {','.join(outputs)}"])

    def _value(self, operand: Any) -> str:
        return operand if isinstance(operand, str) else self.values.get(operand, "?")

    def _body(self, body: Body, labels: Sequence[str]) -> Walk:
        """The outputs and the sorted operations of a body whose inputs are these."""
        self.values.update(body.known)
        self.values.update(zip(body.inputs, labels, strict=False))
        hashes: list[str] = []
        effects = 0
        for operation in body.operations():
            self.left -= 1
            if self.left < 0:
                raise TooLargeError
            operands = [self._value(operand) for operand in operation.operands]
            if operation.commutes:
                operands.sort()
            text = operation.text
            if operation.ordered:
                effects += 1
                text = f"{text} effect {effects}"
            if operation.kind == Kind.EACH:
                hashed = digest([text, *sorted(operands)])
                results = [digest([text, operand]) for operand in operands]
            elif not operation.bodies:
                hashed = digest([f"{text} ({','.join(operands)})"])
                results = [f"{hashed}.{number}" for number in range(len(operation.results))]
            else:
                hashed, results = yield _WALKS[operation.kind](self, operation, text, operands)
            hashes.append(hashed)
            self.values.update(zip(operation.results, results, strict=False))
        return [self._value(output) for output in body.outputs()], sorted(hashes)

    def _call(self, operation: Operation, text: str, operands: list[str]) -> Walk:
        outputs, inside = yield self._body(operation.bodies[0], operands)
        hashed = digest([text, *sorted(operands), "in", *inside])
        return hashed, [digest([hashed, output]) for output in outputs]

    def _branch(self, operation: Operation, text: str, operands: list[str]) -> Walk:
        made: list[Made] = []
        for body in operation.bodies:
            made.append((yield self._body(body, operands[1:])))
        words = [word for _, inside in made for word in ("branch", *inside)]
        hashed = digest([text, operands[0], *sorted(operands[1:]), *words])
        outputs = zip(*(outputs for outputs, _ in made), strict=False)
        return hashed, [digest([hashed, *together]) for together in outputs]

    def _other(self, operation: Operation, text: str, operands: list[str]) -> Walk:
        """An operation whose bodies take values of their own."""
        words = [f"{text} ({','.join(operands)})"]
        for number, body in enumerate(operation.bodies):
            inputs = [f"{number}.{place} of {words[0]}" for place in range(len(body.inputs))]
            outputs, inside = yield self._body(body, inputs)
            words += ["body", *inside, f"out {','.join(outputs)}"]
        hashed = digest(words)
        return hashed, [f"{hashed}.{number}" for number in range(len(operation.results))]

    def _loop(self, operation: Operation, text: str, operands: list[str]) -> Walk:
        start = sum(operation.closed)
        initial = operands[start : start + operation.carried]
        rest = [digest(["each", operand]) for operand in operands[start + operation.carried :]]
        labels = [digest(["carried", value]) for value in initial]
        made: list[Made] = []
        for _ in range(MOST_ROUNDS):
            made = yield self._passes(operation, operands, labels, rest)
            if len(set(labels)) == len(labels):
                break
            refined = [digest([*pair]) for pair in zip(labels, made[-1][0], strict=False)]
            if len(set(refined)) == len(set(labels)):
                break  # what is still called the same has the same value
            labels = refined
        return _looped(text, operation, [digest([*pair]) for pair in zip(labels, initial, strict=True)], rest, made)

    def _passes(self, operation: Operation, operands: list[str], labels: list[str], rest: list[str]) -> Walk:
        """Read the bodies of a loop once, with what it carries called by these labels."""
        made: list[Made] = []
        first = 0
        for body, closed in zip(operation.bodies, operation.closed, strict=True):
            made.append((yield self._body(body, [*operands[first : first + closed], *labels, *rest])))
            first += closed
        return made


def _looped(text: str, operation: Operation, labels: list[str], rest: list[str], made: list[Made]) -> Any:
    """The hash of a loop and its results: what it carried, then what each pass added."""
    outputs, inside = made[-1]
    carried = [digest([*pair]) for pair in zip(labels, outputs, strict=False)]
    conditions = [word for results, tested in made[:-1] for word in ("condition", *tested, *results)]
    hashed = digest([text, *sorted(carried), *sorted(rest), *conditions, "body", *inside])
    added = outputs[operation.carried :]
    return hashed, [digest([hashed, value]) for value in carried] + [digest([hashed, "each", out]) for out in added]


_WALKS: Mapping[Kind, Callable[[Structure, Operation, str, list[str]], Walk]] = {
    Kind.CALL: Structure._call,
    Kind.BRANCH: Structure._branch,
    Kind.LOOP: Structure._loop,
    Kind.OTHER: Structure._other,
}


def run(walk: Walk) -> Any:
    """The result of a generator that yields others and gets their results: programs nest deeper than Python's stack."""
    stack, result = [walk], None
    while stack:
        try:
            stack.append(stack[-1].send(result))
            result = None
        except StopIteration as stop:
            stack.pop()
            result = stop.value
    return result
