"""From the events of a thread, which know only when they began and how long they took, to a tree that adds up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ltc_ir.records.passes import REST, PassTime, Slice, Thread

SECOND = 1_000_000_000


class Event(NamedTuple):
    """What a profiler keeps of one event, e.g. ``Event("algsimp", 5_000, 1_200)``.

    ``duration_ns`` is ``None`` where the event was not over when the trace was.
    """

    name: str
    start_ns: int
    duration_ns: int | None
    kind: str | None = None
    kernel: str | None = None


def nested(events: Iterable[Event]) -> tuple[tuple[Slice, ...], int]:
    """The events of one thread as slices that lie in each other, and how many had to be cut to do so.

    Of two that begin together the longer one holds the other; of two alike the first. What outlasts the event it began in is
    cut at that one's end, for a thread does one thing at a time: no time is counted twice.
    """
    known = list(events)
    last = max((event.start_ns + (event.duration_ns or 0) for event in known), default=0)
    closed = [(event, last if event.duration_ns is None else event.start_ns + event.duration_ns) for event in known]
    slices: list[Slice] = []
    ends: list[int] = []
    cut = 0
    for event, wanted in sorted(closed, key=lambda pair: (pair[0].start_ns, -pair[1])):
        while ends and ends[-1] <= event.start_ns:
            ends.pop()
        end = min(wanted, ends[-1]) if ends else wanted
        cut += end < wanted
        slices.append(Slice(event.name, event.start_ns, end - event.start_ns, len(ends), event.kind, event.kernel))
        ends.append(end)
    return tuple(slices), cut


def own_times(slices: Sequence[Slice]) -> list[int]:
    """The nanoseconds of each slice that no slice in it takes."""
    own = [one.duration_ns for one in slices]
    for number, parent in enumerate(_parents(slices)):
        if parent is not None:
            own[parent] -= slices[number].duration_ns
    return own


def _parents(slices: Sequence[Slice]) -> Iterator[int | None]:
    """The number of the slice that each lies in."""
    above: list[int] = []
    for number, one in enumerate(slices):
        del above[one.depth :]
        yield above[-1] if above else None
        above.append(number)


def merged(thread: Thread) -> tuple[PassTime, ...]:
    """A thread's slices by path: a tree from the outside in, the largest of siblings first, ties by name."""
    sums: dict[tuple[str, ...], _Sum] = {}
    path: list[str] = []
    slices = thread.slices
    for one, own, (kind, _) in zip(slices, own_times(slices), inherited(slices), strict=True):
        del path[one.depth :]
        path.append(one.name)
        found = sums.setdefault(tuple(path), _Sum(kind))
        found.inclusive += one.duration_ns
        found.own += own
        found.count += 1

    def rank(path: tuple[str, ...]) -> list[tuple[int, str]]:
        return [(-sums[path[: place + 1]].inclusive, name) for place, name in enumerate(path)]

    ordered = ((path, sums[path]) for path in sorted(sums, key=rank))
    return tuple(
        PassTime(thread.name, path, one.inclusive / SECOND, one.own / SECOND, one.count, one.kind)
        for path, one in ordered
    )


@dataclass
class _Sum:
    """The nanoseconds and the number of events of one path."""

    kind: str
    inclusive: int = 0
    own: int = 0
    count: int = 0


def inherited(slices: Sequence[Slice]) -> Iterator[tuple[str, str | None]]:
    """The kind and the kernel of each slice: its own, or those of what it lies in."""
    above: list[tuple[str, str | None]] = []
    for one in slices:
        del above[one.depth :]
        kind, kernel = above[-1] if above else (REST, None)
        above.append((one.kind or kind, one.kernel or kernel))
        yield above[-1]


def kinds(thread: Thread) -> dict[str, float]:
    """The seconds of a thread by what it did; they add up to its outermost slices."""
    found: dict[str, int] = {}
    for (kind, _), own in zip(inherited(thread.slices), own_times(thread.slices), strict=True):
        found[kind] = found.get(kind, 0) + own
    return {kind: spent / SECOND for kind, spent in found.items()}
