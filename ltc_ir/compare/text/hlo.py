"""HLO text as shapes: instructions and computations by first use, without metadata, header tables and ids of a process."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ltc_ir.compare.text.lexer import HOLE, Lexed, Symbols

_STRING = r'"(?:[^"\\]|\\.)*"'
_TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")
_NESTED = rf"(?:[^{{}}\"]|{_STRING}|\{{(?:[^{{}}\"]|{_STRING})*\}})*"
_DROPPED = re.compile(rf",? ?(?<![\w.])(?:metadata|origin)=\{{{_NESTED}\}}|,? ?fingerprint_before_lhs={_STRING}")
_HEADER = re.compile(r"(?:ENTRY )?%?[\w.\-]+ .*\{$")
_NAMED = re.compile(
    rf"{_STRING}|(?P<channel>channel_id=)\d+|%(?P<name>[\w.\-]+)|(?<=[( ])(?P<parameter>[A-Za-z_][\w.\-]*)(?=: )"
)
_BARE = re.compile(
    rf"{_STRING}|(?P<channel>channel_id=)\d+|(?<![\w.%\"])(?P<name>[A-Za-z_][\w.\-]*)(?![\w(])|(?P<parameter>(?!))"
)
_DEFINED = re.compile(r"^\s*(?:ROOT |ENTRY )?%?([A-Za-z_][\w.\-]*) (?:= |\(.*\{$)", re.MULTILINE)
_NUMBER = re.compile(r"(?:[._]\d+|\.clone)+$")
_CALLBACK = re.compile(r'(custom_call_target="[^"]*callback[^"]*".*backend_config=")\d+"')


def lex_hlo(text: str) -> Lexed:
    """A module as shapes; text that prints names without ``%`` is read by the names it defines."""
    lexer = _Lexer(text)
    for line in _without_tables(text.splitlines()):
        lexer.line(line)
    return lexer.lexed


def _without_tables(lines: list[str]) -> Iterator[str]:
    """The lines that are neither blank nor of one of the four header tables."""
    inside = False
    for line in lines:
        if line in _TABLES:
            inside = True
        elif not line.strip():
            inside = False
        elif not inside:
            yield line


class _Lexer:
    def __init__(self, text: str) -> None:
        self.lexed = Lexed()
        self.symbols = Symbols(self.lexed, ".")
        signed = re.search(r"^\s+(?:ROOT )?%", text, re.MULTILINE) is not None
        self.token = _NAMED if signed else _BARE
        self.defined = None if signed else set(_DEFINED.findall(text))
        self.here: list[int] = []

    def line(self, line: str) -> None:
        """Take in one line."""
        if line.startswith("HloModule"):
            self.lexed.add(_DROPPED.sub("", line), ())
            return
        if "={" in line or "fingerprint" in line:
            line = _DROPPED.sub("", line)
        if "callback" in line:
            line = _CALLBACK.sub(r'\1…"', line)
        self.here = []
        header = not line[0].isspace() and _HEADER.match(line) is not None
        shape = self.token.sub(self._header_token if header else self._token, line)
        self.lexed.add(shape.rstrip(), self.here)

    def _header_token(self, match: re.Match[str]) -> str:
        return self._symbol(match["parameter"], "") if match["parameter"] else self._token(match)

    def _token(self, match: re.Match[str]) -> str:
        if match["name"]:
            return self._symbol(match["name"], "%" if match[0][0] == "%" else "")
        if match["channel"]:
            self.here.append(self.symbols.of(match[0], match["channel"]))
            return f"{match['channel']}{HOLE}"
        return match[0]

    def _symbol(self, name: str, sign: str) -> str:
        if self.defined is not None and name not in self.defined:
            return sign + name
        base = _NUMBER.sub("", name)
        self.here.append(self.symbols.of(name, base))
        return f"{sign}{base}{HOLE}"
