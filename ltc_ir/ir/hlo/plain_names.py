"""Gives instructions that XLA named by a mark other names: it makes the name of one from its location, where that is all.

An instruction named ``%ltcir1m5_.3`` is one that XLA would have named by its opcode, such as ``%call.3``.
"""

from __future__ import annotations

import re
from itertools import count


def without_marks(text: str, prefix: str) -> str:
    """HLO text in which no instruction or computation has a mark in its name; marks in metadata are kept.

    Args:
        text: the text of a marked program.
        prefix: what the marks in it begin with.
    """
    if not re.search(rf"[%\w.-]{re.escape(prefix)}", text):
        return text
    word = rf"[\w.-]*{re.escape(prefix)}\d+_[\w.-]*"
    definitions = dict(re.findall(rf"^ *(?:ROOT )?%({word}) = .*? ([a-z][\w-]*)\(", text, flags=re.MULTILINE))
    names = {*definitions, *re.findall(rf"%({word})", text)}
    taken = set(re.findall(r"^ *(?:ROOT )?%([\w.-]+)", text, flags=re.MULTILINE))
    numbers = count(1)
    plain: dict[str, str] = {}
    for name in sorted(names):
        base = definitions.get(name, "computation")
        plain[name] = next(new for number in numbers if (new := f"{base}.{number}") not in taken)
    return re.sub(rf"%({word})", lambda match: f"%{plain[match[1]]}", text)
