"""The lexers of the three levels' texts: a text becomes lines with holes, and in each hole a name.

Two lines are of the same shape when they are equal but for their holes; which names correspond is a separate question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

HOLE = "\0"

_STRING = r'"(?:[^"\\]|\\.)*"'


@dataclass
class Lexed:
    """A text as shapes: per line its shape and the names in its holes, and per name what is printed for it."""

    shapes: list[str] = field(default_factory=list)
    names: list[tuple[int, ...]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)

    def add_name(self, shown: str, base: str = "") -> int:
        """A new name, printed as ``shown``; ``base`` is the part of it that the shape has."""
        self.shown.append(shown)
        self.bases.append(base)
        return len(self.shown) - 1

    def add_line(self, shape: str, names: tuple[int, ...] | list[int]) -> None:
        """One more line."""
        self.shapes.append(shape)
        self.names.append(tuple(names))

    def lines(self, shown: list[str] | None = None) -> list[str]:
        """The lines as printed, with other names where given."""
        words = self.shown if shown is None else shown
        return [
            fill_holes(shape, [words[name] for name in names])
            for shape, names in zip(self.shapes, self.names, strict=True)
        ]


def fill_holes(shape: str, words: list[str]) -> str:
    """A shape with its holes filled."""
    if not words:
        return shape
    parts = shape.split(HOLE)
    return "".join([part for pair in zip(parts, words, strict=False) for part in pair]) + parts[-1]


@dataclass
class Symbols:
    """Names that share a base, numbered by first use: the hole holds the number, the shape keeps the base."""

    lexed: Lexed
    separator: str
    numbers: dict[str, int] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)

    def number_of(self, name: str, base: str) -> int:
        """The number that stands for a name among the names of its text."""
        identity = self.numbers.get(name)
        if identity is None:
            number = self.bases.get(base, 0)
            self.bases[base] = number + 1
            identity = self.numbers[name] = self.lexed.add_name(f"{self.separator}{number}" if number else "", base)
        return identity


_JAXPR_TOKEN = re.compile(
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
_JAXPR_COMMENT = re.compile(r"""('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|\n[ ]*\#[ ][^\n]*|(?<!\ )[ ]+\#[ ][^\n]*""")
"""What JAX prints next to an equation with sources and name stacks; further ones are on separate lines."""
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
_JAXPR_SHARED = re.compile(r"^let (\w+) = \{ lambda", re.MULTILINE)
_JAXPR_NUMBER = re.compile(r"_?\d+$")
_CLOSING = {"]": "[", ")": "(", "}": "{"}


def lex_jaxpr(text: str) -> Lexed:
    """A jaxpr as shapes: one equation a line however it was wrapped, variables numbered afresh in each nested jaxpr."""
    if " # " in text:
        text = _JAXPR_COMMENT.sub(lambda match: match[1] or "", text)
    if "0x" in text:
        text = _ADDRESS.sub("0x…", text)
    lexer = _JaxprLexer(text)
    for match in _JAXPR_TOKEN.finditer(text):
        lexer.token(match)
    lexer.finish()
    return lexer.lexed


@dataclass
class _JaxprScope:
    """A nested jaxpr: its equations' indentation (once known), its count of names, and what its names hid."""

    hidden: list[tuple[str, int | None]] = field(default_factory=list)
    named: int = 0
    body: bool = False
    indent: int | None = None


class _JaxprLexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lexed = Lexed()
        self.symbols = Symbols(self.lexed, "_")
        self.shared = set(_JAXPR_SHARED.findall(text))
        self.values: dict[str, int] = {}
        self.frames: list[_JaxprScope | str] = []
        self.scopes: list[_JaxprScope] = []
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
        scope = _JaxprScope()
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
        if isinstance(frame, _JaxprScope):
            self._leave(frame)

    def _leave(self, scope: _JaxprScope) -> None:
        """Close a nested jaxpr: what its names hid is seen again, and the line ends."""
        for name, before in reversed(scope.hidden):
            if before is None:
                self.values.pop(name, None)
            else:
                self.values[name] = before
        self.scopes.pop()
        self._end_line(deeper=1)

    def _on_binds(self, text: str) -> None:
        if not self.frames or not isinstance(self.frames[-1], _JaxprScope):
            self.parts.append(text)
            return
        scope = self.frames[-1]
        scope.hidden.append((text, self.values.get(text)))
        self.values[text] = self.lexed.add_name(_letters(scope.named))
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
        return isinstance(top, _JaxprScope) or (
            top == "(" and len(self.frames) > 1 and isinstance(self.frames[-2], _JaxprScope)
        )

    def _at_equations(self) -> bool:
        return bool(self.frames) and isinstance(self.frames[-1], _JaxprScope) and self.frames[-1].body

    def _hole(self, name: int, base: str = "") -> None:
        self.parts.append(base + HOLE)
        self.here.append(name)

    def _on_shared(self, text: str) -> None:
        if text not in self.shared:
            self.parts.append(text)
            return
        base = _JAXPR_NUMBER.sub("", text)
        self._hole(self.symbols.number_of(text, base), base)

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
        """Add the line gathered so far; an equation is indented by its depth, a header line like its equation."""
        shape = "".join(self.parts).strip()
        if shape:
            depth = sum(scope.body for scope in self.scopes) - (deeper if shape.endswith("let") else 0)
            self.lexed.add_line("  " * max(depth, 0) + shape, self.here)
        self.parts, self.here = [], []


def _letters(number: int) -> str:
    """``a`` to ``z``, ``ba``, ``bb``: as JAX names variables."""
    letters = chr(97 + number % 26)
    while number := number // 26:
        letters = chr(97 + number % 26) + letters
    return letters


_MLIR_LOCATION = re.compile(rf" ?(?<![\w.$%@#])loc\((?:(?:#loc\d*|unknown|{_STRING})\))?|{_STRING}")
_PARENTHESIS = re.compile(rf"[()]|{_STRING}")
_MLIR_TOKEN = re.compile(
    rf"%(?P<ssa>[\w$.-]+)(?P<defines>(?::\d+)?(?= = )|(?=: ))?|@(?P<symbol>[\w$.-]+|{_STRING})|{_STRING}"
)
_FOREIGN = re.compile(r'(backend_config = "|\{index = )\d+("| : ui64\})')
_FOREIGN_TARGET = re.compile(r"custom_call @[\w.$-]+")
_MLIR_NUMBER = re.compile(r"_\d+$")
_MLIR_FUNCTION = re.compile(r'\s*func\.func (public |nested )?(?:private )?@([\w$.-]+|"[^"]*")')
_MLIR_USE = re.compile(r"@([\w$.-]+)")


def lex_stablehlo(text: str) -> Lexed:
    """A StableHLO module as shapes: SSA names per function, functions in the order of their first use, no locations."""
    kept = [line for line in text.splitlines() if line and not line.startswith("#loc")]
    lines = without_locations("\n".join(kept)).split("\n")
    lexer = _StableHloLexer()
    for line in in_order_of_use([line.rstrip() for line in lines]):
        lexer.line(line)
    return lexer.lexed


def without_locations(text: str) -> str:
    """A text without its ``loc(...)``, however deep they nest; strings are left alone."""
    parts: list[str] = []
    kept = position = 0
    while match := _MLIR_LOCATION.search(text, position):
        position = match.end()
        if match[0].startswith('"'):
            continue
        parts.append(text[kept : match.start()])
        if match[0].endswith("loc("):
            position = _closed(text, position)
        kept = position
    return "".join([*parts, text[kept:]])


def _closed(text: str, position: int) -> int:
    """Behind the parenthesis that closes the one opened just before."""
    depth = 1
    while depth and (match := _PARENTHESIS.search(text, position)):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        position = match.end()
    return position


def in_order_of_use(lines: list[str]) -> list[str]:
    """The lines of a module with its functions in the order of their first use from the public ones; unused ones last."""
    starts = [number for number, line in enumerate(lines) if "func.func" in line and _MLIR_FUNCTION.match(line)]
    modules = sum(line.lstrip().startswith("module ") for line in lines)
    if len(starts) < 2 or modules > 1 or lines[-1] != "}":
        return lines
    blocks, public = _blocks(lines, starts)
    ordered = [*lines[: starts[0]]]
    for name in _by_use(blocks, public):
        ordered += blocks[name]
    return [*ordered, lines[-1]]


def _blocks(lines: list[str], starts: list[int]) -> tuple[dict[str, list[str]], list[str]]:
    blocks, public = {}, []
    for start, stop in zip(starts, [*starts[1:], len(lines) - 1], strict=True):
        match = _MLIR_FUNCTION.match(lines[start])
        if match:
            blocks[match[2]] = lines[start:stop]
            public += [match[2]] if match[1] else []
    return blocks, public


def _by_use(blocks: dict[str, list[str]], public: list[str]) -> list[str]:
    order = dict.fromkeys(public or [next(iter(blocks))])
    queue = list(order)
    for name in queue:
        for line in blocks[name]:
            if "@" in line:
                fresh = [use for use in _MLIR_USE.findall(line) if use in blocks and use not in order]
                order |= dict.fromkeys(fresh)
                queue += dict.fromkeys(fresh)
    return list(order | dict.fromkeys(blocks))


class _StableHloLexer:
    """One module's names: a definition is a new name, a use the latest of that spelling, as regions reuse them."""

    def __init__(self) -> None:
        self.lexed = Lexed()
        self.symbols = Symbols(self.lexed, "_")
        self.values: dict[str, int] = {}
        self.defined = 0
        self.here: list[int] = []

    def line(self, line: str) -> None:
        """Take in one line."""
        if line.startswith(("module", "#")):
            self.lexed.add_line(line, ())
            return
        if "func.func" in line and _MLIR_FUNCTION.match(line):
            self.values, self.defined = {}, 0
        self.here = []
        shape = self._foreign(line) if "custom_call" in line else _MLIR_TOKEN.sub(self._token, line)
        self.lexed.add_line(shape, self.here)

    def _foreign(self, line: str) -> str:
        """A custom call: its target is not a function of the module, and a callback's number is one of the process."""
        target = _FOREIGN_TARGET.search(line)
        if target is None:
            return _MLIR_TOKEN.sub(self._token, line)
        before, after = line[: target.start()], line[target.end() :]
        if "callback" in target[0]:
            after = _FOREIGN.sub(r"\1…\2", after)
        return _MLIR_TOKEN.sub(self._token, before) + target[0] + _MLIR_TOKEN.sub(self._token, after)

    def _token(self, match: re.Match[str]) -> str:
        ssa = match["ssa"]
        if ssa is not None:
            self.here.append(self._value(ssa, match["defines"] is not None))
            return f"%{HOLE}{match['defines'] or ''}"
        symbol = match["symbol"]
        if symbol is not None:
            base = "main" if symbol == "main" else _MLIR_NUMBER.sub("", symbol)
            self.here.append(self.symbols.number_of(symbol, base))
            return f"@{base}{HOLE}"
        return match[0]

    def _value(self, spelling: str, defines: bool) -> int:
        if defines or spelling not in self.values:
            self.values[spelling] = self.lexed.add_name(str(self.defined))
            self.defined += 1
        return self.values[spelling]


_HLO_TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")
_HLO_NESTED = rf"(?:[^{{}}\"]|{_STRING}|\{{(?:[^{{}}\"]|{_STRING})*\}})*"
_HLO_DROPPED = re.compile(
    rf",? ?(?<![\w.])(?:metadata|origin)=\{{{_HLO_NESTED}\}}|,? ?fingerprint_before_lhs={_STRING}"
)
_HLO_HEADER = re.compile(r"(?:ENTRY )?%?[\w.\-]+ .*\{$")
_HLO_NAMED = re.compile(
    rf"{_STRING}|(?P<channel>channel_id=)\d+|%(?P<name>[\w.\-]+)|(?<=[( ])(?P<parameter>[A-Za-z_][\w.\-]*)(?=: )"
)
_HLO_BARE = re.compile(
    rf"{_STRING}|(?P<channel>channel_id=)\d+|(?<![\w.%\"])(?P<name>[A-Za-z_][\w.\-]*)(?![\w(])|(?P<parameter>(?!))"
)
_HLO_DEFINED = re.compile(r"^\s*(?:ROOT |ENTRY )?%?([A-Za-z_][\w.\-]*) (?:= |\(.*\{$)", re.MULTILINE)
_HLO_NUMBER = re.compile(r"(?:[._]\d+|\.clone)+$")
_HLO_CALLBACK = re.compile(r'(custom_call_target="[^"]*callback[^"]*".*backend_config=")\d+"')


def lex_hlo(text: str) -> Lexed:
    """An HLO module as shapes: names by first use, without metadata, header tables and ids of a process.

    Text that prints names without ``%`` is read by the names it defines.
    """
    lexer = _HloLexer(text)
    for line in _without_tables(text.splitlines()):
        lexer.line(line)
    return lexer.lexed


def _without_tables(lines: list[str]) -> Iterator[str]:
    """The lines that are neither blank nor of one of the four header tables."""
    inside = False
    for line in lines:
        if line in _HLO_TABLES:
            inside = True
        elif not line.strip():
            inside = False
        elif not inside:
            yield line


class _HloLexer:
    def __init__(self, text: str) -> None:
        self.lexed = Lexed()
        self.symbols = Symbols(self.lexed, ".")
        signed = re.search(r"^\s+(?:ROOT )?%", text, re.MULTILINE) is not None
        self.token = _HLO_NAMED if signed else _HLO_BARE
        self.defined = None if signed else set(_HLO_DEFINED.findall(text))
        self.here: list[int] = []

    def line(self, line: str) -> None:
        """Take in one line."""
        if line.startswith("HloModule"):
            self.lexed.add_line(_HLO_DROPPED.sub("", line), ())
            return
        if "={" in line or "fingerprint" in line:
            line = _HLO_DROPPED.sub("", line)
        if "callback" in line:
            line = _HLO_CALLBACK.sub(r'\1…"', line)
        self.here = []
        header = not line[0].isspace() and _HLO_HEADER.match(line) is not None
        shape = self.token.sub(self._header_token if header else self._token, line)
        self.lexed.add_line(shape.rstrip(), self.here)

    def _header_token(self, match: re.Match[str]) -> str:
        return self._symbol(match["parameter"], "") if match["parameter"] else self._token(match)

    def _token(self, match: re.Match[str]) -> str:
        if match["name"]:
            return self._symbol(match["name"], "%" if match[0][0] == "%" else "")
        if match["channel"]:
            self.here.append(self.symbols.number_of(match[0], match["channel"]))
            return f"{match['channel']}{HOLE}"
        return match[0]

    def _symbol(self, name: str, sign: str) -> str:
        if self.defined is not None and name not in self.defined:
            return sign + name
        base = _HLO_NUMBER.sub("", name)
        self.here.append(self.symbols.number_of(name, base))
        return f"{sign}{base}{HOLE}"
