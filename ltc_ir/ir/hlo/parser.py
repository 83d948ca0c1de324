"""Parses HLO text exactly and without JAX: it is the only source of a compiled program's instructions.

It reads what `jax.jit(f).lower(x).compile().as_text()`, ``lowered.as_text(dialect="hlo")`` and ``--xla_dump_to``
print, with and without ``%``, operand shapes and metadata. The grammar (blanks and comments between any two words)::

    module      = "HloModule" name attributes tables computation*
    computation = ["ENTRY"] name [ "(" parameters ")" "->" shape ] "{" instruction* "}" attributes
    instruction = ["ROOT"] name "=" shape opcode "(" operands ")" attributes
    attributes  = ( "," name "=" value )*

Attributes are delimited while parsing and parsed only on access, as few of them are needed.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace

from ltc_ir.ir.hlo.definitions import Definitions
from ltc_ir.ir.hlo.module import (
    LITERAL_OPCODES,
    OPERANDS,
    Computation,
    HloModule,
    Instruction,
    operands_of,
)
from ltc_ir.ir.hlo.scanner import (
    GROUP,
    NAME,
    HloSyntaxError,
    attributes_end,
    blank_end,
    error_at,
    excerpt,
    group_end,
    line_of,
    value_end,
)
from ltc_ir.ir.hlo.stack_frames import StackTables, TextFrame, read_tables
from ltc_ir.ir.hlo.words import USUAL_ATTRIBUTES

__all__ = ["Computation", "HloModule", "HloSyntaxError", "Instruction"]
__all__ += ["StackTables", "TextFrame", "parse"]

_SHAPE = rf"[A-Za-z]\w*+\[[^\[\]()\"{{}}/]*+\](?:{GROUP})?|(?:[A-Za-z]\w*+)?(?=[(\[])(?:{GROUP})+"
_USUAL = re.compile(
    rf'(ROOT\s+)?%?({NAME}) = ({_SHAPE}) ([A-Za-z][\w\-]*+)\(({OPERANDS})\)({USUAL_ATTRIBUTES})\s*+(?![,(\[{{/"])',
    re.ASCII,
)
"""An instruction as XLA prints most of them, with the blanks behind it; `_unusual_instruction` reads the others."""

_HEAD = re.compile(rf"(ROOT\s+)?%?({NAME})\s+=\s*", re.ASCII)
_OPCODE = re.compile(r"([A-Za-z][\w\-]*+)\s*\(", re.ASCII)
_BARE = re.compile(rf"ENTRY\b|%?{NAME}\s*\{{", re.ASCII)
"""What a text without a line ``HloModule`` begins with."""
_MODULE = re.compile(r"HloModule\s+([^\s,]+)", re.ASCII)
_COMPUTATION = re.compile(rf"(ENTRY\s+)?%?({NAME})\s*(?=[({{])", re.ASCII)


def parse(text: str, *, printed: bool = False) -> HloModule:
    r"""Read one HLO module.

    Args:
        text: the module; without a line ``HloModule``, or without ENTRY, as XLA reads it: the last computation is the entry.
        printed: XLA wrote the text just now, so that all it names is there.

    Raises:
        HloSyntaxError: the text is empty, not HLO, cut off anywhere or lacks a line (something it names is not defined),
            holds a second module, or defines a name twice.

    Example: ``parse("HloModule m\nENTRY e { ROOT c = f32[] constant(1) }").entry.name == "e"``.

    """
    start = blank_end(text, 1 if text.startswith("\ufeff") else 0)
    header = _MODULE.match(text, start)
    if header is None and not _BARE.match(text, start):
        raise error_at(text, start, f"HLO text begins with 'HloModule', not with {excerpt(text, start)}")
    name, begin = (header[1], header.end()) if header else ("", start)
    end = attributes_end(text, begin) if header else begin
    tables, position = read_tables(text, blank_end(text, end)) if header else (StackTables(), begin)
    attributes = text[begin:end].lstrip(", \n")
    definitions = None if printed else Definitions(text)
    computations = _computations(text, position, definitions)
    module = HloModule(name, attributes, _with_entry(text, attributes, computations), tables)
    if definitions:
        definitions.check_header(attributes, module.entry)
    return module


def _computations(text: str, position: int, definitions: Definitions | None) -> dict[str, Computation]:
    computations: dict[str, Computation] = {}
    entry = ""
    while (position := blank_end(text, position)) < len(text):
        start = position
        computation, position = _computation(text, start, definitions)
        if computation.name in computations:
            raise error_at(text, start, f"computation {computation.name!r} is defined a second time")
        if computation.is_entry and entry:
            raise error_at(text, start, f"a module has one ENTRY computation; {entry!r} was it already")
        entry = computation.name if computation.is_entry else entry
        computations[computation.name] = computation
    if not computations:
        raise error_at(text, len(text), "the text holds no computation")
    return computations


def _with_entry(text: str, attributes: str, computations: dict[str, Computation]) -> tuple[Computation, ...]:
    """The computations, the last of which is the entry where none is marked so.

    XLA marks the entry in all that it prints, and prints nothing that the entry does not run: else the text was cut off.
    """
    *others, last = computations.values()
    if any(computation.is_entry for computation in computations.values()):
        return (*others, last)
    pending, reached = [last], {last.name}
    while pending:
        called = {name for instruction in pending.pop().instructions for _, name in instruction.called} - reached
        reached |= called
        pending += [computations[name] for name in called if name in computations]
    if "entry_computation_layout" in attributes or len(reached) < len(computations):
        message = "the text has no ENTRY computation: it was cut off"
        raise HloSyntaxError(message, line_of(text, len(text)), missing=True, certain=True)
    return (*others, replace(last, is_entry=True))


def _computation(text: str, position: int, definitions: Definitions | None) -> tuple[Computation, int]:
    """The computation that starts at ``position``, and where it ends."""
    header = _COMPUTATION.match(text, position)
    if header is None:
        raise error_at(text, position, _not_a_computation(text, position))
    is_entry, name = header.groups()
    brace = _signature_end(text, header.end())
    if not text.startswith("{", brace):
        raise error_at(text, brace, f"expected '{{' of computation {name!r}, not {excerpt(text, brace)}")
    instructions, starts, end = _instructions(text, blank_end(text, brace + 1), name, definitions)
    if not instructions:
        raise error_at(text, brace, f"computation {name!r} has no instructions")
    if definitions is not None:
        definitions.add(name, instructions, starts, (header.end(), brace))
    elided = {element for i in instructions if "#" in i.arguments for element in _elements(i)}
    return Computation(name, is_entry is not None, tuple(instructions), len(elided)), attributes_end(text, end)


def _not_a_computation(text: str, position: int) -> str:
    if _MODULE.match(text, position):
        return "a second HloModule begins here; give each module its own file"
    return f"expected a computation, not {excerpt(text, position)}"


def _signature_end(text: str, position: int) -> int:
    """Where a computation's ``(parameters) -> shape``, which short texts leave out, ends."""
    if not text.startswith("(", position):
        return position
    arrow = blank_end(text, group_end(text, position))
    if not text.startswith("->", arrow):
        raise error_at(text, arrow, f"expected '->', not {excerpt(text, arrow)}")
    return blank_end(text, _shape_end(text, blank_end(text, arrow + 2)))


def _instructions(
    text: str, position: int, computation: str, definitions: Definitions | None
) -> tuple[list[Instruction], list[int], int]:
    """The instructions up to the closing brace of their computation, where each begins, and where the brace ends."""
    usual, intern = _USUAL.match, sys.intern
    instructions: list[Instruction] = []
    starts: list[int] = []
    while True:
        starts.append(position)
        if match := usual(text, position):
            name, shape, opcode, arguments, attributes, root = match.group(2, 3, 4, 5, 6, 1)
            instruction = Instruction(name, intern(opcode), intern(shape), arguments, attributes[2:], root is not None)
            position = match.end()
        elif text.startswith("}", position):
            return instructions, starts, position + 1
        else:
            instruction, position = _unusual_instruction(text, position, computation)
            if definitions is not None:
                definitions.check_words(instruction, starts[-1])
        instructions.append(instruction)


def _unusual_instruction(text: str, position: int, computation: str) -> tuple[Instruction, int]:
    """Any instruction, read piece by piece, and where it and the blanks behind it end."""
    head = _HEAD.match(text, position)
    if head is None:
        raise error_at(text, position, _not_an_instruction(text, position, computation))
    shape_end = _shape_end(text, head.end())
    opcode = _OPCODE.match(text, blank_end(text, shape_end))
    if opcode is None:
        raise error_at(text, shape_end, f"expected an opcode and '(', not {excerpt(text, shape_end)}")
    close = group_end(text, opcode.end() - 1)
    end = attributes_end(text, close)
    shape, arguments = text[head.end() : shape_end], text[opcode.end() : close - 1]
    if opcode[1] not in LITERAL_OPCODES:
        _check_operands(text, opcode.end(), arguments)
    attributes = text[close:end].lstrip(", \t\r\n")
    return Instruction(head[2], opcode[1], shape, arguments, attributes, head[1] is not None), blank_end(text, end)


def _not_an_instruction(text: str, position: int, computation: str) -> str:
    if position >= len(text):
        return f"the text ends inside computation {computation!r}"
    return f"expected an instruction of computation {computation!r}, not {excerpt(text, position)}"


def _shape_end(text: str, position: int) -> int:
    end = value_end(text, position)
    if text[end - 1] not in ")]}":
        raise error_at(text, position, f"expected a shape, not {excerpt(text, position)}")
    return end


def _check_operands(text: str, position: int, arguments: str) -> None:
    try:
        operands_of(arguments)
    except HloSyntaxError as error:
        raise error_at(text, position, error.message) from None


def _elements(instruction: Instruction) -> list[tuple[str, str]]:
    """The operands that are elements of a tuple without a separate instruction."""
    if instruction.opcode in LITERAL_OPCODES:
        return []
    return [(name, element) for name, element in operands_of(instruction.arguments) if element]
