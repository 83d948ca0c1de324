"""Jaxpr text as shapes: one equation a line however it was wrapped, variables numbered anew in each nested jaxpr."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ltc_ir.compare.text.lexer import HOLE, Lexed, Symbols

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<open>\{\ lambda\b)
    |(?P<bracket>[\[\](){}])
    |(?P<binds>(?<![\w.:=])(?!inf:|nan:)[a-z]+(?=:[A-Za-z]))
    |(?P<shared>(?<=jaxpr=)\w+|(?<=^let\ )\w+(?=\ =\ \{))
    |(?P<primitive>(?<==\ )[A-Za-z_]\w*)
    |(?P<let>(?<=\.\ )let\b)
    |(?P<in>(?<=[\s])in\b(?=\ ?\())
    |(?P<word>(?<![\w.:='])[a-z]+(?![\w=.:']))
    |(?P<separator>;\ )
    |(?P<line>\n[ ]*)""",
    re.VERBOSE | re.MULTILINE,
)
_COMMENT = re.compile(r"""('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|\n[ ]*\#[ ][^\n]*|(?<!\ )[ ]+\#[ ][^\n]*""")
"""What JAX prints beside an equation when asked for sources and name stacks; further ones stand on lines of their own."""
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
_SHARED = re.compile(r"^let (\w+) = \{ lambda", re.MULTILINE)
_NUMBER = re.compile(r"_?\d+$")
_CLOSING = {"]": "[", ")": "(", "}": "{"}


def lex_jaxpr(text: str) -> Lexed:
    """A jaxpr as shapes."""
    if " # " in text:
        text = _COMMENT.sub(lambda match: match[1] or "", text)
    if "0x" in text:
        text = _ADDRESS.sub("0x…", text)
    lexer = _Lexer(text)
    for match in _TOKEN.finditer(text):
        lexer.token(match)
    lexer.finish()
    return lexer.lexed


@dataclass
class _Scope:
    """A nested jaxpr: its equations' indentation (once known), its count of names, and what its names hid."""

    hidden: list[tuple[str, int | None]] = field(default_factory=list)
    named: int = 0
    body: bool = False
    indent: int | None = None


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lexed = Lexed()
        self.symbols = Symbols(self.lexed, "_")
        self.shared = set(_SHARED.findall(text))
        self.values: dict[str, int] = {}
        self.frames: list[_Scope | str] = []
        self.scopes: list[_Scope] = []
        self.parts: list[str] = []
        self.here: list[int] = []
        self.position = 0

    def token(self, match: re.Match[str]) -> None:
        """Take in one token and the text before it."""
        if match.start() > self.position:
            self.parts.append(self.text[self.position : match.start()])
        self.position = match.end()
        kind = match.lastgroup or ""
        take = getattr(self, f"_on_{kind}", None)
        if take is None:
            self.parts.append(match[0])
        else:
            take(match[0])

    def finish(self) -> None:
        """Take in the rest."""
        self.parts.append(self.text[self.position :])
        self._end_line()

    def _on_open(self, text: str) -> None:
        self.parts.append(text)
        scope = _Scope()
        self.frames.append(scope)
        self.scopes.append(scope)

    def _on_bracket(self, text: str) -> None:
        opened = _CLOSING.get(text)
        if opened is None:
            self.parts.append(text)
            self.frames.append(text)
            return
        if text == "]" and self.parts and self.parts[-1].isspace():
            self.parts.pop()
        self.parts.append(text)
        frame = self.frames.pop() if self.frames else opened
        if isinstance(frame, _Scope):
            self._leave(frame)

    def _leave(self, scope: _Scope) -> None:
        """Close a nested jaxpr: what its names hid is seen again, and the line ends."""
        for name, before in reversed(scope.hidden):
            if before is None:
                self.values.pop(name, None)
            else:
                self.values[name] = before
        self.scopes.pop()
        self._end_line(deeper=1)

    def _on_binds(self, text: str) -> None:
        if not self.frames or not isinstance(self.frames[-1], _Scope):
            self.parts.append(text)
            return
        scope = self.frames[-1]
        scope.hidden.append((text, self.values.get(text)))
        self.values[text] = self.lexed.fresh(_letters(scope.named))
        scope.named += 1
        self._hole(self.values[text])

    def _on_word(self, text: str) -> None:
        name = self.values.get(text)
        if (
            name is None
            or not self._at_values()
            or (len(text) > 1 and self.text[self.position : self.position + 1] == "[")
        ):
            self.parts.append(text)
        else:
            self._hole(name)

    def _at_values(self) -> bool:
        """Whether a word here can be a variable: directly in a jaxpr, or in the parentheses of its results."""
        top = self.frames[-1] if self.frames else None
        return isinstance(top, _Scope) or (top == "(" and len(self.frames) > 1 and isinstance(self.frames[-2], _Scope))

    def _at_equations(self) -> bool:
        return bool(self.frames) and isinstance(self.frames[-1], _Scope) and self.frames[-1].body

    def _hole(self, name: int, base: str = "") -> None:
        self.parts.append(base + HOLE)
        self.here.append(name)

    def _on_shared(self, text: str) -> None:
        if text not in self.shared:
            self.parts.append(text)
            return
        base = _NUMBER.sub("", text)
        self._hole(self.symbols.of(text, base), base)

    def _on_let(self, text: str) -> None:
        self.parts.append(text)
        if self.scopes:
            self.scopes[-1].body = True
            self._end_line(deeper=1)

    def _on_in(self, text: str) -> None:
        if self._at_equations():
            self._end_line()
        self.parts.append(text)

    def _on_separator(self, text: str) -> None:
        if self._at_equations():
            self._end_line()
        else:
            self.parts.append(text)

    def _on_line(self, text: str) -> None:
        """A line break between equations ends a line; one that the printer's width made is a space."""
        if not self.frames:
            self._end_line()
        elif self._at_equations():
            scope, indent = self.scopes[-1], len(text) - 1
            scope.indent = indent if scope.indent is None else scope.indent
            if indent <= scope.indent:
                self._end_line()
            else:
                self.parts.append(" ")
        elif self.parts and self.parts[-1] != "[":
            self.parts.append(" ")

    def _end_line(self, deeper: int = 0) -> None:
        """Put down what has gathered; an equation is indented by its depth, a header line stands with its equation."""
        shape = "".join(self.parts).strip()
        if shape:
            depth = sum(scope.body for scope in self.scopes) - (deeper if shape.endswith("let") else 0)
            self.lexed.add("  " * max(depth, 0) + shape, self.here)
        self.parts, self.here = [], []


def _letters(number: int) -> str:
    """``a`` to ``z``, ``ba``, ``bb``: as JAX names variables."""
    letters = chr(97 + number % 26)
    while number := number // 26:
        letters = chr(97 + number % 26) + letters
    return letters
