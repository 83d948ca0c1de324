"""Narrows a stored count to some of its operations and phases: what a reader would have kept, kept afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count, Group, LevelCount, Tally
from ltc_ir.records.op_table import attributed, narrowed, rows_of, tally_of

Keep = Callable[[Tally], Tally]
"""What is kept of a tally."""


def narrow(count: Count, filters: Mapping[str, Collection[str]], grouped: Collection[str], where: str) -> Count:
    """A stored count with only these ``ops`` and ``phases``, held against the groupings it was asked for.

    Raises:
        UsageError: it was not grouped so, or was narrowed to something else when it was made.
    """
    if grouped and tuple(grouped) != count.grouped:
        was = f"it was counted by {', '.join(count.grouped)}" if count.grouped else "it has no grouping"
        raise UsageError(f"{where} was not counted by {', '.join(grouped)}", f"{was}; count the target again")
    wanted = {key: tuple(sorted(names)) for key, names in filters.items() if names}
    if not wanted or wanted == count.filters:
        return count
    if count.filters:
        raise UsageError(f"{where} was narrowed when it was made", "count the target again without --op and --phase")

    def keep(tally: Tally) -> Tally:
        return tally_of(narrowed(rows_of(tally), wanted.get("ops", ()), wanted.get("phases", ())))

    programs = {
        name: {level: _narrow_level(level_count, keep) for level, level_count in levels.items()}
        for name, levels in count.programs.items()
    }
    return replace(count, programs=programs, filters=wanted)


def _narrow_level(level: LevelCount, keep: Keep) -> LevelCount:
    tally = keep(level.tally)
    return replace(
        level,
        tally=tally,
        expanded=level.expanded and keep(level.expanded),
        by=_narrow_groups(level.by, keep),
        expanded_by=_narrow_groups(level.expanded_by, keep),
        executed=level.executed
        and replace(level.executed, tally=keep(level.executed.tally), by=_narrow_groups(level.executed.by, keep)),
        attributed=attributed(rows_of(tally), sources=False),
        reasons={**level.reasons, "attributed.source": "a narrowed record does not say"},
    )


def _narrow_groups(groups: tuple[Group, ...] | None, keep: Keep) -> tuple[Group, ...] | None:
    if groups is None:
        return None
    narrow_groups = [Group(group.key, keep(group.tally)) for group in groups]
    return tuple(
        sorted(
            (group for group in narrow_groups if group.tally.total), key=lambda group: (-group.tally.total, group.key)
        )
    )
