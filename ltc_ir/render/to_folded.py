"""Prints a count grouped by stack as folded stacks, the input of flame-graph tools: ``outer;inner number``."""

from __future__ import annotations

from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count

HINT = "add --by stack, and name one program and one level"


def to_folded(count: Count) -> str:
    """Folded stacks of one program at one level; every call path counted at StableHLO.

    Raises:
        UsageError: the count is not grouped by stack, or holds more than one program and level.
    """
    if count.grouped != ("stack",):
        raise UsageError("folded stacks need a count by stack", HINT)
    made = [one for levels in count.programs.values() for one in levels.values()]
    if len(made) != 1:
        raise UsageError(f"folded stacks are of one program at one level, not of {len(made)}", HINT)
    groups = made[0].expanded_by if made[0].expanded_by is not None else made[0].by
    return "".join(f"{group.key.replace(' ', '_')} {group.tally.total}\n" for group in groups or ())
