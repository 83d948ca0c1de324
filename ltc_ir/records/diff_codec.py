"""A Diff to JSON and back, by the conventions of `codec`; what follows from a row is written, and not read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.codec import SCHEMA, built, parsed
from ltc_ir.records.diff import Change, Diff, GroupChange, LevelDiff, Pair, Side
from ltc_ir.records.environment import Environment


def diff_to_dict(diff: Diff) -> dict[str, Any]:
    """A diff as JSON holds it."""
    return {
        "schema": SCHEMA,
        "kind": diff.kind,
        "baseline": _side_to_dict(diff.baseline),
        "current": _side_to_dict(diff.current),
        "empty": diff.empty,
        "grouped": list(diff.grouped),
        "notes": list(diff.notes),
        "pairs": [_pair_to_dict(pair) for pair in diff.pairs],
    }


def _side_to_dict(side: Side) -> dict[str, Any]:
    return {"target": side.target, "program": side.program, "environment": vars(side.environment).copy()}


def _pair_to_dict(pair: Pair) -> dict[str, Any]:
    levels = {level: _level_to_dict(made) for level, made in pair.levels.items()}
    return {"baseline": pair.baseline, "current": pair.current, "levels": levels}


def _level_to_dict(made: LevelDiff) -> dict[str, Any]:
    data: dict[str, Any] = {
        "ops": [change_to_dict(row) for row in made.ops],
        "metrics": [change_to_dict(row) for row in made.metrics],
    }
    if made.by is not None:
        data["by"] = [_group_to_dict(group) for group in made.by]
    return data


def _group_to_dict(group: GroupChange) -> dict[str, Any]:
    row = change_to_dict(group.total)
    return {"key": row.pop("name"), **row, "ops": [change_to_dict(op) for op in group.ops]}


def change_to_dict(row: Change) -> dict[str, Any]:
    """A row as JSON holds it: the sides and what follows from them; ``headline`` and ``reason`` only where they say a thing."""
    ratio = row.ratio
    data: dict[str, Any] = {
        "name": row.name,
        "baseline": row.baseline,
        "current": row.current,
        "change": row.change,
        "ratio": None if ratio is None else round(ratio, 6),
        "status": row.status,
        "phases": dict(row.phases),
    }
    optional = {"headline": row.headline, "reason": row.reason}
    return data | {key: value for key, value in optional.items() if value}


def loads_diff(text: str, where: str = "the record") -> Diff:
    """A diff from its JSON text.

    Raises:
        UsageError: not JSON, no diff of ours, of a newer schema, or broken; the message names ``where``.
    """
    data = parsed(text, where)
    if not isinstance(data, dict) or data.get("kind") != "diff":
        raise UsageError(f"{where} is JSON but no diff record", "write one with diff --format json")
    if data.get("schema") != SCHEMA:
        raise UsageError(
            f"{where} has schema {data.get('schema')!r}; this ltc-ir reads {SCHEMA}", "write the record anew"
        )
    return built(_diff_from_dict, data, where)


def _diff_from_dict(data: Mapping[str, Any]) -> Diff:
    return Diff(
        baseline=_side_from_dict(data["baseline"]),
        current=_side_from_dict(data["current"]),
        pairs=tuple(_pair_from_dict(pair) for pair in data["pairs"]),
        grouped=tuple(data.get("grouped", ())),
        notes=tuple(data.get("notes", ())),
    )


def _side_from_dict(data: Mapping[str, Any]) -> Side:
    return Side(str(data["target"]), Environment(**data["environment"]), data["program"])


def _pair_from_dict(data: Mapping[str, Any]) -> Pair:
    levels = {level: _level_from_dict(level, made) for level, made in data["levels"].items()}
    return Pair(str(data["baseline"]), str(data["current"]), levels)


def _level_from_dict(level: str, data: Mapping[str, Any]) -> LevelDiff:
    by = data.get("by")
    return LevelDiff(
        level=level,
        ops=_changes(data["ops"]),
        metrics=_changes(data["metrics"]),
        by=None if by is None else tuple(GroupChange(_change(row, "key"), _changes(row["ops"])) for row in by),
    )


def _changes(rows: Any) -> tuple[Change, ...]:
    return tuple(_change(row) for row in rows)


def _change(row: Mapping[str, Any], name: str = "name") -> Change:
    return Change(
        name=str(row[name]),
        baseline=row["baseline"],
        current=row["current"],
        phases={phase: int(number) for phase, number in row["phases"].items()},
        headline=bool(row.get("headline", False)),
        reason=row.get("reason"),
    )
