"""StableHLO text as shapes: SSA names per function, functions in the order of their first use, no locations."""

from __future__ import annotations

import re

from ltc_ir.compare.text.lexer import HOLE, Lexed, Symbols

_STRING = r'"(?:[^"\\]|\\.)*"'
_LOCATION = re.compile(rf" ?(?<![\w.$%@#])loc\((?:(?:#loc\d*|unknown|{_STRING})\))?|{_STRING}")
_PARENTHESIS = re.compile(rf"[()]|{_STRING}")
_TOKEN = re.compile(
    rf"%(?P<ssa>[\w$.-]+)(?P<defines>(?::\d+)?(?= = )|(?=: ))?|@(?P<symbol>[\w$.-]+|{_STRING})|{_STRING}"
)
_FOREIGN = re.compile(r'(backend_config = "|\{index = )\d+("| : ui64\})')
_FOREIGN_TARGET = re.compile(r"custom_call @[\w.$-]+")
_NUMBER = re.compile(r"_\d+$")
_FUNCTION = re.compile(r'\s*func\.func (public |nested )?(?:private )?@([\w$.-]+|"[^"]*")')
_USE = re.compile(r"@([\w$.-]+)")


def lex_stablehlo(text: str) -> Lexed:
    """A module as shapes."""
    kept = [line for line in text.splitlines() if line and not line.startswith("#loc")]
    lines = without_locations("\n".join(kept)).split("\n")
    lexer = _Lexer()
    for line in in_order_of_use([line.rstrip() for line in lines]):
        lexer.line(line)
    return lexer.lexed


def without_locations(text: str) -> str:
    """A text without its ``loc(...)``, however deep they nest; strings are left alone."""
    parts: list[str] = []
    kept = position = 0
    while match := _LOCATION.search(text, position):
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
    starts = [number for number, line in enumerate(lines) if "func.func" in line and _FUNCTION.match(line)]
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
        match = _FUNCTION.match(lines[start])
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
                fresh = [use for use in _USE.findall(line) if use in blocks and use not in order]
                order |= dict.fromkeys(fresh)
                queue += dict.fromkeys(fresh)
    return list(order | dict.fromkeys(blocks))


class _Lexer:
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
            self.lexed.add(line, ())
            return
        if "func.func" in line and _FUNCTION.match(line):
            self.values, self.defined = {}, 0
        self.here = []
        shape = self._foreign(line) if "custom_call" in line else _TOKEN.sub(self._token, line)
        self.lexed.add(shape, self.here)

    def _foreign(self, line: str) -> str:
        """A custom call: its target is no function of the module, and a callback's number one of the process."""
        target = _FOREIGN_TARGET.search(line)
        if target is None:
            return _TOKEN.sub(self._token, line)
        before, after = line[: target.start()], line[target.end() :]
        if "callback" in target[0]:
            after = _FOREIGN.sub(r"\1…\2", after)
        return _TOKEN.sub(self._token, before) + target[0] + _TOKEN.sub(self._token, after)

    def _token(self, match: re.Match[str]) -> str:
        ssa = match["ssa"]
        if ssa is not None:
            self.here.append(self._value(ssa, match["defines"] is not None))
            return f"%{HOLE}{match['defines'] or ''}"
        symbol = match["symbol"]
        if symbol is not None:
            base = "main" if symbol == "main" else _NUMBER.sub("", symbol)
            self.here.append(self.symbols.of(symbol, base))
            return f"@{base}{HOLE}"
        return match[0]

    def _value(self, spelling: str, defines: bool) -> int:
        if defines or spelling not in self.values:
            self.values[spelling] = self.lexed.fresh(str(self.defined))
            self.defined += 1
        return self.values[spelling]
