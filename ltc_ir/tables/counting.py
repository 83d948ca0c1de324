"""Folds an unfolded stream into a LevelCount: one counter of distinct operations, and a key function per request."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ltc_ir.ir.op import Frame, Op, Origin, Stream
from ltc_ir.ir.origin import function_key
from ltc_ir.records.count import Function, Group, LevelCount, Loop, Tally, make_tally, ranked
from ltc_ir.records.narrowing import matches
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import NO_SOURCE, By, Level, Phase
from ltc_ir.tables.unfolding import RecursiveCallsError, Unfolded, flat, unfold


def shown_source(frame: Frame | None) -> str:
    """A source as keys print it; a library's is marked so."""
    if frame is None:
        return NO_SOURCE
    return frame.place if frame.owner == "user" else f"{frame.place} (library)"


def _stack(origin: Origin) -> str:
    return ";".join(f"{function_key(frame)}:{frame.line}" for frame in origin.stack) or NO_SOURCE


KEYS: Mapping[By, Callable[[Op], str]] = {
    By.OP: lambda op: op.name,
    By.PHASE: lambda op: op.origin.phase.value,
    By.SOURCE: lambda op: shown_source(op.origin.source),
    By.FUNCTION: lambda op: function_key(op.origin.source) if op.origin.source else NO_SOURCE,
    By.SCOPE: lambda op: op.origin.scope or "(no scope)",
    By.STACK: lambda op: _stack(op.origin),
    By.REGION: lambda op: op.origin.region or "(top)",
    By.TRANSFORMS: lambda op: "/".join(op.origin.transforms) or "(none)",
}
"""A grouping is a key function; several are joined with `` | ``."""


def narrowed(ops: Counter[Op], request: Request) -> Counter[Op]:
    """The operations asked for."""
    if not request.ops and not request.phases:
        return ops
    wanted = frozenset(name.replace("-", "_") for name in request.ops)
    kept = (
        (op, number)
        for op, number in ops.items()
        if matches(op.name, wanted) and (not request.phases or op.origin.phase in request.phases)
    )
    return Counter(dict(kept))


def tally(ops: Iterable[tuple[Op, int]]) -> Tally:
    """Fold distinct operations into counts by name and by phase, sorted largest first, ties by name."""
    total: Counter[str] = Counter()
    phases: dict[str, Counter[str]] = defaultdict(Counter)
    for op, number in ops:
        total[op.name] += number
        phases[op.origin.phase.value][op.name] += number
    return make_tally(total, phases)


def groups(ops: Counter[Op], by: tuple[By, ...]) -> tuple[Group, ...] | None:
    """The ``by`` list of a counter, largest first, ties by key."""
    if not by:
        return None
    parts: dict[str, list[tuple[Op, int]]] = defaultdict(list)
    for op, number in ops.items():
        parts[" | ".join(KEYS[one](op) for one in by)].append((op, number))
    made = [Group(key, tally(part)) for key, part in parts.items()]
    return tuple(sorted(made, key=lambda group: (-group.tally.total, group.key)))


def attributed(ops: Counter[Op], sources: bool) -> dict[str, float | None]:
    """The shares of operations with a phase and with a source line of the user's; 1.0 of nothing at all."""
    total = sum(ops.values())
    unknown = sum(number for op, number in ops.items() if op.origin.phase is Phase.UNATTRIBUTED)
    placed = sum(number for op, number in ops.items() if op.origin.source and op.origin.source.owner == "user")
    return {"phase": _share(total - unknown, total), "source": _share(placed, total) if sources else None}


def _share(part: int, total: int) -> float:
    """A share to six digits, never rounded up to all of it; all of nothing."""
    return 1.0 if part == total else min(round(part / total, 6), 0.999999)


def loops(stream: Stream, unfolded: Unfolded) -> tuple[Loop, ...]:
    """The loops of a stream, each kind with its trip count, phase and source; once per text occurrence or call path."""
    found: Counter[tuple[str, int | None, str, str | None]] = Counter()
    for index, body in enumerate(stream.bodies):
        for region, number in body.regions.items():
            for origin, times in unfolded.contexts(index):
                made = stream.ops[region.code].origin.within(origin)
                source = made.source.place if made.source else None
                found[region.kind, region.trip_count, made.phase.value, source] += number * times
    ordered = sorted(
        found.items(), key=lambda item: (-item[1], item[0][0], -(item[0][1] or 0), item[0][2], item[0][3] or "")
    )
    return tuple(Loop(kind, trips, phase, source, times) for (kind, trips, phase, source), times in ordered)


def count_jaxpr(stream: Stream, unfolded: Unfolded, request: Request) -> LevelCount:
    """The count of a jaxpr: every use of a nested jaxpr counted, as a recursion over equations would."""
    ops = narrowed(unfolded.expanded, request)
    return LevelCount(
        level=Level.JAXPR.value,
        tally=tally(ops.items()),
        attributed=attributed(ops, request.sources),
        max_depth=unfolded.max_depth,
        loops=loops(stream, unfolded),
        functions=_jaxpr_functions(stream, unfolded),
        by=groups(ops, request.by),
        reasons=_source_reason(request),
    )


def _source_reason(request: Request) -> dict[str, str]:
    return {} if request.sources else {"attributed.source": "sources were not resolved (--no-source)"}


def _jaxpr_functions(stream: Stream, unfolded: Unfolded) -> tuple[Function, ...]:
    """The named functions of a jaxpr: its jits, by name."""
    sites: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    bodies: dict[str, set[int]] = defaultdict(set)
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


def count_stablehlo(stream: Stream, request: Request, facts: Mapping[str, Any]) -> LevelCount:
    """The count of a StableHLO module: as it stands, and with every call expanded."""
    reasons = _source_reason(request) | dict(facts.get("reasons", {}))
    try:
        unfolded = unfold(stream)
        expanded: Counter[Op] | None = narrowed(unfolded.expanded, request)
    except RecursiveCallsError as error:
        unfolded, expanded = flat(stream), None
        reasons["expanded"] = str(error)
    ops = narrowed(unfolded.module, request)
    return LevelCount(
        level=Level.STABLEHLO.value,
        tally=tally(ops.items()),
        attributed=attributed(ops, request.sources),
        max_depth=max(body.depth for body in stream.bodies),
        expanded=None if expanded is None else tally(expanded.items()),
        lines=facts.get("lines"),
        bytes=facts.get("bytes"),
        private_functions=stream.facts["private_functions"],
        constants=facts.get("constants"),
        loops=loops(stream, unfolded),
        functions=_functions(stream, unfolded if expanded is not None else None),
        by=groups(ops, request.by),
        expanded_by=None if expanded is None else groups(expanded, request.by),
        reasons=reasons,
    )


def _functions(stream: Stream, unfolded: Unfolded | None) -> tuple[Function, ...]:
    sites: Counter[int] = Counter()
    for body in stream.bodies:
        for edge, number in body.edges.items():
            sites[edge.child] += number
    made = [
        Function(body.name, sites[index], unfolded.times(index) if unfolded else None, len(body.codes))
        for index, body in enumerate(stream.bodies)
        if index and body.codes
    ]
    return tuple(sorted(made, key=lambda function: (-(function.calls or 0), function.name)))


def count_hlo(stream: Stream, request: Request, facts: Mapping[str, Any]) -> LevelCount:
    """The count of an HLO module's instructions, each once as it stands."""
    unfolded = flat(stream)
    ops = narrowed(unfolded.module, request)
    return LevelCount(
        level=Level.HLO.value,
        tally=tally(ops.items()),
        attributed=attributed(ops, request.sources),
        max_depth=stream.facts.get("max_depth"),
        fusions=sum(number for op, number in unfolded.module.items() if op.name == "fusion"),
        flops=facts.get("flops"),
        bytes_accessed=facts.get("bytes_accessed"),
        memory=facts.get("memory"),
        collectives=stream.facts.get("collectives"),
        loops=loops(stream, unfolded),
        by=groups(ops, request.by),
        reasons=_source_reason(request) | dict(facts.get("reasons", {})),
    )
