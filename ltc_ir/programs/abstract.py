"""Arguments from a string: ``f32[8,128] i32[] f32[8]``, JAX's own short type syntax, one entry per positional argument."""

from __future__ import annotations

import re
from typing import Any

from ltc_ir.errors import UsageError

_ENTRY = re.compile(r"([a-z][a-z0-9_]*)\[([0-9, ]*)\]")
_LONG = {
    "f": "float", "i": "int", "s": "int", "u": "uint", "c": "complex", "bf": "bfloat", "pred": "bool", "b": "bool",
}  # fmt: skip


def parse_types(text: str) -> tuple[Any, ...]:
    """Shapes from short types; nothing is allocated.

    Raises:
        UsageError: an entry is no type, or JAX knows no such element type.
    """
    found = []
    rest = text.strip()
    while rest:
        match = _ENTRY.match(rest)
        if match is None:
            raise UsageError(f"--args: cannot read {rest.split()[0]!r}", 'write types like "f32[8,128] i32[] bf16[4]"')
        sizes = tuple(int(size) for size in match[2].replace(" ", "").split(",") if size)
        found.append(shape_struct(sizes, match[1]))
        rest = rest[match.end() :].lstrip(" ,;")
    return tuple(found)


def shape_struct(sizes: tuple[int, ...], element: str) -> Any:
    """A ``jax.ShapeDtypeStruct`` of a short element type such as ``f32``, ``bf16``, ``pred``, ``f8_e4m3fn`` or ``key<fry>``."""
    import jax
    import jax.numpy as jnp

    match = re.fullmatch(r"([a-z]+?)(\d+)?", element)
    name = element
    if match is not None and match[1] in _LONG:
        name = _LONG[match[1]] + (match[2] or "")
    elif element.startswith("f8_") or element.startswith("f4_"):
        name = "float" + element[1:]
    name = "bool_" if name == "bool" else name
    kind = getattr(jnp, name, None)
    if kind is None:
        raise UsageError(f"--args: unknown element type {element!r}", "types are f32, bf16, i32, u8, c64, pred and the like")
    return jax.ShapeDtypeStruct(sizes, kind)
