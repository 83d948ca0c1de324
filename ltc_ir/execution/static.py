"""How often the operations of lowered and of compiled programs run, by the trip counts that their texts fix."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ltc_ir.execution.trip_counts import APPLIED, UNKNOWN_LOOP, FunctionRuns, Runs, of_module
from ltc_ir.ir.op import Edge, Op, Stream, callers_first
from ltc_ir.records.count import STATIC, Executed, Tally, Uncounted
from ltc_ir.records.op_table import Row, Table
from ltc_ir.records.vocabulary import NO_SOURCE, Level
from ltc_ir.tables.unfold import Instance, RecursiveCallsError, Unfolding, bodies_in_order, place_of

if TYPE_CHECKING:
    from ltc_ir.ir.hlo.parser import HloModule, Instruction


class UnknownRunsError(Exception):
    """The text does not determine how often an operation runs; the message names the loop or the branch, and its line."""


_APPLIED_REASON = "how often it applies its function is the compiler's choice"
Unknown = dict[tuple[str, str | None, str], Counter[str]]


def with_runs(table: Table, module: Any, stream: Stream) -> Table:
    """The table of a module with how often its operations run; ``None`` with the reason where its text does not tell."""
    count = _runs_of_stablehlo if table.level == Level.STABLEHLO else _runs_of_hlo
    try:
        rows, unknown = count(module, stream)
    except (UnknownRunsError, RecursiveCallsError) as error:
        return replace(table, reasons={**table.reasons, "executed": str(error)})
    uncounted = [Uncounted(*key, _APPLIED_REASON, dict(ops)) for key, ops in unknown.items()]
    uncounted.sort(key=lambda part: (-sum(part.ops.values()), part.what, part.source or "", part.phase))
    return replace(table, executed=+rows, run=Executed(Tally(), STATIC, uncounted=tuple(uncounted)))


def _runs_of_stablehlo(module: Any, stream: Stream) -> tuple[Counter[Row], Unknown]:
    """How often the operations of a module run.

    Raises:
        UnknownRunsError: a loop that is reached has no known trip count, or a branch depends on values.
        RecursiveCallsError: a function calls itself.
    """
    if stream.facts["applied"]:
        raise UnknownRunsError("a custom call applies a function as often as it chooses")
    functions: dict[str, int] = stream.facts["functions"]
    runs_by_name = of_module(module)
    by_index = {index: runs_by_name.get(name, FunctionRuns([], {})) for name, index in functions.items()}
    folding = _Folding(Unfolding(stream))
    pending: dict[int, Counter[int]] = defaultdict(Counter)
    for root in stream.roots:
        pending[root][0] += 1
    for index in bodies_in_order(stream):
        for outer, times in pending.pop(index, {}).items():
            if times:
                folding.add(by_index[index], (index, outer), times)
                for edge, number in _calls(by_index[index], index, functions, stream):
                    pending[edge.child][folding.unfolding.inner(edge, outer)[1]] += number * times
    return folding.rows, folding.unknown


def _calls(function: FunctionRuns, index: int, functions: dict[str, int], stream: Stream) -> list[tuple[Edge, int]]:
    """The calls a function makes whose number is known."""
    codes = stream.bodies[index].codes
    counted = [(position, callee) for position, callee in function.calls.items() if function.runs[position].times]
    return [(Edge(codes[at], functions[callee]), function.runs[at].times or 0) for at, callee in counted]


class _Folding:
    """The operations that ran, and those that the backend applies as often as it chooses."""

    def __init__(self, unfolding: Unfolding) -> None:
        self.unfolding = unfolding
        self.rows: Counter[Row] = Counter()
        self.unknown: Unknown = defaultdict(Counter)

    def add(self, function: FunctionRuns, instance: Instance, times: int) -> None:
        """Add a function's own operations, called so often."""
        index, outer = instance
        codes = self.unfolding.stream.bodies[index].codes
        for (code, runs), number in Counter(zip(codes, function.runs, strict=True)).items():
            if runs.times is not None:
                self.rows[self.unfolding.row(code, outer)] += number * times * runs.times
                continue
            holder = self.unfolding.op(codes[runs.at], outer)
            if runs.why != APPLIED:
                raise UnknownRunsError(_reason(holder, runs))
            source = holder.origin.source.place if holder.origin.source else None
            self.unknown[holder.name, source, holder.origin.phase.value][self.unfolding.stream.ops[code].name] += number


def _reason(holder: Op, runs: Runs) -> str:
    """Why the runs are unknown, with the loop or the branch and its line."""
    _, source = place_of(holder.origin)
    where = "" if source == NO_SOURCE else f" at {source}"
    if runs.why == UNKNOWN_LOOP:
        return f"the trip count of the {holder.name}{where} ({holder.origin.phase.value}) is not fixed in the text"
    return f"which branch of the {holder.name}{where} ({holder.origin.phase.value}) runs depends on values"


_ONCE = frozenset({"fusion", "call", "async-start"})
"""Instructions that run what they call once."""


def _runs_of_hlo(module: HloModule, stream: Stream) -> tuple[Counter[Row], Unknown]:
    """How often the instructions of a module run: each computation by how often it is called.

    Raises:
        UnknownRunsError: a loop that is reached has no known trip count, or a branch depends on values.
    """
    index = {computation.name: number for number, computation in enumerate(module.computations)}
    times: Counter[str] = Counter(computation.name for computation in module.computations if computation.is_entry)
    unknown: Unknown = defaultdict(Counter)
    rows: Counter[Row] = Counter()
    unfolding = Unfolding(stream)
    for name in callers_first(_calls_of(module)):
        number = index[name]
        codes = stream.bodies[number].codes
        if not times[name]:
            continue
        for code, occurrences in Counter(codes).items():
            rows[unfolding.row(code, 0)] += occurrences * times[name]
        for code, instruction in zip(codes, module.computations[number].instructions, strict=True):
            for role, callee in instruction.called:
                if callee in index:
                    runs = _hlo_runs(instruction, role, stream.ops[code])
                    if runs is None:
                        _note(unknown, stream, code, index[callee])
                    else:
                        times[callee] += times[name] * runs
    return rows, unknown


def _hlo_runs(instruction: Instruction, role: str, holder: Op) -> int | None:
    """How often an instruction runs a computation it names; ``None`` where the compiler chooses."""
    if instruction.opcode == "while":
        if instruction.trip_count is None:
            raise UnknownRunsError(_reason(holder, Runs(None, UNKNOWN_LOOP)))
        return instruction.trip_count + (role == "condition")
    if instruction.opcode == "conditional":
        raise UnknownRunsError(_reason(holder, Runs(None, "branch")))
    return 1 if instruction.opcode in _ONCE else None


def _note(unknown: Unknown, stream: Stream, code: int, callee: int) -> None:
    holder = stream.ops[code]
    source = holder.origin.source.place if holder.origin.source else None
    applied = unknown[holder.name, source, holder.origin.phase.value]
    applied.update(stream.ops[inner].name for inner in stream.bodies[callee].codes)


def _calls_of(module: HloModule) -> dict[str, set[str]]:
    """The computations that each one calls; a damaged text may name undefined ones."""
    names = {computation.name for computation in module.computations}
    return {
        computation.name: {callee for instruction in computation.instructions for _, callee in instruction.called}
        & names
        for computation in module.computations
    }
