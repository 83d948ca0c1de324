"""Executed counts to JSON and back: the shape of an expanded count, and what a run tells besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ltc_ir.records.executed import Executed, RanRegion, Uncounted, Work
from ltc_ir.records.tally_codec import group_to_dict, groups_from_list, tally_from_dict, tally_to_dict


def executed_to_dict(made: Executed) -> dict[str, Any]:
    """An executed count as JSON holds it; what a static one cannot have is left out."""
    data = tally_to_dict(made.tally) | {"how": made.how}
    if made.by is not None:
        data["by"] = [group_to_dict(group) for group in made.by]
    if made.work is not None:
        work = made.work
        data["work"] = vars(work) | {"flops": dict(work.flops), "in_no_flops": dict(work.in_no_flops)}
        data["work"]["total_flops"] = work.total
    lists = {"regions": made.regions, "uncounted": made.uncounted}
    data |= {key: [vars(one).copy() for one in rows] for key, rows in lists.items() if rows}
    optional = {
        "calls": dict(made.calls),
        "devices": dict(made.devices or {}),
        "difference": made.difference,
        "filled": made.filled,
        "notes": list(made.notes),
    }
    data |= {key: value for key, value in optional.items() if value not in (None, {}, [])}
    return data if made.identical is None else data | {"identical": made.identical}


def executed_from_dict(data: Mapping[str, Any]) -> Executed:
    """An executed count of its JSON data."""
    work = data.get("work")
    return Executed(
        tally=tally_from_dict(data),
        how=str(data["how"]),
        by=groups_from_list(data.get("by")),
        regions=tuple(RanRegion(**row) for row in data.get("regions", ())),
        uncounted=tuple(Uncounted(**row) for row in data.get("uncounted", ())),
        calls=data.get("calls", {}),
        work=None if work is None else Work(**{key: value for key, value in work.items() if key != "total_flops"}),
        identical=data.get("identical"),
        difference=data.get("difference"),
        devices=data.get("devices"),
        filled=data.get("filled"),
        notes=tuple(data.get("notes", ())),
    )
