"""Multiplies a plan's runs out over a jaxpr: how often each operation ran, with its origin."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from ltc_ir import compat
from ltc_ir.execution.counter_plan import CounterPlace, Node, Plan
from ltc_ir.execution.flops import KINDS, Amounts, of_equation
from ltc_ir.execution.trip_counts import Run, runs
from ltc_ir.ir.jaxpr.reader import Reader, region_of
from ltc_ir.ir.op import Edge, Origin, Stream
from ltc_ir.records.count import Uncounted, Work
from ltc_ir.records.op_table import Row
from ltc_ir.tables.unfold import Instance, Unfolding, bodies_in_order

Read = Callable[[CounterPlace], int]
"""Reads a counter."""
Unknown = tuple[str, str | None, str, str]
"""The name, source and phase of what runs operations that cannot be counted, and the reason."""


class DeviceRun:
    """The operations that ran in one run of a program, on one device.

    ``bodies`` tells how often each jaxpr ran, ``unknown_bodies`` which run uncounted, each with the reason.
    """

    def __init__(self) -> None:
        self.rows: Counter[Row] = Counter()
        self.calls: Counter[str] = Counter()
        self.amounts = Amounts()
        self.unknown: dict[Unknown, Counter[str]] = defaultdict(Counter)
        self.bodies: Counter[int] = Counter()
        self.unknown_bodies: dict[int, str] = {}

    @property
    def total(self) -> int:
        """All operations that ran."""
        return sum(self.rows.values())

    @property
    def uncounted(self) -> tuple[Uncounted, ...]:
        """The operations that cannot be counted, the most first."""
        uncounted = [
            Uncounted(what, source, phase, why, dict(ops)) for (what, source, phase, why), ops in self.unknown.items()
        ]
        return tuple(
            sorted(uncounted, key=lambda part: (-sum(part.ops.values()), part.what, part.source or "", part.phase))
        )

    def work(self, xla_flops: float | None, xla_bytes: float | None) -> Work:
        """The arithmetic of the operations that ran, with XLA's estimates."""
        amounts = self.amounts.by_kind
        flops = {kind: amounts[kind] for kind in KINDS if amounts[kind]}
        left_out = sorted((+self.amounts.left_out).items(), key=lambda item: (-item[1], item[0]))
        return Work(flops, amounts["transcendentals"], amounts["bytes"], xla_flops, xla_bytes, dict(left_out))


class Fold:
    """Multiplies the counters of each device out over a program."""

    def __init__(self, stream: Stream, reader: Reader, planned: Plan, platform: str) -> None:
        self.stream = stream
        self.index = reader.index
        self.jaxprs = reader.alive
        self.types = reader.types
        self.platform = platform
        self.plan = planned
        self.unfolding = Unfolding(stream)
        self.outers: dict[Node, int] = {}
        self.amounts: dict[int, Amounts] = {}
        self.edges: dict[int, list[list[tuple[Edge, Run]]]] = {}
        self.totals: dict[int, Counter[str]] = {}
        self.order = bodies_in_order(stream)

    def body(self, holder: Any) -> int:
        """The index of a jaxpr's body."""
        return self.index[id(compat.open_jaxpr(holder))]

    def outer(self, node: Node) -> int:
        """The number of the origin a node's operations inherit."""
        number = self.outers.get(node)
        if number is None:
            number = 0
            if node.parent is not None:
                code = self.stream.bodies[self.body(node.parent.holder)].codes[node.position]
                edge = Edge(code, self.body(node.holder), region_of(node.eqn, node.label))
                number = self.unfolding.inner(edge, self.outer(node.parent))[1]
            self.outers[node] = number
        return number

    def region(self, node: Node) -> str:
        """The path of a node's region."""
        return self.unfolding.origins[self.outer(node)].region

    def origin_of_eqn(self, node: Node) -> Origin:
        """The origin of the equation that runs a node."""
        assert node.parent is not None
        code = self.stream.bodies[self.body(node.parent.holder)].codes[node.position]
        return self.unfolding.op(code, self.outer(node.parent)).origin

    def origin_of(self, node: Node, eqn: Any) -> Origin:
        """The origin of an equation of a node's jaxpr."""
        position = next(number for number, other in enumerate(node.jaxpr.eqns) if other is eqn)
        code = self.stream.bodies[self.body(node.holder)].codes[position]
        return self.unfolding.op(code, self.outer(node)).origin

    def times(self, node: Node, read: Read) -> int:
        """How often a node ran."""
        if node.counter is not None:
            return read(node.counter)
        if node.parent is None:
            return 1
        entered = self.times(node.parent, read)
        if node.kind == "while.cond":
            return entered + self.times(node.parent.inner[node.position][1], read)
        return entered * node.times

    def inner_runs(self, index: int) -> list[list[tuple[Edge, Run]]]:
        """The jaxprs in each equation of a body."""
        edges = self.edges.get(index)
        if edges is None:
            edges = []
            for code, eqn in zip(self.stream.bodies[index].codes, self.jaxprs[index].eqns, strict=True):
                inside = runs(eqn, self.types, self.platform)
                edges.append([(Edge(code, self.body(run.jaxpr), region_of(eqn, run.label)), run) for run in inside])
            self.edges[index] = edges
        return edges

    def amount(self, index: int) -> Amounts:
        """The amounts of one run of a body's own equations; an equation that holds jaxprs is counted by those."""
        amounts = self.amounts.get(index)
        if amounts is None:
            amounts = self.amounts[index] = Amounts()
            used = _used_variables(self.jaxprs[index])
            for eqn, inside in zip(self.jaxprs[index].eqns, self.inner_runs(index), strict=True):
                if not inside or all(run.reason for _, run in inside):
                    amounts.add(of_equation(eqn, used))
        return amounts

    def count_runs(self, read: Read) -> DeviceRun:
        """The operations that ran, by the counters."""
        device_run = DeviceRun()
        pending: dict[int, Counter[int]] = defaultdict(Counter)
        for node in self.plan.main.nodes():
            times = self.times(node, read)
            self.add_body(device_run, (self.body(node.holder), self.outer(node)), times, pending, node)
        for index in self.order:
            for outer, times in pending.pop(index, {}).items():
                self.add_body(device_run, (index, outer), times, pending)
        device_run.rows = +device_run.rows
        return device_run

    def add_body(
        self,
        device_run: DeviceRun,
        instance: Instance,
        times: int,
        pending: dict[int, Counter[int]],
        node: Node | None = None,
    ) -> None:
        """Add a body that ran so often, and note what it runs in turn."""
        index, outer = instance
        planned = node.inner if node is not None else {}
        for code, number in self.unfolding.tally(index).items():
            device_run.rows[self.unfolding.row(code, outer)] += number * times
        device_run.amounts.add(self.amount(index), times)
        device_run.bodies[index] += times
        for position, inside in enumerate(self.inner_runs(index)):
            for edge, run in inside:
                if edge.region.startswith("jit:"):
                    device_run.calls[edge.region.removeprefix("jit:")] += times
                if position in planned:
                    continue
                if run.times is not None:
                    if run.times:
                        pending[edge.child][self.unfolding.inner(edge, outer)[1]] += times * run.times
                    continue
                self.add_unknown(
                    device_run, edge, outer, run.reason or (node.refused.get(position, "") if node else "")
                )
            if position not in planned and any(run.times is None and not run.reason for _, run in inside):
                device_run.amounts.left_out[self.jaxprs[index].eqns[position].primitive.name] += times

    def add_unknown(self, device_run: DeviceRun, edge: Edge, outer: int, reason: str) -> None:
        """Record operations in a body that cannot be counted."""
        op = self.unfolding.op(edge.code, outer)
        source = op.origin.source.place if op.origin.source else None
        key = (op.name, source, op.origin.phase.value, reason or "it was not followed")
        device_run.unknown[key].update(self.total(edge.child))
        device_run.unknown_bodies.setdefault(edge.child, key[-1])

    def total(self, index: int) -> Counter[str]:
        """The operations in a body and all it holds, each counted once."""
        total = self.totals.get(index)
        if total is None:
            total = Counter({self.stream.ops[code].name: 0 for code in self.stream.bodies[index].codes})
            for code in self.stream.bodies[index].codes:
                total[self.stream.ops[code].name] += 1
            for inside in self.inner_runs(index):
                for edge, _ in inside:
                    total.update(self.total(edge.child))
            self.totals[index] = total
        return total


def _used_variables(jaxpr: Any) -> set[int]:
    """The identities of the variables that equations of a jaxpr take, or that it returns."""
    return {id(variable) for eqn in jaxpr.eqns for variable in eqn.invars} | set(map(id, jaxpr.outvars))
