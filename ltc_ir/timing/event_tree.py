"""Builds a tree that adds up from the events of a thread, which have only a start and a duration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ltc_ir.records.passes import REST, PassTime, Slice, Thread

SECOND = 1_000_000_000


class Event(NamedTuple):
    """One event of a profiler, e.g. ``Event("algsimp", 5_000, 1_200)``.

    ``duration_ns`` is ``None`` where the event was not over when the trace was.
    """

    name: str
    start_ns: int
    duration_ns: int | None
    kind: str | None = None
    kernel: str | None = None


def nest_events(events: Iterable[Event]) -> tuple[tuple[Slice, ...], int]:
    """The events of one thread as nested slices, and how many had to be cut.

    Of two that begin together the longer one is the parent, of two equal ones the first. An event that outlasts its parent
    is cut at the parent's end: a thread does one thing at a time, so no time is counted twice.
    """
    recorded = list(events)
    last = max((event.start_ns + (event.duration_ns or 0) for event in recorded), default=0)
    closed = [(event, last if event.duration_ns is None else event.start_ns + event.duration_ns) for event in recorded]
    slices: list[Slice] = []
    ends: list[int] = []
    cut = 0
    for event, full_end in sorted(closed, key=lambda pair: (pair[0].start_ns, -pair[1])):
        while ends and ends[-1] <= event.start_ns:
            ends.pop()
        end = min(full_end, ends[-1]) if ends else full_end
        cut += end < full_end
        slices.append(Slice(event.name, event.start_ns, end - event.start_ns, len(ends), event.kind, event.kernel))
        ends.append(end)
    return tuple(slices), cut


def own_times(slices: Sequence[Slice]) -> list[int]:
    """The nanoseconds of each slice without those of the slices in it."""
    own = [span.duration_ns for span in slices]
    for number, parent in enumerate(_parents(slices)):
        if parent is not None:
            own[parent] -= slices[number].duration_ns
    return own


def _parents(slices: Sequence[Slice]) -> Iterator[int | None]:
    """The number of the slice that contains each slice."""
    above: list[int] = []
    for number, span in enumerate(slices):
        del above[span.depth :]
        yield above[-1] if above else None
        above.append(number)


def merge_by_path(thread: Thread) -> tuple[PassTime, ...]:
    """A thread's slices by path: a tree from the outside in, the largest of siblings first, ties by name."""
    sums: dict[tuple[str, ...], _Sum] = {}
    path: list[str] = []
    slices = thread.slices
    for span, own, (kind, _) in zip(slices, own_times(slices), inherited_kinds(slices), strict=True):
        del path[span.depth :]
        path.append(span.name)
        total = sums.setdefault(tuple(path), _Sum(kind))
        total.inclusive += span.duration_ns
        total.own += own
        total.count += 1

    def rank(path: tuple[str, ...]) -> list[tuple[int, str]]:
        return [(-sums[path[: place + 1]].inclusive, name) for place, name in enumerate(path)]

    ordered = ((path, sums[path]) for path in sorted(sums, key=rank))
    return tuple(
        PassTime(thread.name, path, total.inclusive / SECOND, total.own / SECOND, total.count, total.kind)
        for path, total in ordered
    )


@dataclass
class _Sum:
    """The nanoseconds and the number of events of one path."""

    kind: str
    inclusive: int = 0
    own: int = 0
    count: int = 0


def inherited_kinds(slices: Sequence[Slice]) -> Iterator[tuple[str, str | None]]:
    """The kind and the kernel of each slice: its own, or those of the slice that contains it."""
    above: list[tuple[str, str | None]] = []
    for span in slices:
        del above[span.depth :]
        kind, kernel = above[-1] if above else (REST, None)
        above.append((span.kind or kind, span.kernel or kernel))
        yield above[-1]


def seconds_by_kind(thread: Thread) -> dict[str, float]:
    """The seconds of a thread by kind; they add up to its outermost slices."""
    durations: dict[str, int] = {}
    for (kind, _), own in zip(inherited_kinds(thread.slices), own_times(thread.slices), strict=True):
        durations[kind] = durations.get(kind, 0) + own
    return {kind: spent / SECOND for kind, spent in durations.items()}
