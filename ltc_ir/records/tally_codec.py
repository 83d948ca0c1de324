"""Tallies and groups to JSON and back, apart from `codec`, as what holds them has a codec of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ltc_ir.records.count import Group, Tally, make_tally


def tally_to_dict(tally: Tally) -> dict[str, Any]:
    """A tally as JSON holds it."""
    return {
        "total": tally.total,
        "ops": dict(tally.ops),
        "phases": {phase: dict(ops) for phase, ops in tally.phases.items() if ops},
    }


def group_to_dict(group: Group) -> dict[str, Any]:
    """A group as JSON holds it."""
    return {"key": group.key, **tally_to_dict(group.tally)}


def tally_from_dict(data: Mapping[str, Any]) -> Tally:
    """A tally of its JSON data."""
    ops = {str(name): int(number) for name, number in data["ops"].items()}
    phases = {phase: {name: int(number) for name, number in split.items()} for phase, split in data["phases"].items()}
    return make_tally(ops, phases)


def groups_from_list(rows: Any) -> tuple[Group, ...] | None:
    """The groups of their JSON data; ``None`` of nothing."""
    return None if rows is None else tuple(Group(str(row["key"]), tally_from_dict(row)) for row in rows)
