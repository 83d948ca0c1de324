"""Reads JSON strictly and in bounds: each key once, each number finite and short, and nothing nested without end."""

from __future__ import annotations

import json
from typing import Any

from ltc_ir.errors import UsageError

MOST_DIGITS = 100
"""Digits a number may have: more than any count needs, for 300 nested doublings have fewer."""
MOST_NESTED = 100
"""Tables and lists that may hold one another."""
MOST_CHARACTERS = 1_000_000
"""Characters of a text or of a key."""


Path = tuple[str | int, ...]
"""The keys that lead to a value; a number is the place in a list."""

AGAIN = "write it again with --format json"
"""What helps where a record cannot be read."""


class DamageError(Exception):
    """Data that does not fit its type: what is wrong, the path of keys to it, and a wrong key under that path."""

    def __init__(self, message: str, path: Path = (), key: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.key = key

    @property
    def in_words(self) -> str:
        """The message with the path: ``programs.grad: missing field "jaxpr"``."""
        return f"{_words(self.path)}: {self.message}" if self.path else self.message


def _words(path: Path) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text if text.isprintable() else ascii(text)[1:-1]


def quoted(name: str) -> str:
    """A key as a message shows it."""
    return json.dumps(name if len(name) <= 60 else f"{name[:60]}…")


def parsed(text: str, where: str) -> Any:
    """What a JSON text holds.

    Raises:
        UsageError: it is not JSON, repeats a key, or goes beyond a bound; the message begins with ``where``.
    """
    try:
        data = json.loads(
            text,
            object_pairs_hook=_each_once,
            parse_constant=_no_number,
            parse_float=_finite_float,
            parse_int=_short_int,
        )
        check_size(data)
    except DamageError as error:
        raise UsageError(f"{where}: {error.in_words}", AGAIN) from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{where} is not JSON: {error.msg} (line {error.lineno})", AGAIN) from error
    except RecursionError as error:
        raise UsageError(f"{where}: nested too deeply", AGAIN) from error
    return data


def check_size(data: Any, *, digits: bool = False) -> None:
    """Refuse data that no record and no snapshot holds, before anything prints it or walks it by recursion.

    Args:
        data: what was read.
        digits: whether to refuse long numbers too, where no type of the reader does.

    Raises:
        DamageError: it is nested too deeply, or holds too long a text.
    """
    level, depth = [data], 0
    while level:
        if depth > MOST_NESTED:
            raise DamageError("nested too deeply")
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.keys()
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            elif isinstance(value, str) and len(value) > MOST_CHARACTERS:
                raise DamageError(f"a text has more than {MOST_CHARACTERS:,} characters")
            elif digits and isinstance(value, int) and abs(value) >= 10**MOST_DIGITS:
                raise DamageError(_LONG_NUMBER)
        level, depth = inner, depth + 1


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise DamageError(f"repeated field {quoted(name)}")
            seen.add(name)
    return data


def _no_number(text: str) -> Any:
    raise DamageError(f"{text} is not a number of JSON")


_LONG_NUMBER = f"a number has more than {MOST_DIGITS} digits"


def _short_int(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS:
        raise DamageError(_LONG_NUMBER)
    return int(text)


def _finite_float(text: str) -> float:
    if len(text) > MOST_DIGITS + len("-.e+308"):
        raise DamageError(_LONG_NUMBER)
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise DamageError(f"the number {text[:20]} is too large")
    return value
