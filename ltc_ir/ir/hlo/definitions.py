"""Holds an HLO text to what it defines: a line lost from a dump leaves a name that nothing defines.

What is checked is what XLA's parser checks of names (an operand, a predecessor and a called computation stand above their
use), of opcodes with the number of their operands, of the words of attributes and types, and of parameters; and, beyond it,
whether parameters of a signature or of an alias are there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ltc_ir.ir.hlo.module import CALLED, LITERAL_OPCODES, Computation, Instruction, operands_of
from ltc_ir.ir.hlo.opcodes import CALLING, OPERANDS, number_of_operands
from ltc_ir.ir.hlo.scanner import COMMENT, NAME, HloSyntaxError, error_at, excerpt, group_end, line_of, pairs, pieces
from ltc_ir.ir.hlo.words import REQUIRED, is_usual_shape, wrong_words

_DIGITS = re.compile(r"\d{1,9}", re.ASCII)
_NAME = re.compile(NAME, re.ASCII)
_TARGETS = re.compile(r"(?:\{\s*(\d*)[\d,\s]*\}\s*:\s*)?\(\s*(\d{1,9})\b", re.ASCII)
_LAYOUT = re.compile(rf"\{{[^{{}}]*\}}|{COMMENT}|\s+|<=", re.ASCII)
_PREDECESSORS = "control-predecessors"
_ALIASES = ("input_output_alias", "buffer_donor")

_NEW, _LITERAL, _ANY, _CALLS = -1, -2, -3, -4
_WANTED: dict[str, int] = dict.fromkeys(LITERAL_OPCODES, _LITERAL)
"""The number of operands of each opcode met; `_ANY` where it differs, `_CALLS` where it also calls computations."""


class Definitions:
    """What a text has defined so far, and the checks of what it names.

    Args:
        text: the whole text, for the lines of errors.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._parameters: dict[str, int] = {}
        self._shapes: set[str] = set()
        self._rootless: list[tuple[str, int]] = []

    def add(
        self, name: str, instructions: Sequence[Instruction], starts: Sequence[int], signature: tuple[int, int]
    ) -> None:
        """Check one computation by what stands above it, then let those below name it.

        Args:
            name: of the computation.
            instructions: its instructions.
            starts: where each begins.
            signature: where its ``(parameters) -> shape`` begins and ends; the same where it has none.

        Raises:
            HloSyntaxError: a name is not defined, an opcode is not XLA's, or parameters are missing.
        """
        known: set[str] = set()
        add, wanted_by_opcode = known.add, _WANTED
        roots, numbers = [], []
        for position, (own, opcode, _, arguments, _, is_root) in enumerate(instructions):
            wanted = wanted_by_opcode.get(opcode, _NEW)
            if wanted == 1 and arguments[1:] in known and arguments[0] == "%":
                pass
            elif wanted == _LITERAL:
                if opcode == "parameter":
                    numbers.append((arguments, position))
            else:
                operands = arguments.replace("%", "").split(", ")
                if wanted not in {len(operands), _ANY, _CALLS} or not known.issuperset(operands):
                    self._check_operands(instructions[position], starts[position], known)
                if wanted in {_CALLS, _NEW}:
                    self._check_called(instructions[position], starts[position])
            if is_root:
                roots.append(position)
            add(own)
        if shapes := {instruction[2] for instruction in instructions} - self._shapes:
            self._check_shapes(shapes, instructions, starts)
        if len(known) != len(instructions):
            self._report_duplicate(name, instructions, starts)
        root = self._root(name, roots, starts[: len(instructions)])
        self._check_result(name, instructions[root].shape, starts[root], signature)
        if self._text.find(_PREDECESSORS, starts[0], starts[-1]) >= 0:
            self._check_predecessors(instructions, starts)
        self._check_parameters(name, numbers, starts, signature)
        self._parameters[name] = len(numbers)

    def _root(self, name: str, roots: Sequence[int], starts: Sequence[int]) -> int:
        """The position of the root: what is marked so, else the last instruction."""
        if len(roots) > 1:
            raise error_at(self._text, starts[roots[1]], f"computation {name!r} has a second ROOT")
        if not roots:
            self._rootless.append((name, starts[-1]))
        return roots[0] if roots else len(starts) - 1

    def check_words(self, instruction: Instruction, start: int) -> None:
        """Check the attributes of an instruction that is not printed as most are.

        Raises:
            HloSyntaxError: one is unknown here (XLA's parser may know it), stands twice or is missing.
        """
        for wrong in wrong_words(instruction.opcode, instruction.attributes):
            raise error_at(self._text, start, f"{instruction.name!r} {wrong}")

    def __contains__(self, computation: str) -> bool:
        return computation in self._parameters

    def check_header(self, attributes: str, entry: Computation) -> None:
        """Check that the parameters which the header gives away exist, and the roots, which XLA marks where it prints a header.

        Raises:
            HloSyntaxError: one does not.
        """
        if self._rootless and "entry_computation_layout" in attributes:
            name, start = self._rootless[0]
            message = f"computation {name!r} has no ROOT instruction, and XLA prints one in each"
            raise HloSyntaxError(message, line_of(self._text, start), missing=True, certain=True)
        if "alias" not in attributes and "donor" not in attributes:
            return
        parameters = self._parameters[entry.name]
        root = next((one for one in reversed(entry.instructions) if one.is_root), entry.instructions[-1])
        results = sum(1 for _ in pieces(root.shape[1:-1])) if root.shape.startswith("(") else 0
        for key, value in pairs(attributes):
            for result, number in _TARGETS.findall(value) if key in _ALIASES else ():
                if int(number) >= parameters or int(result or -1) >= results:
                    what = f"parameter {number}" if int(number) >= parameters else f"result {result}"
                    message = f"{key} names {what}, which {entry.name!r} does not have"
                    position = max(0, self._text.find(key))
                    raise HloSyntaxError(message, line_of(self._text, position), missing=True, certain=True)

    def _check_operands(self, instruction: Instruction, start: int, known: set[str]) -> None:
        """The same of operands in any spelling, and of an opcode met for the first time."""
        try:
            wanted = number_of_operands(instruction.opcode)
        except KeyError:
            raise error_at(self._text, start, f"XLA has no opcode {instruction.opcode!r}") from None
        _WANTED[instruction.opcode] = _kind(instruction.opcode, wanted)
        operands = operands_of(instruction.arguments)
        for name, _ in operands:
            if name not in known:
                message = f"{instruction.name!r} has the operand {name!r}, which nothing above it defines"
                raise self._missing(start, message)
        if wanted is not None and wanted != len(operands):
            operand = "operand" if wanted == 1 else "operands"
            message = f"{instruction.opcode!r} takes {wanted} {operand}, {instruction.name!r} has {len(operands)}"
            raise error_at(self._text, start, message)

    def _check_shapes(self, shapes: set[str], instructions: Sequence[Instruction], starts: Sequence[int]) -> None:
        if wrong := {shape for shape in shapes if not is_usual_shape(shape)}:
            position = next(number for number, one in enumerate(instructions) if one.shape in wrong)
            name, _, shape, *_ = instructions[position]
            raise error_at(
                self._text, starts[position], f"{name!r} is of the type {excerpt(shape, 0)}, which XLA does not have"
            )
        self._shapes |= shapes

    def _check_called(self, instruction: Instruction, start: int) -> None:
        """The search is not exact, as it looks into strings; the reader of attributes is."""
        found, required = CALLED.search(instruction.attributes), REQUIRED.get(instruction.opcode, ())
        if found and (not required or required == (found[1],)):
            if found[2].removeprefix("%") in self._parameters and not CALLED.search(
                instruction.attributes, found.end()
            ):
                return
        elif not found and not required and instruction.opcode != "conditional":
            return
        self.check_words(instruction, start)
        try:
            called = instruction.called
        except HloSyntaxError as error:
            raise error_at(self._text, start, error.message) from None
        for _, name in called:
            if name not in self._parameters:
                message = f"{instruction.name!r} calls {name!r}, which nothing above it defines"
                raise self._missing(start, message)

    def _check_predecessors(self, instructions: Sequence[Instruction], starts: Sequence[int]) -> None:
        known: set[str] = set()
        for instruction, start in zip(instructions, starts, strict=False):
            for name in _NAME.findall(instruction.attribute(_PREDECESSORS) or ""):
                if name not in known:
                    message = f"{instruction.name!r} has the predecessor {name!r}, which nothing above it defines"
                    raise self._missing(start, message)
            known.add(instruction.name)

    def _report_duplicate(self, name: str, instructions: Sequence[Instruction], starts: Sequence[int]) -> None:
        known: set[str] = set()
        for instruction, start in zip(instructions, starts, strict=False):
            if instruction.name in known:
                raise error_at(self._text, start, f"{instruction.name!r} is defined a second time in {name!r}")
            known.add(instruction.name)

    def _check_parameters(
        self, name: str, numbers: list[tuple[str, int]], starts: Sequence[int], signature: tuple[int, int]
    ) -> None:
        if {number for number, _ in numbers} != _decimals(len(numbers)):
            self._report_parameters(name, numbers, starts)
        begin, end = signature
        if end > begin and self._text.count(": ", begin, end) != len(numbers):
            declared = sum(1 for _ in pieces(self._text[begin + 1 : group_end(self._text, begin) - 1]))
            if declared != len(numbers):
                message = f"computation {name!r} declares {declared} parameters and has {len(numbers)}"
                raise self._missing(starts[0], message, certain=True)

    def _check_result(self, name: str, shape: str, start: int, signature: tuple[int, int]) -> None:
        begin, end = signature
        arrow = self._text.rfind("->", begin, end)
        declared = self._text[arrow + 2 : end].strip() if arrow >= 0 else shape
        if declared != shape and _without_layout(declared) != _without_layout(shape):
            found = f"computation {name!r} returns {_short(declared)}, and its root {_short(shape)}"
            message = f"{found}: is the line with ROOT lost?"
            raise self._missing(start, message)

    def _report_parameters(self, name: str, numbers: list[tuple[str, int]], starts: Sequence[int]) -> None:
        found: set[int] = set()
        for written, position in numbers:
            text = written.strip()
            if not _DIGITS.fullmatch(text):
                raise error_at(self._text, starts[position], f"expected a parameter's number, not {excerpt(text, 0)}")
            if int(text) in found:
                raise error_at(self._text, starts[position], f"computation {name!r} has a second parameter {text}")
            found.add(int(text))
        if missing := set(range(len(found))) - found:
            message = f"computation {name!r} has no parameter {min(missing)}, but one with a higher number"
            raise self._missing(starts[0], message)

    def _missing(self, position: int, message: str, *, certain: bool = False) -> HloSyntaxError:
        return HloSyntaxError(message, line_of(self._text, position), True, certain)


def _kind(opcode: str, wanted: int | None) -> int:
    if opcode in CALLING or opcode not in OPERANDS:
        return _CALLS if wanted is None else _NEW
    return _ANY if wanted is None else wanted


@lru_cache(maxsize=256)
def _without_layout(shape: str) -> str:
    return _LAYOUT.sub("", shape)


def _short(shape: str) -> str:
    shape = _without_layout(shape)
    return shape if len(shape) < 60 else f"{shape[:60]}…"


@lru_cache(maxsize=256)
def _decimals(number: int) -> frozenset[str]:
    return frozenset(map(str, range(number)))
