"""How often each operation of a StableHLO function runs in one call of it, in the order in which the reader has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ltc_ir.ir.stablehlo.facts import trip_count

UNKNOWN_LOOP, UNKNOWN_BRANCH, APPLIED = "loop", "branch", "applied"
"""Why a number of runs is not known: no trip count, a branch that values choose, a function the backend applies as it likes."""


class Runs(NamedTuple):
    """How often an operation runs in one call of its function; where that is not known, what for, and at which position."""

    times: int | None = 1
    why: str = ""
    at: int = 0


class FunctionRuns(NamedTuple):
    """One function: the runs of each of its operations (its own ``func.func`` first), and its calls by position."""

    runs: list[Runs]
    calls: dict[int, str]


_ONCE = frozenset({"func.func", "builtin.module", "sdy.manual_computation", "sdy.named_computation"})
_CHOOSING = frozenset({"stablehlo.case", "stablehlo.if"})
_CALLEES = {"func.call": "callee", "stablehlo.composite": "decomposition"}


def of_module(module: Any) -> dict[str, FunctionRuns]:
    """The functions of a module by name; what stands in the module itself goes by the name of nothing."""
    found: dict[str, FunctionRuns] = {"": FunctionRuns([Runs()], {})}
    pending: list[tuple[Iterator[Any], str, Runs]] = [
        (iter(block.operations), "", Runs()) for region in module.operation.regions for block in region.blocks
    ][::-1]
    while pending:
        operations, function, runs = pending[-1]
        view = next(operations, None)
        if view is None:
            pending.pop()
            continue
        operation = view.operation
        name = operation.name
        if name == "func.func":
            function, runs = operation.attributes["sym_name"].value, Runs()
        made = found.setdefault(function, FunctionRuns([], {}))
        position = len(made.runs)
        made.runs.append(runs)
        if name in _CALLEES:
            made.calls[position] = operation.attributes[_CALLEES[name]].value
        if len(operation.regions):
            inner = [
                (iter(block.operations), function, inside)
                for region, inside in zip(operation.regions, _inside(operation, runs, position), strict=True)
                for block in region.blocks
            ]
            pending += inner[::-1]
    return found


def _inside(operation: Any, runs: Runs, position: int) -> list[Runs]:
    """How often the operations of each region run."""
    name, number = operation.name, len(operation.regions)
    if not runs.times or name in _ONCE:
        return [runs] * number
    if name == "stablehlo.while":
        trips = trip_count(operation)
        if trips is None:
            return [Runs(None, UNKNOWN_LOOP, position)] * number
        return [Runs(runs.times * (trips + 1)), Runs(runs.times * trips)]
    if name in _CHOOSING:
        return [runs] if number == 1 else [Runs(None, UNKNOWN_BRANCH, position)] * number
    return [Runs(None, APPLIED, position)] * number
