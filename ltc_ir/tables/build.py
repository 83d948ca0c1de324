"""Builds the table of a level from its stream: the only maker of rows, for live programs and for stored ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ltc_ir.ir.op import Details, Stream, paused_collector
from ltc_ir.records.count import Function, Loop, ranked
from ltc_ir.records.figures import Figures
from ltc_ir.records.op_table import Table
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import By, Level
from ltc_ir.tables.unfold import RecursiveCallsError, Unfolded, flat, unfold


@paused_collector()
def build(
    level: Level,
    stream: Stream,
    wants: Collection[By],
    figures: Figures | None = None,
    reasons: Mapping[str, str] | None = None,
    **more: Any,
) -> Table:
    """The table of a level.

    Args:
        level: the level that was read.
        stream: what its reader made of it.
        wants: the groupings that were read.
        figures: figures besides those that the reader measured.
        reasons: why figures are unknown.
        more: further fields of the table.

    Raises:
        LimitError: the groupings tell too many call paths apart.
    """
    why = dict(reasons or {})
    try:
        unfolded = _unfolded(level, stream, regions=By.REGION in wants)
    except RecursiveCallsError as error:
        unfolded, why["expanded"] = flat(stream), str(error)
    return Table(
        level=level.value,
        static=unfolded.static,
        expanded=unfolded.expanded,
        figures={"max_depth": unfolded.max_depth} | stream.figures | dict(figures or {}),
        reasons=why,
        loops=_loops(stream, unfolded),
        functions=_FUNCTIONS[level](stream, unfolded),
        **more,
    )


def reading_options(request: Request) -> dict[str, Any]:
    """The arguments that the readers of all levels have in common."""
    details = Details.ALL if request.details else Details.TYPES if request.facts or request.types else Details.NONE
    return {"library": request.library, "details": details}


def _unfolded(level: Level, stream: Stream, *, regions: bool) -> Unfolded:
    """Each operation once per call path, of a module also as it stands; HLO only as it stands, for its names are absolute."""
    if level is Level.HLO:
        return flat(stream)
    return unfold(stream, static=level is Level.STABLEHLO, regions=regions)


def _loops(stream: Stream, unfolded: Unfolded) -> tuple[Loop, ...]:
    """The loops of a stream, each kind with its trip count, phase and source; once per text occurrence or call path."""
    times: Counter[tuple[str, int | None, str, str | None]] = Counter()
    for index, body in enumerate(stream.bodies):
        for region, number in body.regions.items():
            for outer, runs in unfolded.contexts(index):
                origin = stream.ops[region.code].origin.within(outer)
                source = origin.source.place if origin.source else None
                times[region.kind, region.trip_count, origin.phase.value, source] += number * runs
    ordered = sorted(
        times.items(), key=lambda item: (-item[1], item[0][0], -(item[0][1] or 0), item[0][2], item[0][3] or "")
    )
    return tuple(Loop(*kind, number) for kind, number in ordered)


def _jits(stream: Stream, unfolded: Unfolded) -> tuple[Function, ...]:
    """The named functions of a jaxpr: its jits, by name."""
    sites: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    bodies: defaultdict[str, set[int]] = defaultdict(set)
    for index, body in enumerate(stream.bodies):
        times = unfolded.times(index)
        for edge, number in body.edges.items():
            if edge.region.startswith("jit:"):
                name = edge.region.removeprefix("jit:")
                sites[name] += number
                calls[name] += number * times
                bodies[name].add(edge.child)
    return tuple(
        Function(name, sites[name], number, sum(len(stream.bodies[body].codes) for body in bodies[name]))
        for name, number in ranked(calls).items()
    )


def _functions(stream: Stream, unfolded: Unfolded) -> tuple[Function, ...]:
    """The functions of a module, most calls first, ties by name; how often each is called is unknown where one recurses."""
    sites: Counter[int] = Counter()
    for body in stream.bodies:
        for edge, number in body.edges.items():
            sites[edge.child] += number
    functions = [
        Function(body.name, sites[index], None if unfolded.expanded is None else unfolded.times(index), len(body.codes))
        for index, body in enumerate(stream.bodies)
        if index and body.codes
    ]
    return tuple(sorted(functions, key=lambda function: (-(function.calls or 0), function.name)))


_FUNCTIONS: Mapping[Level, Callable[[Stream, Unfolded], tuple[Function, ...]]] = {
    Level.JAXPR: _jits,
    Level.STABLEHLO: _functions,
    Level.HLO: lambda _stream, _unfolded: (),
}
