"""A Check and an Update to JSON, and a Check back; what follows from a field is written for scripts, and not read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.check import Check, CheckChange, Problem, ProgramCheck, Status, Update, Written
from ltc_ir.records.codec import SCHEMA, built, parsed


def check_to_dict(check: Check) -> dict[str, Any]:
    """A check as JSON holds it."""
    return {
        "schema": SCHEMA,
        "kind": check.kind,
        "checks": [_program_to_dict(one, check.strict) for one in check.checks],
        "problems": [vars(problem).copy() for problem in check.problems],
        "unchecked": dict(check.unchecked),
        "strict": check.strict,
        "exit_code": check.exit_code,
    }


def _program_to_dict(one: ProgramCheck, strict: bool = False) -> dict[str, Any]:
    return {
        "target": one.target,
        "program": one.program,
        "status": one.status.value,
        "changes": [_change_to_dict(change) for change in one.changes],
        "totals": {level: {"baseline": sides[0], "current": sides[1]} for level, sides in one.totals.items()},
        "file": one.file,
        "reason": one.reason,
        "accept": one.accept,
        "notes": list(one.notes),
        "code": one.code,
        "exit_code": one.exit_code(strict),
    }


def _change_to_dict(change: CheckChange) -> dict[str, Any]:
    return {**vars(change), "sources": list(change.sources), "change": change.change, "fails": change.fails}


def update_to_dict(update: Update) -> dict[str, Any]:
    """An update as JSON holds it."""
    return {
        "schema": SCHEMA,
        "kind": update.kind,
        "written": [_written_to_dict(one) for one in update.written],
        "unavailable": dict(update.unavailable),
        "exit_code": update.exit_code,
    }


def _written_to_dict(one: Written) -> dict[str, Any]:
    return {
        "target": one.target,
        "program": one.program,
        "action": one.action.value,
        "file": one.file,
        "check": None if one.check is None else _program_to_dict(one.check),
        "unstable": list(one.unstable),
        "reason": one.reason,
        "code": one.code,
        "exit_code": one.exit_code,
    }


def loads_check(text: str, where: str = "the record") -> Check:
    """A check from its JSON text.

    Raises:
        UsageError: not JSON, no check of ours, of a newer schema, or broken; the message names ``where``.
    """
    data = parsed(text, where)
    if not isinstance(data, dict) or data.get("kind") != "check":
        raise UsageError(f"{where} is JSON but no check record", "write one with snapshot check --format json")
    if data.get("schema") != SCHEMA:
        raise UsageError(
            f"{where} has schema {data.get('schema')!r}; this ltc-ir reads {SCHEMA}", "write the record anew"
        )
    return built(_check_from_dict, data, where)


def _check_from_dict(data: Mapping[str, Any]) -> Check:
    return Check(
        checks=tuple(_program_from_dict(one) for one in data["checks"]),
        problems=tuple(
            Problem(str(one["message"]), str(one["hint"]), int(one["code"])) for one in data.get("problems", ())
        ),
        unchecked=dict(data.get("unchecked", {})),
        strict=bool(data.get("strict", False)),
    )


def _program_from_dict(data: Mapping[str, Any]) -> ProgramCheck:
    return ProgramCheck(
        target=str(data["target"]),
        program=str(data["program"]),
        status=Status(data["status"]),
        changes=tuple(_change_from_dict(change) for change in data["changes"]),
        totals={level: (sides["baseline"], sides["current"]) for level, sides in data.get("totals", {}).items()},
        notes=tuple(data.get("notes", ())),
        **{name: data.get(name) for name in ("file", "reason", "accept", "code")},
    )


def _change_from_dict(data: Mapping[str, Any]) -> CheckChange:
    return CheckChange(
        metric=str(data["metric"]),
        level=str(data["level"]),
        baseline=data["baseline"],
        current=data["current"],
        sources=tuple(data.get("sources", ())),
        **{name: data.get(name) for name in ("phase", "function", "rule", "where", "waived")},
    )
