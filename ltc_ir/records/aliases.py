"""One thing under two names: operations that JAX renamed, so that a change of version is not shown as a change of program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ltc_ir.records.count import Group, Ops, Tally

ALIASES: Mapping[str, Mapping[str, str]] = {"jaxpr": {"pjit": "jit"}}
"""Per level, the older name and the newer (`pjit` became `jit` in JAX 0.7). Only pure renamings belong here: an operation
that was split or fused anew is a change a reader wants to see."""


def renamed(level: str, baseline: Tally, current: Tally) -> dict[str, str]:
    """The renamings that this comparison needs: both names occur, and not each of them on both sides alike."""
    found = {}
    for old, new in ALIASES.get(level, {}).items():
        either = set(baseline.ops) | set(current.ops)
        if {old, new} <= either and (old in baseline.ops) != (old in current.ops):
            found[old] = new
    return found


def rename(tally: Tally, names: Mapping[str, str]) -> Tally:
    """A tally under the newer names."""
    if not names:
        return tally
    return Tally(_rename(tally.ops, names), {phase: _rename(ops, names) for phase, ops in tally.phases.items()})


def rename_groups(groups: tuple[Group, ...] | None, names: Mapping[str, str]) -> tuple[Group, ...] | None:
    """Groups under the newer names."""
    if groups is None or not names:
        return groups
    return tuple(Group(group.key, rename(group.tally, names)) for group in groups)


def _rename(ops: Ops, names: Mapping[str, str]) -> dict[str, int]:
    made: Counter[str] = Counter()
    for name, number in ops.items():
        made[names.get(name, name)] += number
    return dict(made)
