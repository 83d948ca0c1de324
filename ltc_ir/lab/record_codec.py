"""An Experiment to JSON and back, by the conventions of `codec`; a figure that is no number is ``null``, and diverged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.lab.records import Claim, Experiment, Row, Together, worst
from ltc_ir.records.codec import SCHEMA, built, dumps, parsed
from ltc_ir.records.environment import Environment
from ltc_ir.records.timing import Machine


def experiment_to_json(made: Experiment) -> str:
    """An experiment as JSON text."""
    return dumps(experiment_to_dict(made))


def experiments_to_json(made: list[Experiment]) -> str:
    """One experiment as a record, several as one record that lists them."""
    if len(made) == 1:
        return experiment_to_json(made[0])
    return dumps({"schema": SCHEMA, "kind": "experiments", "experiments": [experiment_to_dict(one) for one in made]})


def experiment_to_dict(made: Experiment) -> dict[str, Any]:
    """An experiment as JSON holds it: a row for each metric of a model in a case, and the values of its seeds beside it."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": made.kind,
        "name": made.name,
        "about": made.about,
        "environment": asdict(made.environment),
        "machine": asdict(made.machine),
        "settings": dict(made.settings),
        "seconds": made.seconds,
        "rows": [row_to_dict(row) for row in made.rows],
    }
    optional = {
        "together": [_together_to_dict(one) for one in made.together],
        "claims": [asdict(claim) for claim in made.claims],
        "notes": list(made.notes),
    }
    return data | {key: value for key, value in optional.items() if value}


def _together_to_dict(one: Together) -> dict[str, Any]:
    return asdict(one) | {"distance": _number(one.distance)}


def row_to_dict(row: Row) -> dict[str, Any]:
    """A row with what follows from its values."""
    return {
        "model": row.model,
        "case": row.case,
        "variant": row.variant,
        "metric": row.metric,
        "rollout": row.rollout,
        "selection": row.selection,
        "published": row.published,
        "median": _number(row.median),
        "low": _number(row.low),
        "high": _number(row.high),
        "seeds": row.seeds,
        "inside": row.inside,
        "diverged": row.diverged,
        "values": [_number(value) for value in row.values],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def loads_experiment(text: str, where: str = "the record") -> Experiment:
    """An experiment from its JSON text.

    Raises:
        UsageError: not JSON, no experiment of ours, of a newer schema, or broken; the message names ``where``.
    """
    data = parsed(text, where)
    if not isinstance(data, dict) or data.get("kind") != "experiment":
        raise UsageError(f"{where} is no experiment", "make one with ltc-ir experiment NAME --format json")
    if data.get("schema") != SCHEMA:
        raise UsageError(
            f"{where} has schema {data.get('schema')!r}; this ltc-ir reads {SCHEMA}", "upgrade ltc-ir or run it anew"
        )
    return built(_experiment, data, where)


def _experiment(data: Mapping[str, Any]) -> Experiment:
    return Experiment(
        name=str(data["name"]),
        about=str(data["about"]),
        environment=Environment(**data["environment"]),
        machine=Machine(**data["machine"]),
        settings=data["settings"],
        rows=tuple(_row(row) for row in data["rows"]),
        claims=tuple(Claim(**claim) for claim in data.get("claims", ())),
        seconds=data["seconds"],
        notes=tuple(data.get("notes", ())),
        together=tuple(_together(one) for one in data.get("together", ())),
    )


def _together(data: Mapping[str, Any]) -> Together:
    return Together(**{**data, "distance": math.inf if data["distance"] is None else float(data["distance"])})


def _row(data: Mapping[str, Any]) -> Row:
    """A row; what follows from its values is reckoned again."""
    words = {key: str(data[key]) for key in ("model", "case", "metric", "rollout", "selection", "variant")}
    values = tuple(worst(words["metric"]) if value is None else float(value) for value in data["values"])
    return Row(**words, values=values, published=data["published"])
