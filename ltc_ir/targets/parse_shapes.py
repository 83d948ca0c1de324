"""Arguments from a string: ``f32[8,128] i32[] f32[8]``, JAX's own short type syntax, one entry per positional argument."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ltc_ir.errors import UsageError

_ENTRY = re.compile(r"(([a-z][a-z0-9_]*(?:<[a-z0-9_]*>)?)\[([A-Za-z0-9_, ]*)\])[\s,;]*", re.ASCII)
_MOST_DIGITS = 18
"""Digits of a size: a dimension of MLIR is below 2**63."""
_LONG = {
    "f": "float", "i": "int", "s": "int", "u": "uint", "c": "complex", "bf": "bfloat", "pred": "bool", "b": "bool",
}  # fmt: skip
_KEYS = {"fry": "threefry2x32", "rbg": "rbg", "urbg": "unsafe_rbg"}
"""The random key types by the short names JAX prints."""


def parse_types(text: str, open_size: Callable[[str], int | None] = lambda _: None) -> tuple[Any, ...]:
    """Shapes from short types; nothing is allocated.

    Args:
        text: the types; a size may be a name, as in ``f32[n,8]``.
        open_size: the value of such a name, ``None`` where it has none.

    Raises:
        UsageError: an entry is no type, a size has no value, or JAX knows no such element type.
    """
    shapes = []
    text, place = text.strip(), 0
    while place < len(text):
        match = _ENTRY.match(text, place)
        if match is None:
            raise _unreadable(text[place:].split()[0])
        entry, element, inner = match.groups()
        sizes = inner.split(",") if inner.strip() else []
        shapes.append(shape_struct(tuple(_size(size.strip(), entry, open_size) for size in sizes), element))
        place = match.end()
    return tuple(shapes)


def _unreadable(entry: str) -> UsageError:
    return UsageError(f"--args: cannot read {entry!r}", 'write types like "f32[8,128] i32[] bf16[4]"')


def _size(text: str, entry: str, open_size: Callable[[str], int | None]) -> int:
    if text.isascii() and text.isdigit():
        if len(text) > _MOST_DIGITS:
            raise UsageError(
                f"--args: {entry[:60]!r} has too large a size", f"a size has at most {_MOST_DIGITS} digits"
            )
        return int(text)
    if not text.isidentifier():
        raise _unreadable(entry)
    value = open_size(text)
    if value is None:
        raise UsageError(
            f"--args: the size {text} of {entry!r} has no value",
            f"give it one: --sweep {text}=8,16,32, or write a number",
        )
    return value


def shape_struct(sizes: tuple[int, ...], element: str) -> Any:
    """A ``jax.ShapeDtypeStruct`` of a short element type such as ``f32``, ``bf16``, ``pred``, ``f8_e4m3fn`` or ``key<fry>``.

    Raises:
        UsageError: this JAX has no such type, or a 64-bit one is not enabled and would silently be another.
    """
    import jax

    struct: Any = jax.ShapeDtypeStruct
    if element.startswith("key<"):
        return struct(sizes, _key_type(element))
    kind = getattr(getattr(jax.numpy, _long_name(element), None), "dtype", None)
    if not isinstance(kind, jax.numpy.dtype):
        raise UsageError(
            f"--args: unknown element type {element!r}", "types are f32, bf16, i32, u8, c64, pred and the like"
        )
    shape = struct(sizes, kind)
    if kind.name in {"float64", "int64", "uint64", "complex128"} and _as_traced(shape) != kind:
        raise UsageError(f"--args: {element} is a 64-bit type, and those are off", "add --x64")
    return shape


def _long_name(element: str) -> str:
    """The name of an element type in ``jax.numpy``; long names (``float32``) are their own."""
    match = re.fullmatch(r"([a-z]+?)(\d+)?", element)
    if match is not None and match[1] in _LONG:
        element = _LONG[match[1]] + (match[2] or "")
    elif element.startswith(("f8_", "f4_")):
        element = "float" + element[1:]
    return "bool_" if element == "bool" else element


def _key_type(element: str) -> Any:
    import jax

    tag = element.removeprefix("key<").removesuffix(">")
    if tag not in _KEYS:
        raise UsageError(
            f"--args: unknown key type {element!r}", f"key types are {', '.join(f'key<{tag}>' for tag in _KEYS)}"
        )
    return jax.eval_shape(lambda: jax.random.key(0, impl=_KEYS[tag])).dtype


def _as_traced(shape: Any) -> Any:
    """The element type JAX makes of a shape's when it traces."""
    import warnings

    import jax

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jax.eval_shape(lambda x: x, shape).dtype
