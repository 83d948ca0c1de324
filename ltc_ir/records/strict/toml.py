"""Reads TOML strictly: every wrong key or value is an error that names the file and, where it can be found, the line."""

from __future__ import annotations

import operator
import re
import tomllib
from functools import reduce
from typing import Any

from ltc_ir.errors import LimitError, UsageError
from ltc_ir.files import decode
from ltc_ir.records.strict.json import MOST_DIGITS, MOST_NESTED, DamageError, Path, check_size

MOST = 10**MOST_DIGITS
"""What a count stays below."""
MOST_BYTES = 16 << 20
"""Bytes a TOML file may have."""

_CONFLICT = re.compile(r"^(?:<{7} |={7}\s*$|>{7} |\|{7} )", re.MULTILINE)
_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_PART = r"(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')"
_CHAIN = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MOST_NESTED}}}", re.ASCII)
"""A key of too many parts: Python's reader of TOML takes quadratic time for it, or more."""
_ESCAPE = "\x1a"
_ESCAPED = re.compile(f"{_ESCAPE}([0-9a-f]{{4}})")
_ARTICLES = {"table": "a table", "list": "a list"}


def encoded(text: str) -> str:
    """Text as TOML can hold it: a lone surrogate, which it cannot, is U+001A and its four hexadecimal digits."""
    return "".join(
        f"{_ESCAPE}{ord(char):04x}" if char == _ESCAPE or "\ud800" <= char <= "\udfff" else char for char in text
    )


def decoded(value: Any) -> Any:
    """The text that `encoded` was called with; for a list or a table, the same of all its texts."""
    if isinstance(value, str):
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value) if _ESCAPE in value else value
    if isinstance(value, dict):
        return {decoded(key): decoded(item) for key, item in value.items()}
    return [decoded(item) for item in value] if isinstance(value, list) else value


def text_of(data: bytes, where: str, hint: str) -> str:
    """The text of a TOML file.

    Raises:
        UsageError: it is not UTF-8. LimitError: it has more than `MOST_BYTES`.
    """
    if len(data) > MOST_BYTES:
        raise LimitError(f"{where}: a TOML file has at most {MOST_BYTES >> 20} MiB", hint)
    return decode(data, where, hint)


def parsed(text: str, where: str, hint: str, settle: str | None = None) -> dict[str, Any]:
    """The data of a TOML text.

    Args:
        text: the text; what `encoded` made of a text comes back.
        where: what messages call it.
        hint: what helps where it is broken.
        settle: what helps where it holds the markers of a merge conflict; ``hint`` where that is ``None``.

    Raises:
        UsageError: it holds the markers of a merge conflict, or is no TOML.
    """
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        raise UsageError(f"{where}:{line}: a merge conflict is not settled", settle or hint)
    chain = _CHAIN.search(text)
    if chain:
        line = text.count("\n", 0, chain.start()) + 1
        raise UsageError(f"{where}:{line}: not valid TOML: a key has more than {MOST_NESTED} parts", hint)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{where}: not valid TOML: nested too deeply", hint) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}{_place_in(str(error), text)}: not valid TOML: {_said(str(error))}", hint) from error
    except ValueError as error:
        raise UsageError(f"{where}: not valid TOML: a number has too many digits", hint) from error


def checked(data: dict[str, Any], where: str, hint: str, *, digits: bool = False) -> dict[str, Any]:
    """Data that `parsed` returned, or a table in it, unless it is nested too deeply or holds too long a text.

    Raises:
        UsageError: it is or does.
    """
    try:
        check_size(data, digits=digits)
    except DamageError as error:
        raise UsageError(f"{where}: {error.in_words}", hint) from None
    return data


def _said(message: str) -> str:
    return _plain(_LINE.sub("", message).replace(" (at end of document)", ", where the file ends"))


def _place_in(message: str, text: str) -> str:
    found = _LINE.search(message)
    if found:
        return f":{found[1]}"
    return f":{max(1, len(text.splitlines()))}" if message.endswith("(at end of document)") else ""


def refusal(error: DamageError, data: Any, file: File, hint: str, path: Path = ()) -> UsageError:
    """The error that says in one line what is wrong with a part of a file, and on which line.

    Args:
        error: what `serialization.convert` raised.
        data: the part, as `parsed` returned it.
        file: the file that holds it.
        hint: what helps.
        path: the keys that lead to the part.
    """
    message, table = error.message, error.path
    if message.startswith("expected "):
        expected = message.removeprefix("expected ").partition(", not ")[0]
        value = reduce(operator.getitem, error.path[len(path) :], data)
        is_item = isinstance(error.path[-1], int)
        table = error.path[: -2 if is_item else -1]
        verb = "holds" if is_item else "is"
        message = f"{error.path[len(table)]} {verb} {shown(value)}, not {_ARTICLES.get(expected, expected)}"
    within = f" in [{'.'.join(map(str, table))}]" if table else ""
    place = error.path if error.key is None else (*error.path, error.key)
    return UsageError(f"{file.at(place)}: {_plain(message + within)}", hint)


def shown(value: object) -> str:
    """A value as a message shows it: short, on one line."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) >= MOST:
        return "a number of more than 100 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _plain(text: str) -> str:
    """Text on one line that any terminal can print."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class File:
    """A file's text and what messages call it, to find the line of a value that is wrong."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where

    def at(self, place: Path) -> str:
        """``file:line`` of a value, of its table where the value has no line, else the file alone."""
        lines = self._lines()
        while place:
            if place in lines:
                return f"{self._where}:{lines[place]}"
            place = place[:-1]
        return self._where

    def _lines(self) -> dict[Path, int]:
        """The first line of each key and table."""
        found: dict[Path, int] = {}
        table: Path = ()
        repeated: dict[Path, int] = {}
        for number, line in enumerate(self._text.split("\n"), 1):
            path = _keys(line)
            if line.startswith("[["):
                repeated[path] = repeated.get(path, -1) + 1
                table = (*path, repeated[path])
                path = ()
            elif line.startswith("["):
                table, path = path, ()
            elif not path:
                continue
            place = table + path
            for length in range(1, len(place) + 1):
                found.setdefault(place[:length], number)
        return found


def _keys(line: str) -> Path:
    """The keys a line names, in a table's head or before a value; none where it does neither."""
    for text in (line, f"{line.partition('=')[0]}= 0"):
        try:
            data: Any = tomllib.loads(text)
        except (ValueError, RecursionError):
            continue
        keys: list[str | int] = []
        while isinstance(data, dict | list) and len(data) == 1:
            if isinstance(data, list):
                data = data[0]
                continue
            key, data = next(iter(data.items()))
            keys.append(decoded(key))
        return tuple(keys)
    return ()
