"""Element types in one short spelling (``f32``, ``i32``, ``bool``, ``key<fry>``), whoever spells them: a level or a rule."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

CLASSES = ("float", "int", "uint", "complex", "bool")
"""Words for many types at once; ``int`` are the signed ones."""

_PREFIXES = {
    "float": "f", "f": "f", "bfloat": "bf", "bf": "bf", "int": "i", "i": "i", "s": "i", "si": "i", "uint": "u", "u": "u",
    "ui": "u", "complex": "c", "c": "c",
}  # fmt: skip
_WIDTHS = {
    "f": {"16", "32", "64"},
    "bf": {"16"},
    "i": {"2", "4", "8", "16", "32", "64"},
    "u": {"1", "2", "4", "8", "16", "32", "64"},
    "c": {"64", "128"},
}
_CLASS = {"f": "float", "bf": "float", "i": "int", "u": "uint", "c": "complex"}
_BITS = re.compile(r"(?:f|bf|i|u|c)(\d+)", re.ASCII)
_SMALL = re.compile(
    r"(?:f|float)(8(?=e3m4$|e4m3(?:fn|b11fnuz|fnuz)?$|e5m2(?:fnuz)?$|e8m0fnu$)|6(?=e[23]m[23]fn$)|4(?=e2m1fn$))(e\w+)",
    re.ASCII,
)
_KEY = re.compile(r"key<(\w+)>", re.ASCII)
_KEYS = ("fry", "rbg", "urbg")
"""The kinds of keys that JAX brings; others may register more."""
_SPELLED = ("half", "single", "double", "boolean", "fp", "tf", "b", "flt", "integer")
"""What types are called elsewhere, and not here."""
_TYPE_LIKE = re.compile(
    r"(?P<word>[a-z]+?)_?(?P<bits>\d+)?(?P<small>_?e\d+m\d+\w*)?(?P<shape>\[[\d,\s]*\]?)?", re.ASCII
)
_PLAIN = re.compile(r"([a-z]+)(\d+)", re.ASCII)
_COMPLEX = {"complex<f32>": "c64", "complex<f64>": "c128"}
_SPECIAL = {"bool": "bool", "pred": "bool", "i1": "bool", **_COMPLEX}
_LONG = {"float": "f", "int": "i", "uint": "u", "complex": "c", "bfloat": "bf"}
_LONG_OF = {short: long for long, short in _LONG.items()}
_ELSEWHERE = {
    "half": "f16", "single": "f32", "double": "f64", "boolean": "bool", "fp16": "f16", "fp32": "f32", "fp64": "f64",
    "tf32": "f32", "b16": "bf16", "integer": "int", "fp8": "f8e4m3fn",
}  # fmt: skip
"""What types are called elsewhere, each with the type meant."""
_DTYPE = re.compile(r"(bfloat|float|uint|int|complex)(\d+)((?:_\w+)?)", re.ASCII)
_EIGHT = re.compile(r"(?:f|float)([48])_?(e\d+m\d+\w*)", re.ASCII)


@lru_cache(maxsize=512)
def of_dtype(dtype: Any) -> str:
    """The short spelling of a dtype or its name: ``float32`` is ``f32``, ``float8_e4m3fn`` is ``f8_e4m3fn``.

    Pass the dtype itself where there are many: numpy takes longer to name one than to hash it.
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


@lru_cache(maxsize=1024)
def parse_element_type(text: str) -> str | None:
    """The short spelling of a type as people write it: ``f32`` for ``float32``; a class is kept; ``None`` for other words."""
    key = _KEY.fullmatch(text.strip())
    if key:
        return None if key[1] not in _KEYS and near_type(text) else text.strip()
    word = text.strip().lower().replace("_", "")
    if word in _SPECIAL or word in CLASSES:
        return _SPECIAL.get(word, word)
    small = _SMALL.fullmatch(word)
    if small:
        return f"f{small[1]}{small[2]}"
    match = _PLAIN.fullmatch(word)
    prefix = _PREFIXES.get(match[1]) if match else None
    return prefix + match[2] if match and prefix and match[2] in _WIDTHS[prefix] else None


def looks_like_type(text: str) -> bool:
    """Whether a word that is no type would be read as one: ``f33``, ``float23``, ``f32[8]``, ``double``, ``floats``."""
    import difflib  # not before something is wrong

    word = text.strip().lower()
    if word.startswith("key<"):
        return True
    match = _TYPE_LIKE.fullmatch(word)
    if match and match["word"] in {*_PREFIXES, *_SPELLED, *CLASSES, "pred"}:
        return bool(match["bits"] or match["shape"] or match["word"] in _SPELLED)
    return bool(difflib.get_close_matches(word, [*CLASSES, "bfloat16"], 1, 0.85))


def near_type(text: str) -> str | None:
    """The type, or class of types, that a word comes nearest to; ``None`` where none is near."""
    import difflib  # not before something is wrong

    word = text.strip().lower()
    if word.startswith("key<"):
        near = difflib.get_close_matches(word[4:].rstrip(">"), _KEYS, 1, 0.6)
        return f"key<{near[0]}>" if near else None
    if "[" in word and (spelled := parse_element_type(word.partition("[")[0])):
        return spelled
    known = {f"{_LONG_OF[short]}{bits}": f"{short}{bits}" for short, widths in _WIDTHS.items() for bits in widths}
    known |= {short: short for short in known.values()} | {name: name for name in CLASSES} | _ELSEWHERE
    near = difflib.get_close_matches(word, sorted(known), 1, 0.6)
    return known[near[0]] if near else None


def is_of_type(element_type: str, wanted: str) -> bool:
    """Whether a type as a level spells it is the type ``wanted``, or of the class ``wanted``."""
    spelled = parse_element_type(element_type) or element_type
    return spelled == wanted or class_of(spelled) == wanted


def class_of(spelled: str) -> str | None:
    """The class of an element type in its one spelling."""
    if spelled == "bool":
        return "bool"
    return _CLASS.get(re.split(r"\d", spelled, maxsplit=1)[0])


@lru_cache(maxsize=512)
def bits_of(spelled: str) -> int:
    """The bits of one element: 16 of ``bf16``, 64 of ``c64``, 8 of ``bool``; 0 where a type has no width."""
    if spelled == "bool":
        return 8
    match = _BITS.match(spelled)
    return int(match[1]) if match else 0
