"""How often each equation of a program runs: by static trip counts where they suffice, else by a run with counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from ltc_ir import compat
from ltc_ir.escape import capped
from ltc_ir.execution.counter_plan import CounterPlace, Node, Plan, UncountableError, make_plan
from ltc_ir.execution.instrument import FULL, Instrumented, compare_results
from ltc_ir.execution.propagate import DeviceRun, Fold
from ltc_ir.execution.static import with_runs
from ltc_ir.ir.jaxpr import reader as jaxpr_level
from ltc_ir.ir.jaxpr.phases import transferred_flags
from ltc_ir.ir.op import Details
from ltc_ir.ir.origin import Ownership
from ltc_ir.records.count import MEASURED, STATIC, Executed, RanRegion, Tally, Work
from ltc_ir.records.figures import Value
from ltc_ir.records.op_table import Table, Weights, narrowed
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import Level
from ltc_ir.tables.compiled_hlo import xla_figures
from ltc_ir.tables.live import Reading
from ltc_ir.targets.example_values import NeedsValuesError, leaves_of, parse_filling
from ltc_ir.targets.stages import Staged, platform_here, users_failure, wait_until_ready


def with_executed(reading: Reading, staged: Staged, request: Request, ownership: Ownership) -> Table:
    """The table of a level with how often its operations run; ``None`` with the reason where that cannot be known."""
    table = reading.table
    if table.level != Level.JAXPR:
        return with_runs(table, reading.module, reading.stream)
    try:
        rows, run = _count_runs(staged, request, ownership)
    except UncountableError as error:
        return replace(table, reasons={**table.reasons, "executed": str(error)})
    return replace(table, executed=rows, run=run)


@dataclass(frozen=True)
class Counted:
    """The runs of a program on each device; ``run`` and ``counts`` are those of a measurement, if one was needed."""

    planned: Plan
    fold: Fold
    reader: jaxpr_level.Reader
    device_runs: list[DeviceRun]
    counts: Sequence[np.ndarray[Any, Any]] = ()
    run: _Run | None = None

    @property
    def busiest(self) -> DeviceRun:
        """The runs on the device that ran most."""
        return max(self.device_runs, key=lambda device_run: device_run.total)

    @property
    def how(self) -> str:
        """Whether the runs follow from static trip counts or were measured."""
        return STATIC if self.run is None else MEASURED


def count_on_devices(staged: Staged, request: Request, ownership: Ownership) -> Counted:
    """How often the parts of a program run, if necessary by running it.

    Raises:
        UncountableError: the runs cannot be counted.
    """
    closed = compat.without_dead_code(staged.traced.jaxpr)
    corrections = transferred_flags(staged.traced.jaxpr, closed, staged.program.gradient)
    reader = jaxpr_level.Reader(request.wants, ownership, request.library, Details.NONE, correct=lambda _: corrections)
    stream = reader.read_program(closed)
    platform = staged.platform or platform_here()
    planned = make_plan(closed, reader.types, platform)
    fold = Fold(stream, reader, planned, platform)
    if sum(planned.sizes) == 0:
        return Counted(planned, fold, reader, [fold.count_runs(lambda _: 0)])
    counts, run = _measure(staged, planned, request)
    devices = max(planned.devices)
    device_runs = [fold.count_runs(_counter_reader(counts, device)) for device in range(devices)]
    return Counted(planned, fold, reader, device_runs, counts, run)


def _count_runs(staged: Staged, request: Request, ownership: Ownership) -> tuple[Weights, Executed]:
    """How often each row ran on the device that ran most, and the record of the run."""
    counted = count_on_devices(staged, request, ownership)
    busiest, run = counted.busiest, counted.run
    if run is None:
        return busiest.rows, _record_run(request, counted.device_runs, STATIC, (), busiest.work(None, None))
    work = busiest.work(run.figures["flops"], run.figures["bytes_accessed"])
    regions = measured_regions(counted.planned, counted.fold, counted.counts)
    record = _record_run(request, counted.device_runs, MEASURED, regions, work)
    notes = run.notes
    return busiest.rows, replace(
        record, identical=run.identical, difference=run.difference, filled=run.filled, notes=notes
    )


def _counter_reader(counts: Sequence[np.ndarray[Any, Any]], device: int) -> Callable[[CounterPlace], int]:
    """Reads the counters of one device; the program's own counters are the same on all."""

    def read(at: CounterPlace) -> int:
        values = counts[at.space]
        return int(values[at.position] if at.space == 0 else values[device % len(values), at.position])

    return read


def _record_run(
    request: Request, device_runs: list[DeviceRun], how: str, regions: tuple[RanRegion, ...], work: Work
) -> Executed:
    """The record of a run without its rows, by the device that ran most."""
    busiest = max(device_runs, key=lambda device_run: device_run.total)
    totals = sorted(sum(narrowed(device_run.rows, request.ops, request.phases).values()) for device_run in device_runs)
    return Executed(
        tally=Tally(),
        how=how,
        regions=regions,
        uncounted=busiest.uncounted,
        calls=dict(sorted(busiest.calls.items(), key=lambda item: (-item[1], item[0]))),
        work=work,
        devices={"least": totals[0], "most": totals[-1]} if len(device_runs) > 1 else None,
    )


@dataclass(frozen=True)
class _Run:
    """The outcome of the two runs, the plain and the counted one."""

    identical: bool
    difference: float | None
    notes: tuple[str, ...]
    figures: dict[str, Value]
    filled: str | None


def _measure(staged: Staged, planned: Plan, request: Request) -> tuple[list[np.ndarray[Any, Any]], _Run]:
    """Run the program plainly and counted on the same values.

    Raises:
        UncountableError: there are no values, or the program cannot run here, or with counters.
    """
    current = platform_here()
    if staged.platform not in (None, current):
        raise UncountableError(f"measuring needs a run, and this machine runs {current}, not {staged.platform}")
    try:
        leaves, filled = leaves_of(staged, parse_filling(request.fill))
    except NeedsValuesError as error:
        raise UncountableError(str(error)) from error
    plain = staged.compiled
    with users_failure(staged.label, "run"):
        args, kwargs = jax.tree.unflatten(plain.in_tree, leaves())
        expected = jax.tree.leaves(plain(*args, **kwargs))
        wait_until_ready(expected)
    try:
        with compat.no_persistent_cache():
            results, counts = jax.jit(Instrumented(planned))(*leaves())
        wait_until_ready((results, counts))
    except Exception as error:
        summary = (capped(str(error).strip()) or type(error).__name__).splitlines()[0]
        raise UncountableError(f"the program does not run with counters: {type(error).__name__}: {summary}") from error
    arrays = [np.asarray(count) for count in counts]
    if any((array == FULL).any() for array in arrays):
        raise UncountableError(f"a loop ran {FULL:,} times or more, which is more than a counter holds")
    identical, difference, notes = compare_results(expected, results)
    figures, reasons = xla_figures(plain)
    notes += tuple(f"no {name} of XLA's: {reasons[key]}" for key, name in _OF_XLA.items() if key in reasons)
    return arrays, _Run(identical, difference, notes, figures, filled)


_OF_XLA = {"flops": "flops", "bytes_accessed": "bytes"}


def measured_regions(planned: Plan, fold: Fold, counts: Sequence[np.ndarray[Any, Any]]) -> tuple[RanRegion, ...]:
    """The loops, branches and choices that were measured, those of one place and phase as one; most frequent first."""
    devices = max(planned.devices)
    reads = [_counter_reader(counts, device) for device in range(devices)]
    rows: dict[tuple[str, str | None, str, str], Counter[str]] = {}
    for node in planned.main.nodes():
        for kind, at, origin, entered_of in _counters_of(node, fold):
            source = origin.source.place if origin.source else None
            key = (kind, source, origin.phase.value, origin.region)
            row = rows.setdefault(key, Counter())
            each = [read(at) for read in reads]
            entered = max(entered_of(read) for read in reads)
            row.update(entered=entered, iterations=max(each), least=min(each), places=1)
            row["spaced"] |= int(at.space > 0)
    regions = [_region(key, row) for key, row in rows.items()]
    regions.sort(key=lambda region: (-region.iterations, region.kind, region.source or "", region.phase, region.region))
    return tuple(regions)


def _region(key: tuple[str, str | None, str, str], row: Counter[str]) -> RanRegion:
    least, most = (row["least"], row["iterations"]) if row["spaced"] else (None, None)
    return RanRegion(*key, row["entered"], row["iterations"], least, most, row["places"])


Entered = Callable[[Callable[[CounterPlace], int]], int]


def _counters_of(node: Node, fold: Fold) -> list[tuple[str, CounterPlace, Any, Entered]]:
    """The counters of a node: its own, where it is a body or a branch, and those of the choices in it."""
    rows: list[tuple[str, CounterPlace, Any, Entered]] = []
    if node.counter is not None and node.parent is not None:
        kind = "while" if node.kind == "while.body" else f"cond.{node.label}"
        parent = node.parent
        rows.append((kind, node.counter, fold.origin_of_eqn(node), lambda read: fold.times(parent, read)))
    for variable, choice in node.choices.items():
        made_by = next((eqn.primitive.name for eqn in node.jaxpr.eqns if variable in eqn.outvars), "argument")
        origin = fold.origin_of(choice.node, choice.eqn)._replace(region=fold.region(node))
        rows.append((f"select {made_by}", choice.counter, origin, lambda read: fold.times(node, read)))
    return rows
