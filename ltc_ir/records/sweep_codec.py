"""A Sweep to JSON and back, by the conventions of `codec`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.codec import SCHEMA, built, dumps, parsed
from ltc_ir.records.environment import Environment
from ltc_ir.records.sweep import Faster, Growth, ProgramSweep, Sweep, SweepPoint
from ltc_ir.records.timing import Ended, Machine, Settings


def sweep_to_json(sweep: Sweep) -> str:
    """A sweep as JSON text."""
    return dumps(sweep_to_dict(sweep))


def sweep_to_dict(sweep: Sweep) -> dict[str, Any]:
    """A sweep as JSON holds it."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": sweep.kind,
        "target": sweep.target,
        "parameter": sweep.parameter,
        "values": list(sweep.values),
        "confidence": sweep.confidence,
        "environment": asdict(sweep.environment),
        "programs": {name: _program_to_dict(made) for name, made in sweep.programs.items()},
    }
    optional = {
        "machine": None if sweep.machine is None else asdict(sweep.machine),
        "settings": None if sweep.settings is None else asdict(sweep.settings),
        "filters": {key: list(names) for key, names in sweep.filters.items()},
        "unavailable": dict(sweep.unavailable),
        "ended": None if sweep.ended is None else asdict(sweep.ended),
        "notes": list(sweep.notes),
    }
    return data | {key: value for key, value in optional.items() if value}


def _program_to_dict(made: ProgramSweep) -> dict[str, Any]:
    return {
        "points": [_point_to_dict(made, point) for point in made.points],
        "growth": {name: asdict(growth) for name, growth in made.growth.items()},
        "faster": [asdict(one) for one in made.faster],
    }


def _point_to_dict(made: ProgramSweep, point: SweepPoint) -> dict[str, Any]:
    """A point with every metric of its program: ``null`` where it has none, for which there is a reason."""
    return {
        "value": point.value,
        "metrics": {metric.name: point.metrics.get(metric.name) for metric in made.metrics()},
        "spans": {name: list(span) for name, span in point.spans.items()},
        "reasons": dict(point.reasons),
        "runs": dict(point.runs),
        "first_only": sorted(point.first_only),
    }


def loads_sweep(text: str, where: str = "the record") -> Sweep:
    """A sweep from its JSON text.

    Raises:
        UsageError: not JSON, not a sweep of ours, of a newer schema, or broken; the message names ``where``.
    """
    data = parsed(text, where)
    if not isinstance(data, dict) or data.get("kind") != "sweep":
        raise UsageError(f"{where} is no sweep", "write one with count --sweep … --format json")
    if data.get("schema") != SCHEMA:
        raise UsageError(
            f"{where} has schema {data.get('schema')!r}; this ltc-ir reads {SCHEMA}", "upgrade ltc-ir or sweep anew"
        )
    return built(_sweep_from_dict, data, where)


def _sweep_from_dict(data: Mapping[str, Any]) -> Sweep:
    machine, settings, ended = (data.get(key) for key in ("machine", "settings", "ended"))
    return Sweep(
        target=str(data["target"]),
        parameter=str(data["parameter"]),
        values=tuple(data["values"]),
        environment=Environment(**data["environment"]),
        programs={name: _program_from_dict(made) for name, made in data["programs"].items()},
        machine=None if machine is None else Machine(**machine),
        settings=None if settings is None else Settings(**settings),
        confidence=float(data["confidence"]),
        filters={key: tuple(names) for key, names in data.get("filters", {}).items()},
        unavailable=data.get("unavailable", {}),
        ended=None if ended is None else Ended(**ended),
        notes=tuple(data.get("notes", ())),
    )


def _program_from_dict(data: Mapping[str, Any]) -> ProgramSweep:
    return ProgramSweep(
        points=tuple(_point_from_dict(point) for point in data["points"]),
        growth={name: Growth(**growth) for name, growth in data["growth"].items()},
        faster=tuple(Faster(**one) for one in data["faster"]),
    )


def _point_from_dict(data: Mapping[str, Any]) -> SweepPoint:
    return SweepPoint(
        value=int(data["value"]),
        metrics={name: value for name, value in data["metrics"].items() if value is not None},
        spans={name: (low, high) for name, (low, high) in data["spans"].items()},
        reasons=data["reasons"],
        runs=data.get("runs", {}),
        first_only=frozenset(data.get("first_only", ())),
    )
