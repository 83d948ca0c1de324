"""The bytes of HLO shapes.

They follow `ShapeUtil::ByteSizeOfElements` and `primitive_util` of XLA. Tiling and padding of a device's layout are
not counted: the bytes are those of the elements.

An element of fewer than eight bits takes a whole byte, unless its layout says ``E(n)`` (n bits an element, packed);
then n elements · bits are rounded up to bytes. XLA writes ``E(4)`` once layouts are assigned, so ``s4[9]`` takes 9
bytes in a text from before optimisation and ``s4[9]{0:E(4)}`` takes 5 after it; XLA's own memory analysis says 5.
"""

from __future__ import annotations

import math
import re

from ltc_ir.ir.hlo.scanner import COMMENT, integer

_BYTES = {
    "pred": 1, "token": 0,
    "s1": 1, "s2": 1, "s4": 1, "s8": 1, "s16": 2, "s32": 4, "s64": 8,
    "u1": 1, "u2": 1, "u4": 1, "u8": 1, "u16": 2, "u32": 4, "u64": 8,
    "f4e2m1fn": 1,
    "f8e3m4": 1, "f8e4m3": 1, "f8e4m3b11fnuz": 1, "f8e4m3fn": 1, "f8e4m3fnuz": 1,
    "f8e5m2": 1, "f8e5m2fnuz": 1, "f8e8m0fnu": 1,
    "f16": 2, "bf16": 2, "f32": 4, "f64": 8, "c64": 8, "c128": 16,
}  # fmt: skip
"""Bytes of one element where its layout does not pack it."""

_LAYOUT = r"\{[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*\}"
_SIZED_ARRAY = rf"([A-Za-z]\w*+)(?:\[([^\[\]]*+)\])?({_LAYOUT})?"
_TOKEN = re.compile(rf"\s+|{COMMENT}|(?P<separator>,|\(|\)|b(?=\())|{_SIZED_ARRAY}", re.ASCII)
_PACKED = re.compile(r"[:)]E\((\d{1,9})\)", re.ASCII)


def shape_bytes(shape: str) -> int | None:
    """The bytes of an array shape, or the sum over the arrays of a tuple shape.

    A dynamic dimension ``<=5`` counts as its bound. None where an element type or a dimension is unknown (``opaque[]``,
    ``f32[?]``) or the text is not a shape. A type without brackets is a scalar.

    Examples: ``shape_bytes("f32[2,4]{1,0}") == 32``; ``shape_bytes("(f32[], s4[9]{0:E(4)})") == 9``;
    ``shape_bytes("token[]") == 0``.
    """
    total = position = depth = 0
    while position < len(shape):
        match = _TOKEN.match(shape, position)
        if match is None:
            return None
        position = match.end()
        size = _token_bytes(match)
        depth += _depth_change(match)
        if size is None or depth < 0:
            return None
        total += size
    return total if shape.strip() and depth == 0 else None


def _depth_change(match: re.Match[str]) -> int:
    return {"(": 1, ")": -1}.get(match["separator"] or "", 0)


def _token_bytes(match: re.Match[str]) -> int | None:
    _, element, dimensions, layout = match.groups()
    return 0 if element is None else _array_bytes(element, dimensions or "", layout or "")


def _array_bytes(element: str, dimensions: str, layout: str) -> int | None:
    width = _BYTES.get(element)
    sizes = [integer(size.strip().removeprefix("<=")) for size in dimensions.split(",")] if dimensions.strip() else []
    if width is None or any(size is None or size < 0 for size in sizes):
        return None
    elements = math.prod(size for size in sizes if size is not None)
    packed = _PACKED.search(layout.split("P(", 1)[0])  # "P(" begins another shape, the physical one
    return -(-elements * int(packed[1]) // 8) if packed and int(packed[1]) else elements * width
