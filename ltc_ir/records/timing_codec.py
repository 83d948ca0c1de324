"""A Timing to JSON and back, by the conventions of `codec`; what follows from the stages is written, and not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.codec import SCHEMA, built, dumps, parsed
from ltc_ir.records.environment import Environment
from ltc_ir.records.passes_codec import passes_from_dict, passes_to_dict
from ltc_ir.records.timing import (
    MORE_STAGES,
    STAGES,
    Cause,
    Ended,
    Machine,
    Memory,
    Peak,
    ProgramTiming,
    Settings,
    Stage,
    Timing,
)
from ltc_ir.render.words.timing import sentence

_DERIVED = ("break_even_calls", "eager_over_steady")
"""Figures that follow from the stages, and so do the reasons why they are not there."""


def timings_to_json(timings: Sequence[Timing]) -> str:
    """One timing as a record, several as one record that lists them."""
    return dumps(timings_to_dict(timings))


def timings_to_dict(timings: Sequence[Timing]) -> dict[str, Any]:
    """One timing as JSON holds it, several as one record that lists them."""
    made = [timing_to_dict(timing) for timing in timings]
    return made[0] if len(made) == 1 else {"schema": SCHEMA, "kind": "times", "timings": made}


def timing_to_dict(timing: Timing, *, timeline: bool = False) -> dict[str, Any]:
    """A timing as JSON holds it; with ``timeline`` also when each of a compile's events was, as one process tells another."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": timing.kind,
        "target": timing.target,
        "environment": asdict(timing.environment),
        "machine": asdict(timing.machine),
        "settings": asdict(timing.settings),
        "programs": {name: _program_to_dict(made, timeline) for name, made in timing.programs.items()},
    }
    optional = {
        "unavailable": dict(timing.unavailable),
        "ended": None if timing.ended is None else asdict(timing.ended),
        "notes": list(timing.notes),
    }
    return data | {key: value for key, value in optional.items() if value}


def _program_to_dict(made: ProgramTiming, timeline: bool) -> dict[str, Any]:
    reasons = dict(made.reasons)
    derived = {"break_even_calls": made.why_no_break_even, "eager_over_steady": made.why_no_ratio}
    reasons |= {key: why for key, why in derived.items() if why is not None}
    data: dict[str, Any] = {
        "stages": {name: _stage_to_dict(made.stages.get(name)) for name in _named(made)},
        "whole": _stage_to_dict(made.whole),
        "covered": made.covered,
        "break_even_calls": made.break_even_calls,
        "eager_over_steady": made.eager_over_steady,
        "memory": asdict(made.memory),
        "cause": None if made.cause is None else {**asdict(made.cause), "sentence": sentence(made.cause)},
        "reasons": reasons,
    }
    if made.passes is not None:
        data |= passes_to_dict(made.passes, timeline=timeline)
    elif "passes" in reasons:
        data["passes"] = None
    return data


def _named(made: ProgramTiming) -> list[str]:
    return [*STAGES, *(name for name in MORE_STAGES if name in made.stages)]


def _stage_to_dict(stage: Stage | None) -> dict[str, Any] | None:
    return None if stage is None else {**asdict(stage), "first_only": stage.first_only}


def loads_timing(text: str, where: str = "the record") -> Timing:
    """A timing from its JSON text.

    Raises:
        UsageError: not JSON, not a timing of ours, of a newer schema, or broken; the message names ``where``.
    """
    data = parsed(text, where)
    if not isinstance(data, dict) or data.get("kind") != "time":
        raise UsageError(f"{where} is no timing", "write one with time --format json")
    if data.get("schema") != SCHEMA:
        raise UsageError(
            f"{where} has schema {data.get('schema')!r}; this ltc-ir reads {SCHEMA}", "upgrade ltc-ir or time anew"
        )
    return built(timing_from_dict, data, where)


def timing_from_dict(data: Mapping[str, Any]) -> Timing:
    """A timing from what JSON held."""
    ended = data.get("ended")
    return Timing(
        target=str(data["target"]),
        environment=Environment(**data["environment"]),
        machine=Machine(**data["machine"]),
        settings=Settings(**data["settings"]),
        programs={name: _program_from_dict(made) for name, made in data["programs"].items()},
        unavailable=data.get("unavailable", {}),
        ended=None if ended is None else Ended(**ended),
        notes=tuple(data.get("notes", ())),
    )


def _program_from_dict(data: Mapping[str, Any]) -> ProgramTiming:
    cause = data.get("cause")
    return ProgramTiming(
        stages={name: _stage_from_dict(stage) for name, stage in data["stages"].items()},
        whole=_stage_from_dict(data.get("whole")),
        memory=_memory_from_dict(data["memory"]),
        cause=None if cause is None else Cause(**{key: value for key, value in cause.items() if key != "sentence"}),
        passes=passes_from_dict(data),
        reasons={key: why for key, why in data["reasons"].items() if key not in _DERIVED},
    )


def _stage_from_dict(data: Mapping[str, Any] | None) -> Stage | None:
    return None if data is None else Stage(**{key: value for key, value in data.items() if key != "first_only"})


def _memory_from_dict(data: Mapping[str, Any]) -> Memory:
    compiling, running = (None if data[step] is None else Peak(**data[step]) for step in ("compile", "run"))
    return Memory(compiling, running, data["xla"])
