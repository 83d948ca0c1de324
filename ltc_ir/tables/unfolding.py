"""Multiplies a stream out over its call graph: each body once per distinct caller's origin, with exact multiplicities."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from ltc_ir.errors import LimitError
from ltc_ir.ir.op import NOWHERE, Edge, Op, Origin, Stream, callers_first

MOST_INSTANCES = 2_000_000
"""Distinct call paths, times what each holds (edges, frames, operations read again), before an unfolding is refused."""

Instance = tuple[int, int]
"""A body as one caller's origin makes it: the index of the body, and the number of the origin its operations inherit."""


class RecursiveCallsError(ValueError):
    """A function calls itself, directly or through others: how often its operations run has no answer."""


@dataclass
class Unfolded:
    """What a stream amounts to.

    ``module`` counts each operation once as it stands; ``expanded`` once per call path; ``reached`` tells, for each body,
    under which origins it runs and how often.
    """

    module: Counter[Op] = field(default_factory=Counter)
    expanded: Counter[Op] = field(default_factory=Counter)
    reached: dict[int, list[tuple[Origin, int]]] = field(default_factory=dict)
    max_depth: int = 0

    def contexts(self, index: int) -> list[tuple[Origin, int]]:
        """The origins a body runs under, each with how often."""
        return self.reached.get(index, [])

    def times(self, index: int) -> int:
        """How often a body runs, over all its callers."""
        return sum(times for _, times in self.contexts(index))


class Unfolding:
    """One unfolding of a stream; compositions of origins are made once each."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.tallies: dict[int, Counter[int]] = {}
        self.origins: list[Origin] = [NOWHERE]
        self.numbers: dict[Origin, int] = {NOWHERE: 0}

    def number(self, origin: Origin) -> int:
        """The number an origin goes by: comparing numbers is cheap, comparing whole stacks is not."""
        known = self.numbers.get(origin)
        if known is None:
            known = self.numbers[origin] = len(self.origins)
            self.origins.append(origin)
        return known

    def op(self, code: int, outer: int) -> Op:
        """The operation a code stands for, seen from outside its body."""
        local = self.stream.ops[code]
        return local if outer == 0 else local._replace(origin=local.origin.within(self.origins[outer]))

    def tally(self, index: int) -> Counter[int]:
        """How often each code stands in a body."""
        known = self.tallies.get(index)
        if known is None:
            known = self.tallies[index] = self.stream.bodies[index].tally()
        return known

    def inner(self, edge: Edge, outer: int) -> Instance:
        """The instance an edge leads to."""
        origin = self.op(edge.code, outer).origin
        region = origin.region + edge.region if edge.region.startswith("/") else edge.region
        return edge.child, self.number(origin._replace(marked=True, region=region))

    def edges(self, instance: Instance) -> Iterator[tuple[Instance, int]]:
        """The instances one runs, each with how often."""
        index, outer = instance
        for edge, times in self.stream.bodies[index].edges.items():
            yield self.inner(edge, outer), times

    def instances(self) -> tuple[dict[Instance, int], int]:
        """How often each instance runs, and the greatest depth: Kahn's order, so no depth meets a recursion limit."""
        targets = self._graph()
        times: dict[Instance, int] = defaultdict(int)
        depth: dict[Instance, int] = defaultdict(int)
        for root in self.stream.roots:
            times[root, 0] += 1
        for instance in callers_first(targets):
            for child, number in targets[instance].items():
                times[child] += number * times[instance]
                depth[child] = max(depth[child], depth[instance] + 1)
        return dict(times), max(depth.values(), default=0)

    def _graph(self) -> dict[Instance, Counter[Instance]]:
        targets: dict[Instance, Counter[Instance]] = {}
        pending: list[Instance] = [(root, 0) for root in self.stream.roots]
        weight = 0
        seen: set[int] = set()
        while pending:
            instance = pending.pop()
            if instance in targets:
                continue
            found: Counter[Instance] = Counter()
            for child, number in self.edges(instance):
                found[child] += number
            targets[instance] = found
            pending += found
            weight += self._weight(instance, found, again=instance[0] in seen)
            seen.add(instance[0])
            if weight > MOST_INSTANCES:
                raise LimitError(
                    f"too many distinct call paths: {len(targets):,} and more",
                    "group by op, phase or source: they stay apart however often a function is called",
                )
        return targets

    def _weight(self, instance: Instance, found: Counter[Instance], *, again: bool) -> int:
        """What an instance costs; a program's own size is no reason to refuse it, so its bodies are free the first time."""
        index, outer = instance
        return 1 + len(found) + len(self.origins[outer].stack) + (len(self.tally(index)) if again else 0)


def bodies_in_order(stream: Stream) -> list[int]:
    """The bodies of a stream, each after all that run it.

    Raises:
        RecursiveCallsError: bodies run each other in a circle.
    """
    order = callers_first({index: {edge.child for edge in body.edges} for index, body in enumerate(stream.bodies)})
    if len(order) < len(stream.bodies):
        raise RecursiveCallsError("a function calls itself")
    return order


def unfold(stream: Stream, *, module: bool = True) -> Unfolded:
    """Multiply a stream out.

    Raises:
        RecursiveCallsError: the call graph has a cycle.
        LimitError: the grouping asked for tells too many call paths apart.
    """
    bodies_in_order(stream)  # refuses a circle before an origin that grows on every round is multiplied out
    unfolding = Unfolding(stream)
    instances, depth = unfolding.instances()
    result = Unfolded(max_depth=depth)
    outers: dict[int, list[int]] = defaultdict(list)
    for (index, outer), times in instances.items():
        outers[index].append(outer)
        result.reached.setdefault(index, []).append((unfolding.origins[outer], times))
        for code, number in unfolding.tally(index).items():
            result.expanded[unfolding.op(code, outer)] += number * times
    if module:
        for index in range(len(stream.bodies)):
            _add_module(result.module, unfolding, index, outers[index])
    return result


def flat(stream: Stream) -> Unfolded:
    """Each operation once as it stands, with its own origin only: for IR whose names are absolute, or that recurses."""
    result = Unfolded(reached={index: [(NOWHERE, 1)] for index in range(len(stream.bodies))})
    for body in stream.bodies:
        for code, number in body.tally().items():
            result.module[stream.ops[code]] += number
    return result


def _add_module(counts: Counter[Op], unfolding: Unfolding, index: int, outers: list[int]) -> None:
    """Add a body as it stands once: where its callers disagree on a field, the field says shared or stays empty."""
    for code, number in unfolding.tally(index).items():
        seen = [unfolding.op(code, outer) for outer in outers] or [unfolding.stream.ops[code]]
        counts[seen[0] if len(seen) == 1 else merged(seen)] += number


def merged(seen: list[Op]) -> Op:
    """One operation that several callers make: what they agree on, ``shared`` where their phases differ."""
    origins = [op.origin for op in seen]
    first = origins[0]
    if all(origin == first for origin in origins):
        return seen[0]
    same_source = all(origin.source == first.source for origin in origins)
    origin = first._replace(
        shared=len({origin.phase for origin in origins}) > 1,
        source=first.source if same_source else None,
        stack=first.stack if all(origin.stack == first.stack for origin in origins) else (),
        scope=first.scope if all(origin.scope == first.scope for origin in origins) else "",
        transforms=first.transforms if all(origin.transforms == first.transforms for origin in origins) else (),
    )
    return seen[0]._replace(origin=origin)
