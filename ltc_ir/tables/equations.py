"""The equations of a program in program order, and what its jaxpr tells of each: type, phase, line, region, and use."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from ltc_ir import compat
from ltc_ir.errors import LimitError
from ltc_ir.ir.details import stored_bytes
from ltc_ir.ir.jaxpr.reader import Reader
from ltc_ir.ir.marks import Marks
from ltc_ir.ir.op import Origin, callers_first
from ltc_ir.records import element_types
from ltc_ir.records.op_table import TOP
from ltc_ir.records.vocabulary import NO_SOURCE, Phase
from ltc_ir.tables.unfold import Unfolding, place_of

_PASSING = frozenset(
    {
        "checkpoint", "closed_call", "cond", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
        "jit", "pjit", "remat", "remat2", "shard_map",
    }
)  # fmt: skip
"""Primitives whose results are those of a jaxpr that they hold, one by one."""


class Known(NamedTuple):
    """What the jaxpr tells of the equations with one code in a body."""

    phases: tuple[tuple[str, int], ...]
    source: str | None
    function: str | None
    region: str

    @property
    def phase(self) -> str:
        """The one phase of all call paths, or ``shared``."""
        return self.phases[0][0] if len(self.phases) == 1 else Phase.SHARED.value

    @property
    def occurrences(self) -> int:
        """How often it occurs, once for each call path."""
        return sum(number for _, number in self.phases)


@dataclass
class Equations:
    """The equations of a program whose equations have a mark each.

    ``order`` holds the marks in program order, ``numbers`` the number of each mark, from 1; ``held`` the bodies that the
    equation of a mark holds; ``unmarked`` the bodies of kernels, whose equations the lowered program does not name.
    """

    reader: Reader
    marks: Marks

    def __post_init__(self) -> None:
        self.starts = [numbers[0] if numbers else 0 for numbers in self.marks.numbers]
        self.held: dict[int, tuple[int, ...]] = {}
        self.unmarked: set[int] = set()
        for index, jaxpr in enumerate(self.reader.pending):
            nesting = self.reader.nesting
            for position, inner in nesting.inner[nesting.number(jaxpr)].items():
                self._hold(index, position, [holder for _, holder in inner])
        self.order = list(self._in_order())
        self.numbers = {mark: number for number, mark in enumerate(self.order, 1)}
        self.times = self._times()
        self._known: dict[tuple[int, int], Known] = {}

    def _hold(self, index: int, position: int, holders: Sequence[Any]) -> None:
        children = tuple(dict.fromkeys(self.reader.index[id(compat.open_jaxpr(holder))] for holder in holders))
        self.held[self.starts[index] + position] = children
        if self.reader.pending[index].eqns[position].primitive.name in compat.KERNELS:
            self.unmarked.update(children)

    def _in_order(self) -> Iterator[int]:
        """The marks in program order: what an equation holds follows it, at its first call."""
        seen = set(self.reader.stream.roots)
        pending = [iter(self.marks.numbers[root]) for root in self.reader.stream.roots]
        while pending:
            mark = next(pending[-1], None)
            if mark is None:
                pending.pop()
                continue
            yield mark
            inner = [child for child in self.held.get(mark, ()) if child not in seen]
            seen.update(inner)
            pending += [iter(self.marks.numbers[child]) for child in reversed(inner)]

    def _times(self) -> dict[int, list[tuple[Origin, int]]]:
        """The origins that each body runs under, each with how often it is called."""
        for regions in (True, False):
            unfolding = Unfolding(self.reader.stream, regions=regions)
            try:
                instances, _ = unfolding.instances()
            except LimitError:
                if not regions:
                    raise
                continue
            times: dict[int, list[tuple[Origin, int]]] = defaultdict(list)
            for (index, outer), number in instances.items():
                times[index].append((unfolding.origins[outer], number))
            return times
        raise AssertionError

    def body(self, mark: int) -> int:
        """The body that contains an equation."""
        return self.marks.holders[mark]

    def equation(self, mark: int) -> Any:
        """The equation of the jaxpr."""
        index = self.marks.holders[mark]
        return self.reader.pending[index].eqns[mark - self.starts[index]]

    def jaxpr(self, mark: int) -> Any:
        """The jaxpr that contains an equation."""
        return self.reader.pending[self.marks.holders[mark]]

    def known(self, mark: int) -> Known:
        """What the jaxpr tells of an equation."""
        index = self.marks.holders[mark]
        code = self.reader.stream.bodies[index].codes[mark - self.starts[index]]
        known = self._known.get((index, code))
        if known is None:
            known = self._known[index, code] = self._know(index, code)
        return known

    def _know(self, index: int, code: int) -> Known:
        local = self.reader.stream.ops[code].origin
        phases: dict[str, int] = defaultdict(int)
        places, regions = set(), set()
        for outer, number in self.times.get(index, ()):
            origin = local.within(outer)
            phases[origin.phase.value] += number
            places.add(place_of(origin))
            regions.add(outer.region or TOP)
        function, source = places.pop() if len(places) == 1 else (NO_SOURCE, NO_SOURCE)
        has_line = source != NO_SOURCE
        region = regions.pop() if len(regions) == 1 else "(several)"
        return Known(tuple(phases.items()), source if has_line else None, function if has_line else None, region)

    def unused(self) -> set[int]:
        """The marks of equations whose results nothing uses, or that are never called."""
        stream = self.reader.stream
        graph = {index: {edge.child for edge in body.edges} for index, body in enumerate(stream.bodies)}
        wanted: dict[int, set[int] | None] = dict.fromkeys(stream.roots)
        unused: set[int] = set()
        for index in callers_first(graph):
            self._use(index, wanted, unused)
        return unused

    def _use(self, index: int, wanted: dict[int, set[int] | None], unused: set[int]) -> None:
        """Find the unused equations of a body of which these results are wanted; ``None``: all."""
        jaxpr, marks = self.reader.pending[index], self.marks.numbers[index]
        if index not in wanted:
            unused.update(marks)
            return
        positions = wanted[index]
        used = {id(out) for number, out in enumerate(jaxpr.outvars) if positions is None or number in positions}
        for eqn, mark in zip(reversed(jaxpr.eqns), reversed(marks), strict=True):
            results = {number for number, out in enumerate(eqn.outvars) if id(out) in used}
            if not results and not eqn.effects:
                unused.add(mark)
                continue
            used.update(map(id, eqn.invars))
            passing = eqn.primitive.name in _PASSING and not eqn.effects
            for child in self.held.get(mark, ()):
                if eqn.primitive.name == "scan" and not eqn.effects:
                    _want(wanted, child, _carried(eqn, self.reader.pending[child], results))
                else:
                    _want(wanted, child, results if passing else None)


def _carried(eqn: Any, body: Any, results: set[int]) -> set[int]:
    """The results of a scan's body that are wanted: those of the scan, and the carries that these are computed from."""
    constants, carried = compat.scan_sizes(eqn)
    carries = {id(variable): number for number, variable in enumerate(body.invars[constants : constants + carried])}
    wanted: set[int] = set()
    more = results
    while not more <= wanted:
        wanted = wanted | more
        used = {id(body.outvars[number]) for number in wanted}
        for inner in reversed(body.eqns):
            if inner.effects or any(id(out) in used for out in inner.outvars):
                used.update(map(id, inner.invars))
        more = {number for variable, number in carries.items() if variable in used}
    return wanted


def _want(wanted: dict[int, set[int] | None], index: int, results: set[int] | None) -> None:
    """Add results of a body to those that are wanted."""
    before = wanted.get(index, set())
    wanted[index] = None if before is None or results is None else before | results


class Result(NamedTuple):
    """The type of a result, such as ``f32[8,4]``, and its bytes; ``None`` where a dimension is not fixed."""

    type: str
    bytes: int | None


def results_of(eqn: Any) -> list[Result]:
    """The results of an equation; what has no element type, such as a token, has no bytes."""
    return [_result(variable.aval) for variable in eqn.outvars]


def _result(aval: Any) -> Result:
    dtype = getattr(aval, "dtype", None)
    return Result(type(aval).__name__, 0) if dtype is None else _array(aval.shape, dtype)


@lru_cache(maxsize=4096)
def _array(shape: tuple[Any, ...], dtype: Any) -> Result:
    element = element_types.of_dtype(dtype)
    fixed = all(isinstance(size, int) for size in shape)
    size = stored_bytes(math.prod(shape), element, int(dtype.itemsize)) if fixed else None
    return Result(f"{element}[{','.join(map(str, shape))}]", size)
