"""An IR text without the names that Python lent it, so that two programs that differ in nothing else are the same text."""

from __future__ import annotations

import re

_NAME = r"[\w.$\-]+"
_FUNCTION = re.compile(rf"^ *func\.func private @(?P<name>{_NAME})(?P<kind>)", re.M)
_RESULT = re.compile(r' \{jax\.result_info = "[^"]*"\}|(?<=[{ ])jax\.result_info = "[^"]*"(?:, )?')
_PARAMETER = re.compile(r"(?<=[( ])[A-Za-z_][\w.\-]*(?=: )")
_COMPUTATION = re.compile(rf"^(?:ENTRY )?%(?P<name>{_NAME}) \((?P<kind>)", re.M)
_INSTRUCTION = re.compile(rf"^ +(?:ROOT )?%(?P<name>{_NAME}) = .*?(?P<kind>[a-z][\w\-]*)\(", re.M)
_NAMED = re.compile(r"\bname=[^\s\]]+")


def nameless(text: str, level: str) -> str:
    """A text without the names of modules, functions, parameters and results; for comparing, as `texts` reads it."""
    lines = [line for line in text.splitlines() if not line.startswith(("module @", "HloModule "))]
    text = "\n".join(lines)
    if level == "jaxpr":
        return _NAMED.sub("name=…", text)
    if level == "stablehlo":
        return _renamed(_RESULT.sub("", text), _FUNCTION, "@", "function")
    text = _renamed(_PARAMETER.sub("p", text), _COMPUTATION, "%", "computation")
    return _renamed(text, _INSTRUCTION, "%", "")


def _renamed(text: str, definition: re.Pattern[str], sign: str, base: str) -> str:
    """A text whose symbols are called by what they are and numbered in the order in which they are defined."""
    names: dict[str, str] = {}
    for match in definition.finditer(text):
        names.setdefault(match["name"], f"{base or match['kind']}.{len(names)}")
    return re.sub(rf"{sign}({_NAME})", lambda match: sign + names.get(match[1], match[1]), text)
