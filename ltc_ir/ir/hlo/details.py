"""What an HLO instruction is besides its opcode; apart from `details`, as most readings need no HLO."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ltc_ir.ir.details import attribute_name, shortened
from ltc_ir.ir.hlo.module import Instruction
from ltc_ir.ir.hlo.scanner import pairs, unquote
from ltc_ir.ir.hlo.shapes import shape_bytes
from ltc_ir.ir.op import Detail, Details
from ltc_ir.records import element_types

_GIVEN = re.compile(r'(?<=[{,\s])([\w.$\-]+) = ("(?:[^"\\]|\\.)*"|[\w.+\-]+(?: : \w+)?)(?=[,}])')
"""The attributes that a caller gave a kernel, nested ones too; arrays and the like are no value that a rule can name."""
_ARRAY = re.compile(r"([a-z]\w*)\[")


def of_instruction(instruction: Instruction, shapes: Mapping[str, str], asked: Details) -> Detail:
    """The detail of an HLO instruction; ``shapes`` are those of its computation's instructions, by name."""
    results = _of_shape(instruction.shape)
    if asked < Details.ALL:
        return Detail(results)
    operands = tuple(kind for name in instruction.operands for kind in _of_shape(shapes.get(name, "")))
    attributes = tuple(sorted((attribute_name(key), shortened(unquote(value))) for key, value in _written(instruction)))
    return Detail(results, operands, attributes, shape_bytes(instruction.shape))


def _written(instruction: Instruction) -> Iterator[tuple[str, str]]:
    for name, value in pairs(instruction.attributes):
        if name != "metadata":
            yield name, value
        if name == "backend_config" and not value.startswith(('"', '{"')):
            yield from ((inner, _plain(text.strip())) for inner, text in _GIVEN.findall(value))


def _plain(text: str) -> str:
    """A value of a kernel's configuration, which is written as in MLIR, as Python would write it."""
    bare, _, kind = text.partition(" : ")
    if bare in {"true", "false"}:
        return bare.capitalize()
    return str(float(bare)) if kind.startswith(("f", "bf")) and not bare.startswith('"') else bare


def _of_shape(shape: str) -> tuple[str, ...]:
    return tuple(element_types.of_hlo(found) for found in _ARRAY.findall(shape) if found != "token")
