"""Prints a count grouped by stack as folded stacks, the input of flame-graph tools: ``outer;inner number``."""

from __future__ import annotations

from collections.abc import Iterator

from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count, Tally

HINT = "add --by stack, and name one program and one level"


def to_folded(count: Count) -> str:
    """Folded stacks of one program at one level; every call path counted at StableHLO.

    Raises:
        UsageError: the count is not grouped by stack, or holds more than one program and level.
    """
    return "".join(f"{key.replace(' ', '_')} {tally.total}\n" for key, tally in stacks_of(count, "folded stacks"))


def stacks_of(count: Count, what: str) -> Iterator[tuple[str, Tally]]:
    """The stacks of one program at one level, frames parted by ``;``; ``what`` is how messages call the format."""
    if count.grouped != ("stack",):
        raise UsageError(f"{what} need a count by stack", HINT)
    made = [one for levels in count.programs.values() for one in levels.values()]
    if len(made) != 1:
        raise UsageError(f"{what} are of one program at one level, not of {len(made)}", HINT)
    groups = made[0].expanded_by if made[0].expanded_by is not None else made[0].by
    return ((group.key, group.tally) for group in groups or ())
