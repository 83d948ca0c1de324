"""The element types, attributes and result bytes of an HLO instruction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ltc_ir.ir.details import attribute_name, shorten
from ltc_ir.ir.hlo.module import Instruction
from ltc_ir.ir.hlo.scanner import pairs, unquote
from ltc_ir.ir.hlo.shapes import shape_bytes
from ltc_ir.ir.op import Detail, Details
from ltc_ir.records import element_types

_GIVEN = re.compile(r'(?<=[{,\s])([\w.$\-]+) = ("(?:[^"\\]|\\.)*"|[\w.+\-]+(?: : \w+)?)(?=[,}])')
"""The attributes that a caller passed to a kernel, nested ones too, without arrays, which a rule cannot name."""
_ARRAY = re.compile(r"([a-z]\w*)\[")


def of_instruction(instruction: Instruction, shapes: Mapping[str, str], details: Details) -> Detail:
    """The detail of an HLO instruction; ``shapes`` are those of its computation's instructions, by name."""
    results = _element_types(instruction.shape)
    if details < Details.ALL:
        return Detail(results)
    operands = tuple(kind for name in instruction.operands for kind in _element_types(shapes.get(name, "")))
    attributes = tuple(
        sorted((attribute_name(key), shorten(unquote(value))) for key, value in _attributes(instruction))
    )
    return Detail(results, operands, attributes, shape_bytes(instruction.shape))


def _attributes(instruction: Instruction) -> Iterator[tuple[str, str]]:
    for name, value in pairs(instruction.attributes):
        if name != "metadata":
            yield name, value
        if name == "backend_config" and not value.startswith(('"', '{"')):
            yield from ((inner, _configuration_value(text.strip())) for inner, text in _GIVEN.findall(value))


def _configuration_value(text: str) -> str:
    """A value of a kernel's configuration, which is written as in MLIR, as Python would write it."""
    bare, _, kind = text.partition(" : ")
    if bare in {"true", "false"}:
        return bare.capitalize()
    return str(float(bare)) if kind.startswith(("f", "bf")) and not bare.startswith('"') else bare


def _element_types(shape: str) -> tuple[str, ...]:
    return tuple(element_types.of_hlo(element) for element in _ARRAY.findall(shape) if element != "token")
