"""Narrows a count that was made before to some of its operations and phases: what a reader would have kept, kept afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count, Group, LevelCount, Tally, make_tally
from ltc_ir.records.vocabulary import Phase

Keeps = Callable[[str, str], bool]
"""Whether an operation of a phase is kept."""


def matches(name: str, wanted: Collection[str]) -> bool:
    """Whether an operation is one of those asked for, with or without its dialect, ``-`` as ``_``; all are where none is."""
    if not wanted:
        return True
    plain = name.replace("-", "_")
    return plain in wanted or plain.rpartition(".")[2] in wanted


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
    ops = frozenset(name.replace("-", "_") for name in wanted.get("ops", ()))
    phases = frozenset(wanted.get("phases", ()))

    def keeps(name: str, phase: str) -> bool:
        return matches(name, ops) and (not phases or phase in phases)

    programs = {
        name: {level: _level(made, keeps) for level, made in levels.items()} for name, levels in count.programs.items()
    }
    return replace(count, programs=programs, filters=wanted)


def _level(made: LevelCount, keeps: Keeps) -> LevelCount:
    tally = _tally(made.tally, keeps)
    unknown = tally.phase_total(Phase.UNATTRIBUTED)
    share = 1.0 if not unknown else min(0.999999, round((tally.total - unknown) / tally.total, 6))
    return replace(
        made,
        tally=tally,
        expanded=None if made.expanded is None else _tally(made.expanded, keeps),
        by=_groups(made.by, keeps),
        expanded_by=_groups(made.expanded_by, keeps),
        executed=made.executed
        and replace(made.executed, tally=_tally(made.executed.tally, keeps), by=_groups(made.executed.by, keeps)),
        attributed={"phase": share, "source": None},
        reasons={**made.reasons, "attributed.source": "a narrowed record does not say"},
    )


def _tally(tally: Tally, keeps: Keeps) -> Tally:
    phases = {
        phase: {name: number for name, number in ops.items() if keeps(name, phase)}
        for phase, ops in tally.phases.items()
    }
    total: dict[str, int] = {}
    for ops in phases.values():
        for name, number in ops.items():
            total[name] = total.get(name, 0) + number
    return make_tally(total, phases)


def _groups(groups: tuple[Group, ...] | None, keeps: Keeps) -> tuple[Group, ...] | None:
    if groups is None:
        return None
    made = [Group(group.key, _tally(group.tally, keeps)) for group in groups]
    return tuple(sorted((one for one in made if one.tally.total), key=lambda one: (-one.tally.total, one.key)))
