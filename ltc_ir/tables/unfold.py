"""Multiplies a stream out over its call graph into rows: each body once per distinct caller's origin, with exact weights."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ltc_ir.errors import LimitError
from ltc_ir.ir.cells import cell_place, is_cell
from ltc_ir.ir.op import NOWHERE, Detail, Edge, Frame, Op, Origin, Stream, callers_first
from ltc_ir.ir.origin import function_key
from ltc_ir.records.op_table import LIBRARY, NO_SCOPE, NO_TRANSFORMS, TOP, Row
from ltc_ir.records.vocabulary import NO_SOURCE, Phase

MOST_INSTANCES = 2_000_000
"""Distinct call paths, times what each holds (edges, frames, operations read again), before an unfolding is refused."""

Instance = tuple[int, int]
"""A body as one caller's origin makes it: the index of the body, and the number of the origin its operations inherit."""


class RecursiveCallsError(ValueError):
    """A function calls itself, directly or through others: how often its operations run has no answer."""


@dataclass
class Unfolded:
    """What a stream amounts to.

    ``static`` counts each operation once as it stands, ``expanded`` once per call path, each where that was asked for;
    ``reached`` tells, for each body, under which origins it runs and how often.
    """

    static: dict[Row, int] | None = None
    expanded: dict[Row, int] | None = None
    reached: dict[int, list[tuple[Origin, int]]] = field(default_factory=dict)
    max_depth: int = 0

    def contexts(self, index: int) -> list[tuple[Origin, int]]:
        """The origins a body runs under, each with how often."""
        return self.reached.get(index, [])

    def times(self, index: int) -> int:
        """How often a body runs, over all its callers."""
        return sum(times for _, times in self.contexts(index))


class Unfolding:
    """One unfolding of a stream; compositions of origins are made once each.

    Args:
        stream: the stream.
        regions: whether regions keep rows and call paths apart.
    """

    def __init__(self, stream: Stream, *, regions: bool = True) -> None:
        self.stream = stream
        self.regions = regions
        self.tallies: dict[int, Counter[int]] = {}
        self.origins: list[Origin] = [NOWHERE]
        self.numbers: dict[Origin, int] = {NOWHERE: 0}
        self.places: dict[Frame | None, tuple[str, str]] = {None: (NO_SOURCE, NO_SOURCE)}

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

    def row(self, code: int, outer: int) -> Row:
        """The row of the same operation."""
        op = self.stream.ops[code]
        origin = op.origin if outer == 0 else op.origin.within(self.origins[outer])
        place = self.places.get(origin.source)
        if place is None:
            place = self.places[origin.source] = place_of(origin)
        columns = (
            op.name,
            _WORDS[origin.phase],
            *place,
            origin.scope or NO_SCOPE,
            origin.region or TOP,
            _stack(origin) if origin.stack else NO_SOURCE,
            "/".join(origin.transforms) or NO_TRANSFORMS,
            *(op.detail or NO_DETAIL),
            origin.parts,
        )
        return _new_row(Row, columns)

    def tally(self, index: int) -> Counter[int]:
        """How often each code stands in a body."""
        known = self.tallies.get(index)
        if known is None:
            known = self.tallies[index] = self.stream.bodies[index].tally()
        return known

    def inner(self, edge: Edge, outer: int) -> Instance:
        """The instance an edge leads to."""
        origin = self.op(edge.code, outer).origin
        region = ""
        if self.regions:
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


def unfold(stream: Stream, *, static: bool = True, regions: bool = True) -> Unfolded:
    """Multiply a stream out.

    Args:
        stream: the stream.
        static: count each operation once as it stands, too.
        regions: whether regions keep rows apart.

    Raises:
        RecursiveCallsError: the call graph has a cycle.
        LimitError: the grouping asked for tells too many call paths apart.
    """
    bodies_in_order(stream)  # refuses a circle before an origin that grows on every round is multiplied out
    unfolding = Unfolding(stream, regions=regions)
    instances, depth = unfolding.instances()
    expanded: dict[Row, int] = {}
    result = Unfolded({} if static else None, expanded, max_depth=depth)
    outers: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (index, outer), times in instances.items():
        outers[index].append((outer, times))
        result.reached.setdefault(index, []).append((unfolding.origins[outer], times))
    for index in range(len(stream.bodies)):
        callers = outers[index]
        for code, number in unfolding.tally(index).items():
            rows = []
            for outer, times in callers:
                row = unfolding.row(code, outer)
                rows.append(row)
                expanded[row] = expanded.get(row, 0) + number * times
            if result.static is not None:
                row = rows[0] if len(rows) == 1 else merged(rows) if rows else unfolding.row(code, 0)
                result.static[row] = result.static.get(row, 0) + number
    return result


def flat(stream: Stream) -> Unfolded:
    """Each operation once as it stands, with its own origin only: for IR whose names are absolute, or that recurses."""
    unfolding = Unfolding(stream)
    static: Counter[Row] = Counter()
    for index in range(len(stream.bodies)):
        for code, number in unfolding.tally(index).items():
            static[unfolding.row(code, 0)] += number
    return Unfolded(static, reached={index: [(NOWHERE, 1)] for index in range(len(stream.bodies))})


def merged(rows: Sequence[Row]) -> Row:
    """One operation that several callers make: what they agree on, ``shared`` where their phases differ."""
    first, others = rows[0], rows[1:]
    disputed = {
        name: value
        for columns in _DISPUTED
        if any(getattr(row, name) != getattr(first, name) for row in others for name in columns)
        for name, value in columns.items()
    }
    return first._replace(**disputed) if disputed else first


_DISPUTED: tuple[dict[str, Any], ...] = (
    {"phase": Phase.SHARED.value},
    {"source": NO_SOURCE, "function": NO_SOURCE},
    {"stack": NO_SOURCE},
    {"scope": NO_SCOPE},
    {"transforms": NO_TRANSFORMS},
)
"""Columns that callers may disagree on, each with what it says then; a line and its function go together."""
_WORDS = {phase: phase.value for phase in Phase}
NO_DETAIL = Detail()
_new_row: Callable[[type[Row], tuple[Any, ...]], Row] = tuple.__new__
"""Makes a row in a third of the time of its own constructor: a program can have one for each of its operations."""


def place_of(origin: Origin) -> tuple[str, str]:
    """The function's key and the source line of an origin, as rows have them; a library's line is marked as such."""
    frame = origin.source
    if frame is None:
        return NO_SOURCE, NO_SOURCE
    return function_key(frame), frame.place if frame.owner == "user" else frame.place + LIBRARY


def _stack(origin: Origin) -> str:
    return ";".join(map(_called, origin.stack))


def _called(frame: Frame) -> str:
    """A frame of a stack: its function's key and its line; of a cell, which of them it is."""
    key = function_key(frame)
    return cell_place(frame.file, key.partition(":")[2], frame.line) if is_cell(frame.file) else f"{key}:{frame.line}"
