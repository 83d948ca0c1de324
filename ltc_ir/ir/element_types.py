"""Element types in one short spelling (``f32``, ``i32``, ``bool``, ``key<fry>``), whatever the level spells them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_LONG = {"float": "f", "int": "i", "uint": "u", "complex": "c", "bfloat": "bf"}
_DTYPE = re.compile(r"(bfloat|float|uint|int|complex)(\d+)((?:_\w+)?)", re.ASCII)
_EIGHT = re.compile(r"(?:f|float)([48])_?(e\d+m\d+\w*)", re.ASCII)
_COMPLEX = {"complex<f32>": "c64", "complex<f64>": "c128"}


@lru_cache(maxsize=512)
def of_dtype(dtype: Any) -> str:
    """The short spelling of a dtype or its name: ``float32`` is ``f32``, ``float8_e4m3fn`` is ``f8_e4m3fn``.

    Asked with the dtype itself where many are: numpy takes longer to name one than to hash it.
    """
    name = str(dtype)
    match = _DTYPE.fullmatch(name)
    return _LONG[match[1]] + match[2] + match[3] if match else name


@lru_cache(maxsize=512)
def of_mlir(name: str) -> str:
    """The short spelling of an MLIR element type: ``i1`` is ``bool``, ``ui8`` is ``u8``, ``f8E4M3FN`` is ``f8_e4m3fn``."""
    if name in _COMPLEX:
        return _COMPLEX[name]
    if name == "i1":
        return "bool"
    lowered = name.lower()
    match = _EIGHT.fullmatch(lowered)
    if match:
        return f"f{match[1]}_{match[2]}"
    return lowered.removeprefix("s") if re.fullmatch(r"si\d+", lowered) else re.sub(r"^ui(?=\d)", "u", name)


@lru_cache(maxsize=512)
def of_hlo(name: str) -> str:
    """The short spelling of an HLO element type: ``pred`` is ``bool``, ``s32`` is ``i32``."""
    if name == "pred":
        return "bool"
    match = _EIGHT.fullmatch(name)
    return f"f{match[1]}_{match[2]}" if match else re.sub(r"^s(?=\d+$)", "i", name)
