"""Element types as people write them (float32, f32, s8, bf16, pred), so that rules need not know how a level spells them."""

from __future__ import annotations

import re
from functools import lru_cache

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
_SMALL = re.compile(r"(?:f|float)([468])(e\d+m\d+\w*)", re.ASCII)
_KEY = re.compile(r"key<\w+>", re.ASCII)
_PLAIN = re.compile(r"([a-z]+)(\d+)", re.ASCII)
_SPECIAL = {"bool": "bool", "pred": "bool", "i1": "bool", "complex<f32>": "c64", "complex<f64>": "c128"}


@lru_cache(maxsize=1024)
def element(text: str) -> str | None:
    """The one spelling of an element type: ``f32`` for ``float32``; a class stands for itself; ``None`` for other words."""
    if _KEY.fullmatch(text.strip()):
        return text.strip()
    word = text.strip().lower().replace("_", "")
    if word in _SPECIAL or word in CLASSES:
        return _SPECIAL.get(word, word)
    small = _SMALL.fullmatch(word)
    if small:
        return f"f{small[1]}{small[2]}"
    match = _PLAIN.fullmatch(word)
    prefix = _PREFIXES.get(match[1]) if match else None
    return prefix + match[2] if match and prefix and match[2] in _WIDTHS[prefix] else None


def is_of(found: str, wanted: str) -> bool:
    """Whether a type as a level spells it is one that ``wanted``, an element or a class, speaks of."""
    spelled = element(found) or found
    return spelled == wanted or class_of(spelled) == wanted


def class_of(spelled: str) -> str | None:
    """The class of an element type in its one spelling."""
    if spelled == "bool":
        return "bool"
    return _CLASS.get(re.split(r"\d", spelled, maxsplit=1)[0])
