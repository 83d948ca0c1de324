"""Reads TOML strictly: every wrong key or value is an error that names the file and, where it can be found, the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Any, NoReturn, TypeVar

from ltc_ir.errors import UsageError
from ltc_ir.records.snapshot_migration import RESTORE

Kind = TypeVar("Kind", str, int, bool, dict[str, Any], list[Any])
Place = tuple[str | int, ...]
"""The keys that lead to a value; a number is the place in a list of tables."""

MOST = 10**100
"""What a count stays below: more than any program holds, for 300 nested doublings are fewer."""

_CONFLICT = re.compile(r"^(?:<{7} |={7}\s*$|>{7} |\|{7} )", re.MULTILINE)
_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_ESCAPE = "\x1a"
_ESCAPED = re.compile(f"{_ESCAPE}([0-9a-f]{{4}})")
_WORDS = {str: "text", int: "a whole number", bool: "true or false", dict: "a table", list: "a list"}


def encoded(text: str) -> str:
    """Text as TOML can hold it: a lone surrogate, which it cannot, is U+001A and its four hexadecimal digits."""
    return "".join(
        f"{_ESCAPE}{ord(char):04x}" if char == _ESCAPE or "\ud800" <= char <= "\udfff" else char for char in text
    )


def decoded(text: str) -> str:
    """What `encoded` made text of."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if _ESCAPE in text else text


def parsed(text: str, where: str) -> dict[str, Any]:
    """What a TOML text holds.

    Raises:
        UsageError: it holds the markers of a merge conflict, or is no TOML.
    """
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        raise UsageError(
            f"{where}:{line}: a merge conflict is not settled",
            "settle it with either side, then run `ltc-ir snapshot update`",
        )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{where}: nested too deeply", RESTORE) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}{_place_in(str(error), text)}: {_said(str(error))}", RESTORE) from error
    except ValueError as error:
        raise UsageError(f"{where}: a number has too many digits", RESTORE) from error


def _said(message: str) -> str:
    return _plain(_LINE.sub("", message).replace(" (at end of document)", ", where the file ends"))


def _place_in(message: str, text: str) -> str:
    found = _LINE.search(message)
    if found:
        return f":{found[1]}"
    return f":{max(1, len(text.splitlines()))}" if message.endswith("(at end of document)") else ""


class Table:
    """One table of a file: each key is taken once, with its type; `close` then refuses what was not taken."""

    def __init__(self, data: Mapping[str, Any], file: File, place: Place = ()) -> None:
        self._left = dict(data)
        self._file = file
        self._place = place

    def take(self, key: str, kind: type[Kind], default: Kind | None = None) -> Kind:
        """A value of exactly that type: a bool is no number.

        Raises:
            UsageError: it is absent and has no default, or is of another type.
        """
        if key not in self._left:
            if default is None:
                self.fail(f"{key} is missing")
            return default
        value = self._left.pop(key)
        if type(value) is not kind:
            self.fail(f"{key} is {_shown(value)}, not {_WORDS[kind]}", key)
        return decoded(value) if isinstance(value, str) else value

    def word(self, key: str, words: Collection[str]) -> str:
        """One of some words."""
        found = self.take(key, str)
        if found not in words:
            self.fail(f"{key} is {_shown(found)}, not {' or '.join(words)}", key)
        return found

    def number(self, key: str, least: int = 0) -> int:
        """A number from ``least`` on, and not beyond all sense."""
        found = self.take(key, int)
        if not least <= found < MOST:
            self.fail(f"{key} is {_shown(found)}; it is {least} or more, of at most 100 digits", key)
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; nothing where it is absent."""
        found = self.take(key, list, [])
        for item in found:
            if type(item) is not str:
                self.fail(f"{key} holds {_shown(item)}, not text", key)
        return tuple(decoded(item) for item in found)

    def tables(self, key: str) -> list[Table]:
        """A list of tables; nothing where it is absent."""
        found = self.take(key, list, [])
        for item in found:
            if type(item) is not dict:
                self.fail(f"{key} holds {_shown(item)}, not a table", key)
        return [Table(item, self._file, (*self._place, key, number)) for number, item in enumerate(found)]

    def table(self, key: str) -> Table:
        """A table that must be there."""
        return Table(self.take(key, dict), self._file, (*self._place, key))

    def numbers(self, key: str, least: int = 0) -> dict[str, int]:
        """A table of names and numbers; nothing where it is absent."""
        return self._inner(key).all_numbers(least)

    def all_numbers(self, least: int = 0) -> dict[str, int]:
        """All that is left, as names and numbers."""
        return {decoded(name): self.number(name, least) for name in self.left()}

    def strings(self, key: str) -> dict[str, str]:
        """A table of names and texts; nothing where it is absent."""
        inner = self._inner(key)
        return {decoded(name): inner.take(name, str) for name in inner.left()}

    def each(self, key: str, words: Collection[str] | None = None) -> dict[str, Table]:
        """The tables of a table, by name; nothing where it is absent. ``words`` are the names there may be."""
        inner = self._inner(key)
        for name in inner.left():
            if words is not None and name not in words:
                inner.fail(f"{name!r} is none of {', '.join(words)}", name)
        return {name: inner.table(name) for name in inner.left()}

    def left(self) -> list[str]:
        """What has not been taken, as it stands in the file."""
        return list(self._left)

    def close(self) -> None:
        """Refuse what nobody took.

        Raises:
            UsageError: there is such a key.
        """
        for key in self._left:
            self.fail(f"unknown key {key!r}", key)

    def fail(self, message: str, *key: str) -> NoReturn:
        """Refuse the file at the line of a key, or of the table."""
        path = ".".join(str(part) for part in self._place)
        within = f" in [{path}]" if path else ""
        raise UsageError(f"{self._file.at((*self._place, *key))}: {_plain(message)}{_plain(within)}", RESTORE)

    def _inner(self, key: str) -> Table:
        return Table(self.take(key, dict, {}), self._file, (*self._place, key))


def _shown(value: object) -> str:
    """A value as a message shows it: short, on one line."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= MOST:
        return "a number of more than 100 digits"
    shown = _WORDS.get(type(value), "") if isinstance(value, dict | list) else repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"


def _plain(text: str) -> str:
    """Text on one line that any terminal can print."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class File:
    """A file's text and what messages call it, to find the line of a value that is wrong."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where

    def at(self, place: Place) -> str:
        """``file:line`` of a value, of its table where the value has no line, else the file alone."""
        lines = self._lines()
        while place:
            if place in lines:
                return f"{self._where}:{lines[place]}"
            place = place[:-1]
        return self._where

    def _lines(self) -> dict[Place, int]:
        """The line of each key and table that stands on one."""
        found: dict[Place, int] = {}
        table: Place = ()
        repeated: dict[Place, int] = {}
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
            found.setdefault(table + path, number)
        return found


def _keys(line: str) -> Place:
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
            keys.append(key)
        return tuple(keys)
    return ()
