"""Whether a name is nearly another: misspelt, in other case or with other separators, cut, or with its module left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SEPARATORS = re.compile(r"[\W_]+")
_SHORTEST = 3
"""Letters that a name must have to be nearly another."""
_SHORT, _MEDIUM = 5, 12
"""Up to so many letters one slip is allowed, and two; three in longer names."""


def nearest(text: str, names: Iterable[str]) -> str | None:
    """The name that ``text`` nearly is; ``None`` where none is near, and where one is ``text`` itself."""
    known = set(names)
    if text in known:
        return None
    ranked = sorted((how, name) for name in known if (how := _distance(text, name)) is not None)
    return ranked[0][1] if ranked else None


def _distance(text: str, name: str) -> int | None:
    """How far a name is from another; ``None`` where it is not near."""
    first, second = (_SEPARATORS.sub("", word.casefold()) for word in (text, name))
    if first == second:
        return 0 if first else None
    short, long = sorted((first, second), key=len)
    if len(short) < _SHORTEST:
        return None
    most = 1 if len(short) <= _SHORT else 2 if len(short) <= _MEDIUM else 3
    slips = _slips(short, long, most)
    if slips <= most:
        return slips
    return most + len(long) - len(short) if long.startswith(short) or long.endswith(short) else None


def _slips(short: str, long: str, most: int) -> int:
    """Letters to put in, take out, change or swap with their neighbour; more than ``most`` where those are too many."""
    if len(long) - len(short) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(long) + 1))
    for at, letter in enumerate(short, 1):
        last, row, older = row, [at], before
        for place, other in enumerate(long, 1):
            cost = min(row[-1] + 1, last[place] + 1, last[place - 1] + (letter != other))
            if at > 1 and place > 1 and letter == long[place - 2] and short[at - 2] == other:
                cost = min(cost, older[place - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before = last
    return row[-1]
