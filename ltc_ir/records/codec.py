"""Records to JSON and back: sorted keys, two-space indent, schema 1; a newer schema is refused with words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ltc_ir.errors import UsageError
from ltc_ir.records.count import MODULE, Count, Function, LevelCount, Loop
from ltc_ir.records.environment import Environment
from ltc_ir.records.executed_codec import executed_from_dict, executed_to_dict
from ltc_ir.records.tally_codec import group_to_dict, groups_from_list, tally_from_dict, tally_to_dict

SCHEMA = 1
Record = TypeVar("Record")

_LEVEL_FIELDS = {
    "jaxpr": ("max_depth",),
    "stablehlo": ("max_depth", "lines", "bytes", "private_functions", "constants"),
    "hlo": ("max_depth", "fusions", "flops", "bytes_accessed", "memory", "collectives"),
}
"""The fields a level always has in JSON, ``null`` where they could not be had."""


def dumps(data: Mapping[str, Any]) -> str:
    """JSON text: UTF-8, sorted keys, a newline at the end, never a NaN."""
    return json.dumps(_finite(data), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def count_to_dict(count: Count) -> dict[str, Any]:
    """A count as JSON holds it."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": count.kind,
        "target": count.target,
        "environment": vars(count.environment).copy(),
        "programs": {
            name: {level: _level_to_dict(made) for level, made in levels.items()}
            for name, levels in count.programs.items()
        },
    }
    optional = {
        "unavailable": dict(count.unavailable),
        "grouped": list(count.grouped),
        "filters": {key: list(names) for key, names in count.filters.items()},
        "notes": list(count.notes),
        "headline": list(count.headline),
    }
    return data | {key: value for key, value in optional.items() if value}


def _level_to_dict(made: LevelCount) -> dict[str, Any]:
    data = tally_to_dict(made.tally)
    data["attributed"] = dict(made.attributed)
    for name in _LEVEL_FIELDS.get(made.level, ()):
        value = getattr(made, name)
        data[name] = dict(value) if isinstance(value, Mapping) else value
    if made.level == "stablehlo":
        data["expanded"] = None if made.expanded is None else tally_to_dict(made.expanded)
        if data["expanded"] is not None and made.expanded_by is not None:
            data["expanded"]["by"] = [group_to_dict(group) for group in made.expanded_by]
    data["loops"] = [vars(loop).copy() for loop in made.loops]
    data["functions"] = [vars(function).copy() for function in made.functions]
    if made.basis != MODULE:
        data["basis"] = made.basis
    if made.by is not None:
        data["by"] = [group_to_dict(group) for group in made.by]
    if made.executed is not None:
        data["executed"] = executed_to_dict(made.executed)
    elif "executed" in made.reasons:
        data |= {"executed": None, "reason": made.reasons["executed"]}
    if made.reasons:
        data["reasons"] = dict(made.reasons)
    return data


def loads(text: str, where: str = "the record") -> Count:
    """A record from its JSON text.

    Raises:
        UsageError: not JSON, not a record of ours, of a newer schema, or broken; the message names ``where``.
    """
    data = parsed(text, where)
    if not isinstance(data, dict) or "kind" not in data:
        raise UsageError(f"{where} is JSON but no record of ltc-ir", 'a record has "schema" and "kind"')
    schema = data.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA or schema < 1:
        raise UsageError(
            f"{where} has schema {schema!r}; this ltc-ir reads {SCHEMA}", "upgrade ltc-ir or write the record anew"
        )
    if data["kind"] != "count":
        raise UsageError(
            f"{where} is a {data['kind']} record where a count is wanted", "write one with count --format json"
        )
    return built(_count_from_dict, data, where)


def parsed(text: str, where: str) -> Any:
    """What a JSON text holds; ``UsageError`` where it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"{where} is not JSON: {error.msg} (line {error.lineno})"
        raise UsageError(message, "write it anew with --format json") from error


def built(build: Callable[[Mapping[str, Any]], Record], data: Mapping[str, Any], where: str) -> Record:
    """A record made of its JSON data; ``UsageError`` where fields are missing or of another type."""
    try:
        return build(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{where} is a broken record: {error!r}", "write it anew with --format json") from error


def _count_from_dict(data: Mapping[str, Any]) -> Count:
    return Count(
        target=str(data["target"]),
        environment=Environment(**data["environment"]),
        programs={
            name: {level: _level_from_dict(level, made) for level, made in levels.items()}
            for name, levels in data["programs"].items()
        },
        unavailable=data.get("unavailable", {}),
        grouped=tuple(data.get("grouped", ())),
        filters={key: tuple(names) for key, names in data.get("filters", {}).items()},
        notes=tuple(data.get("notes", ())),
        headline=tuple(data.get("headline", ())),
    )


def _level_from_dict(level: str, data: Mapping[str, Any]) -> LevelCount:
    expanded = data.get("expanded")
    return LevelCount(
        level=level,
        tally=tally_from_dict(data),
        attributed=dict(data["attributed"]),
        expanded=None if expanded is None else tally_from_dict(expanded),
        loops=tuple(Loop(**loop) for loop in data.get("loops", ())),
        functions=tuple(Function(**function) for function in data.get("functions", ())),
        by=groups_from_list(data.get("by")),
        expanded_by=groups_from_list(expanded.get("by") if expanded else None),
        basis=str(data.get("basis", MODULE)),
        executed=executed_from_dict(data["executed"]) if data.get("executed") else None,
        reasons=data.get("reasons", {}),
        **{name: data.get(name) for name in _LEVEL_FIELDS.get(level, ())},
    )
