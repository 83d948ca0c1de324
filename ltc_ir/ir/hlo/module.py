"""Represents HLO text: modules of computations of instructions, whose attributes are parsed on access."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ltc_ir.ir.hlo.scanner import (
    COMMENT,
    NAME,
    OPERAND,
    HloSyntaxError,
    excerpt,
    group_end,
    integer,
    pairs,
    pieces,
    unquote,
)
from ltc_ir.ir.hlo.stack_frames import StackTables, TextFrame

_BODIES = ("body", "condition", "branch_computations", "true_computation", "false_computation")
_APPLIED = ("to_apply", "comparator", "scatter", "select")
CALLING_ATTRIBUTES = frozenset({*_BODIES, *_APPLIED, "calls", "called_computations"})
"""The attributes whose value is the name of a computation, or several in braces."""

LITERAL_OPCODES = frozenset({"constant", "parameter"})  # their parentheses hold no operands

OPERANDS = rf"(?:{OPERAND}(?:\s*,\s*{OPERAND})*)?"
_OPERAND_NAMES = re.compile(OPERANDS, re.ASCII)
_OPERAND = re.compile(rf"%?({NAME})((?:#\d+)*)", re.ASCII)
_LAST_OPERAND = re.compile(rf"(?:^|[\s/}}\])]){OPERAND}$", re.ASCII)
_NAME = re.compile(NAME, re.ASCII)
_NAMES = re.compile(rf"%?{NAME}|\{{\s*(?:%?{NAME}(?:\s*,\s*%?{NAME})*)?\s*\}}", re.ASCII)
_COMMENT = re.compile(COMMENT)
CALLED = re.compile(rf"\b({'|'.join(sorted(CALLING_ATTRIBUTES))})\s*=\s*(\{{|%?{NAME})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The fields of an instruction's ``metadata={…}``, None where one is absent.

    Example: ``metadata={op_name="jit(f)/sin" source_file="m.py" source_line=3}`` is
    ``Metadata("jit(f)/sin", "m.py", 3, None)``; JAX 0.10 writes ``stack_frame_id=7`` instead of file and line.
    """

    op_name: str | None = None
    file: str | None = None
    line: int | None = None
    stack_frame: int | None = None


class Instruction(NamedTuple):
    """One instruction as written; a tuple, as a frozen dataclass takes four times as long to make.

    Attributes:
        name: without ``%``.
        opcode: as written: the asynchronous ones in XLA's short spelling, such as ``all-reduce-start``.
        shape: of the result, as written, with its layout.
        arguments: the text between the parentheses: operands, a literal or a parameter's number.
        attributes: the text after the parentheses, without the first comma.
        is_root: whether it is the result of its computation.

    Example: ``ROOT %y.2 = f32[2]{0} sine(%x.1), metadata={op_name="jit(f)/sin"}`` is ``Instruction("y.2", "sine",
    "f32[2]{0}", "%x.1", 'metadata={op_name="jit(f)/sin"}', True)``, with operands ``("x.1",)``.

    """

    name: str
    opcode: str
    shape: str
    arguments: str = ""
    attributes: str = ""
    is_root: bool = False

    @property
    def operands(self) -> tuple[str, ...]:
        """The names of the operands, without ``%`` and shapes; none for a constant or a parameter.

        ``%t#0``, by which newer dumps spell an element of a tuple without its own instruction, is the operand ``t``.
        """
        return () if self.opcode in LITERAL_OPCODES else tuple(name for name, _ in operands_of(self.arguments))

    @property
    def called(self) -> tuple[tuple[str, str], ...]:
        """The computations it calls, each with its role: ``(("condition", "region_2.3"), ("body", "region_1.2"))``.

        The roles are those of the text; ``branch_computations={%a, %b}`` gives one pair for each branch, in order.

        Raises:
            HloSyntaxError: a computation is written in place instead of its name, which XLA never prints.
        """
        if not CALLED.search(self.attributes):
            return ()
        calls = (pair for pair in pairs(self.attributes) if pair[0] in CALLING_ATTRIBUTES)
        return tuple((role, name) for role, value in calls for name in _called_names(role, value))

    def attribute(self, name: str) -> str | None:
        """The value of a top-level attribute as written (quotes and braces kept), or None where it has none."""
        if name not in self.attributes:
            return None
        return next((value for key, value in pairs(self.attributes) if key == name), None)

    @property
    def op_name(self) -> str | None:
        """JAX's name stack, such as ``jit(f)/while/body/sin``."""
        return _metadata(self.attributes).op_name

    @property
    def file(self) -> str | None:
        """The source file written at the instruction (JAX 0.6); see `HloModule.stack` for all versions."""
        return _metadata(self.attributes).file

    @property
    def line(self) -> int | None:
        """The source line written at the instruction (JAX 0.6), from 1."""
        return _metadata(self.attributes).line

    @property
    def stack_frame(self) -> int | None:
        """The number of its innermost frame in the module's tables (JAX ≥ 0.7); see `HloModule.stack`."""
        return _metadata(self.attributes).stack_frame

    @property
    def custom_call_target(self) -> str | None:
        """The target of a ``custom-call``, without quotes."""
        value = self.attribute("custom_call_target")
        return None if value is None else unquote(value)

    @property
    def trip_count(self) -> int | None:
        """How often a ``while`` runs, where XLA found out (``known_trip_count`` of its ``backend_config``)."""
        config = self.attribute("backend_config")
        return _trip_count(config) if config and "known_trip_count" in config else None


@dataclass(frozen=True, slots=True)
class Computation:
    """One computation with its instructions in the order of the text.

    Attributes:
        elided: how many different tuple elements its operands name as ``%t#0``, that is without a
            separate ``get-tuple-element``; such a text has fewer instructions than the module it was printed from.

    Example: ``ENTRY %main.3 (x.1: f32[]) -> f32[] { … }`` is ``Computation("main.3", True, (…), 0)``.

    """

    name: str
    is_entry: bool
    instructions: tuple[Instruction, ...]
    elided: int = 0


@dataclass(frozen=True, slots=True)
class HloModule:
    """One module: its computations in the order of the text, and the tables that its stack frames refer to.

    Example: ``HloModule jit_f, is_scheduled=true`` is ``HloModule("jit_f", "is_scheduled=true", (…), StackTables())``.
    """

    name: str
    attributes: str
    computations: tuple[Computation, ...]
    tables: StackTables = field(default_factory=StackTables)

    @property
    def entry(self) -> Computation:
        """The computation that runs first."""
        return next(computation for computation in self.computations if computation.is_entry)

    def instructions(self) -> Iterator[tuple[Computation, Instruction]]:
        """Each instruction with its computation, in the order of the text, each once however often it is called."""
        for computation in self.computations:
            for instruction in computation.instructions:
                yield computation, instruction

    def stack(self, instruction: Instruction) -> tuple[TextFrame, ...]:
        """The Python frames that made the instruction, outermost first; empty where the text does not say.

        JAX 0.6 writes one file and line, which is one frame without a function. Where XLA inlined a call, newer
        versions repeat the frames outside it: ``f, g, f, g, h``; they are returned as written.
        """
        metadata = _metadata(instruction.attributes)
        if metadata.stack_frame is not None and (frames := self.tables.stack(metadata.stack_frame)):
            return frames
        return () if metadata.file is None else (TextFrame(metadata.file, metadata.line or 0, None),)


def _called_names(role: str, value: str) -> list[str]:
    names = _COMMENT.sub("", value)
    if not _NAMES.fullmatch(names):
        raise HloSyntaxError(f"expected names of computations in {role}, not {excerpt(value, 0)}", 1)
    return _NAME.findall(names)


def operands_of(arguments: str) -> list[tuple[str, str]]:
    """Each operand's name and, where it is an element of a tuple spelled ``%t#0``, its ``#0``."""
    if _OPERAND_NAMES.fullmatch(arguments):
        return _OPERAND.findall(arguments)
    return [_operand(piece) for piece in pieces(arguments)]


def _operand(piece: str) -> tuple[str, str]:
    """The name at the end of ``f32[2]{0} %x``."""
    match = _LAST_OPERAND.search(piece)
    operand = match and _OPERAND.search(match.group())
    if not operand:
        raise HloSyntaxError(f"expected an operand, not {excerpt(piece, 0)}", 1)
    return operand[1], operand[2]


@lru_cache(maxsize=64)  # a reader asks one instruction for several of these in a row
def _metadata(attributes: str) -> Metadata:
    if "metadata={" not in attributes:
        return Metadata()
    written = next((value for key, value in pairs(attributes) if key == "metadata"), "")
    fields = dict(pairs(written[1 : group_end(written, 0) - 1])) if written.startswith("{") else {}
    op_name, file = fields.get("op_name"), fields.get("source_file")
    return Metadata(
        None if op_name is None else unquote(op_name),
        None if file is None else unquote(file),
        integer(fields.get("source_line")),
        integer(fields.get("stack_frame_id")),
    )


def _trip_count(config: str) -> int | None:
    """``3`` of ``{"known_trip_count":{"n":"3"}}``, written as it is or as a quoted string."""
    try:
        count = json.loads(unquote(config))["known_trip_count"]["n"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    times = integer(str(count))
    return times if times is not None and times >= 0 else None
