"""Finds where the pieces of HLO text end: strings, comments, bracketed groups and attributes.

Each piece has a regular expression for the usual case (groups nested at most three deep) and, where that does not
match, a scan with an explicit stack for any depth. Both accept the same language: the expression only saves time. The
expressions never backtrack into a repetition, so the time is linear in the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

STRING = r'"[^"\\]*+(?:\\[\s\S][^"\\]*+)*"'
COMMENT = r"/\*[^*]*+(?:\*(?!/)[^*]*+)*\*/"
NAME = r"[A-Za-z0-9_.\-]+"
OPERAND = rf"%?{NAME}(?:#\d+)*"

_CLOSER = {"{": "}", "(": ")", "[": "]"}  # the commonest first: the expressions try them in this order


def _group(opener: str, inner: str) -> str:
    """An expression for one balanced group that holds plain text, strings, comments and ``inner`` groups."""
    plain = r'[^()\[\]{}"/]*+'
    return rf"\{opener}{plain}(?:(?:{STRING}|/(?!\*)|{COMMENT}{inner}){plain})*\{_CLOSER[opener]}"


def _groups(depth: int) -> str:
    """An expression for a balanced group of any kind, nested at most ``depth`` deep."""
    inner = "|" + _groups(depth - 1) if depth > 1 else ""
    return "|".join(_group(opener, inner) for opener in _CLOSER)


GROUP = _groups(2)
"""A balanced group nested at most three deep; use `group_end` where it does not match."""

VALUE = rf'(?=[^\s,])[^\s,"()\[\]{{}}/]*+(?:(?:{STRING}|/(?!\*)|{GROUP})[^\s,"()\[\]{{}}/]*+)*(?!["(\[{{/])'
"""An attribute's value in the usual case: a word, a string or groups, up to a blank, a comma or a closing bracket."""

LITERAL = rf"literal={VALUE} {VALUE}"
"""The one value of two words that may be a number: ``literal=f32[] 2.5``."""

ATTRIBUTES = rf"(?:, (?:{LITERAL}|{NAME}={VALUE}))*"
"""A run of ``, name=value`` in the usual case; use `attributes_end` where a comma follows it."""

_GROUP = re.compile(GROUP, re.ASCII)
_ATTRIBUTES = re.compile(ATTRIBUTES, re.ASCII)
_BLANK = re.compile(rf"\s*+(?:(?:{COMMENT}|//[^\n]*+)\s*+)*", re.ASCII)
_STRUCTURE = re.compile(rf'{STRING}|{COMMENT}|[()\[\]{{}}"]|/\*', re.ASCII)
_RUN = re.compile(rf'(?:[^\s,"()\[\]{{}}/]++|{STRING}|{COMMENT}|/(?!\*))*', re.ASCII)
_PIECE = re.compile(rf'(?:[^,"()\[\]{{}}/]++|{STRING}|{COMMENT}|/(?!\*))*', re.ASCII)
_KEY = re.compile(rf"({NAME})\s*=\s*", re.ASCII)
_PAIR = re.compile(rf"[\s,]*({NAME})=({VALUE})", re.ASCII)
_NUMBER = re.compile(rf" {VALUE}", re.ASCII)
_SEPARATOR = re.compile(rf"(?:[\s,]++|{COMMENT})*", re.ASCII)
_ESCAPE = re.compile(rb"\\(?:([0-3][0-7]{2})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LETTER_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


class HloSyntaxError(ValueError):
    """The text is not HLO text, or not all of it.

    Attributes:
        message: what is wrong, on one line.
        line: the number of the line where it was noticed, from 1.
        missing: whether something that the text names is not in it.
        certain: whether that is so even where XLA's parser, which does not look for it, takes the text.

    Example: ``str(error) == "line 7: the text ends inside a '{' group"``.

    """

    def __init__(self, message: str, line: int, missing: bool = False, certain: bool = False) -> None:
        super().__init__(message, line, missing, certain)
        self.message = message
        self.line = line
        self.missing = missing
        self.certain = certain

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


def error_at(text: str, position: int, message: str) -> HloSyntaxError:
    """The error for the text at ``position``, with its line number."""
    return HloSyntaxError(message, line_of(text, position))


def line_of(text: str, position: int) -> int:
    """The number of a line, from 1."""
    return text.count("\n", 0, position) + 1


def excerpt(text: str, position: int) -> str:
    """The text at ``position``, quoted and on one line, for a message."""
    words = text[position : position + 40].split("\n", 1)[0].strip()
    return repr(words) if words else "the end of the text"


def blank_end(text: str, position: int) -> int:
    """Where blanks and comments that start at ``position`` end; ``position`` itself where there are none."""
    match = _BLANK.match(text, position)
    return match.end() if match else position


def group_end(text: str, position: int) -> int:
    """Where the group ends whose opening bracket is at ``position``.

    Raises:
        HloSyntaxError: a bracket, string or comment is not closed, or a bracket is closed by one of another kind.

    """
    match = _GROUP.match(text, position)
    return match.end() if match else _scanned_group_end(text, position)


def _scanned_group_end(text: str, position: int) -> int:
    pending: list[str] = []
    for match in _STRUCTURE.finditer(text, position):
        token = match.group()
        if token in _CLOSER:
            pending.append(_CLOSER[token])
        elif token in {'"', "/*"}:
            raise error_at(text, match.start(), f"{_unclosed(token)} is not closed")
        elif token in {")", "]", "}"}:
            if token != pending.pop():
                raise error_at(text, match.start(), f"{token!r} closes a bracket of another kind")
            if not pending:
                return match.end()
    raise error_at(text, position, f"the text ends inside the {text[position]!r} group that opens here")


def _unclosed(token: str) -> str:
    return "a string" if token == '"' else "a comment"


def value_end(text: str, position: int) -> int:
    """Where the attribute value that starts at ``position`` ends.

    Raises:
        HloSyntaxError: there is no value, or it is not closed.

    """
    end = _run_end(text, position, _RUN)
    if end == position:
        raise error_at(text, position, f"expected a value before {excerpt(text, position)}")
    return end


def _run_end(text: str, position: int, run: re.Pattern[str]) -> int:
    """Where an alternation of ``run`` and groups ends."""
    while True:
        match = run.match(text, position)
        position = match.end() if match else position
        following = text[position : position + 1]
        if following not in _CLOSER:
            break
        position = group_end(text, position)
    if following in {'"', "/"} and following:
        raise error_at(text, position, f"{_unclosed(following)} is not closed")
    return position


def attributes_end(text: str, position: int) -> int:
    """Where the run of ``, name=value`` that starts at ``position`` ends; ``position`` itself where there is none.

    Raises:
        HloSyntaxError: a comma is not followed by ``name=value``, or a value is not closed.

    """
    while True:
        match = _ATTRIBUTES.match(text, position)
        position = match.end() if match else position
        following = blank_end(text, position)
        if text.startswith(tuple(_CLOSER), following):
            position = value_end(text, following)  # a value of two words: "replica_groups=mesh[...] {...}"
        elif text.startswith(",", following):
            position = _attribute_end(text, blank_end(text, following + 1))
        else:
            return position


def _attribute_end(text: str, position: int) -> int:
    key = _KEY.match(text, position)
    if key is None:
        raise error_at(text, position, f"expected 'name=value' after a comma, not {excerpt(text, position)}")
    end = value_end(text, key.end())
    return end if key[1] != "literal" or text.startswith("{", key.end()) else value_end(text, blank_end(text, end))


def pieces(text: str) -> Iterator[str]:
    """The parts of ``text`` between its top-level commas, stripped; none for a blank text.

    Example: ``list(pieces("f32[2,3]{1,0} %x, %y")) == ["f32[2,3]{1,0} %x", "%y"]``.
    """
    position = blank_end(text, 0)
    if position == len(text):
        return
    while True:
        end = _run_end(text, position, _PIECE)
        yield text[position:end].strip()
        if end == len(text):
            return
        if text[end] != ",":
            raise error_at(text, end, f"{text[end]!r} closes nothing")
        position = end + 1


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """The top-level ``name=value`` pairs of an attribute list or of the inside of ``metadata={…}``, values as written.

    Anything else is skipped, so that a reader of attributes never fails where the parser did not.

    Example: ``dict(pairs('op_name="a b" source_line=3')) == {"op_name": '"a b"', "source_line": "3"}``.
    """
    position = 0
    while position < len(text):
        if match := _PAIR.match(text, position):
            name, value = match.groups()
            position = match.end()
            if name == "literal" and (number := _NUMBER.match(text, position)):
                position, value = number.end(), value + number.group()
            yield name, value
            continue
        separator = _SEPARATOR.match(text, position)
        start = separator.end() if separator else position
        key = _KEY.match(text, start)
        position = _run_end(text, key.end() if key else start, _RUN)
        if key:
            yield key.group(1), text[key.end() : position]
        elif position == start:
            position += 1


def unquote(value: str) -> str:
    r"""A string without its quotes and escapes, ``\303\251`` being the UTF-8 bytes of "é"; any other value as it is."""
    if not value.startswith('"'):
        return value
    inner = value[1:-1]
    if "\\" not in inner:
        return inner
    return _ESCAPE.sub(_unescaped, inner.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    octal, hexadecimal, letter = match.groups()
    if octal:
        return bytes([int(octal, 8)])
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    return _LETTER_ESCAPES.get(letter, letter)


def integer(value: str | None) -> int | None:
    """A decimal number of at most 18 digits, with an optional sign; None for anything else."""
    if value is None or not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
        return None
    return int(value)
