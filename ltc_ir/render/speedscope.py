"""Prints passes and stacks in speedscope's own format, which https://www.speedscope.app opens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ltc_ir.escape import escape_json
from ltc_ir.records.count import Count
from ltc_ir.records.passes import Passes, Thread
from ltc_ir.records.timing import Timing
from ltc_ir.render.folded import counted_stacks
from ltc_ir.render.layouts.passes import only_passes

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


class _Frames:
    """The names of a file, each written once and known by its number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def of(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))

    def listed(self) -> list[dict[str, str]]:
        return [{"name": name} for name in self.numbers]


def stacks_to_speedscope(count: Count) -> str:
    """A count by stack, every stack as wide as it has operations.

    Raises:
        UsageError: the count is not grouped by stack, or holds more than one program and level.
    """
    frames = _Frames()
    stacks = [(key.split(";"), float(tally.total)) for key, tally in counted_stacks(count, "speedscope")]
    name = f"{count.target} {' '.join(count.programs)}"
    return _file(name, frames, [_sampled(name, frames, stacks, "none")])


def passes_to_speedscope(passes: Passes) -> str:
    """A profile a thread, the compiling one first: its events in time, or its paths where the record has no timeline."""
    frames = _Frames()
    if passes.timeline:
        profiles = [_evented(frames, thread) for thread in passes.timeline]
    else:
        profiles = [_merged(frames, passes, thread) for thread in passes.threads]
    return _file(f"{passes.program}: compile by pass", frames, profiles)


def timings_to_speedscope(timings: Sequence[Timing]) -> str:
    """The passes of the only program that was timed.

    Raises:
        UsageError: there are several programs, or no passes.
    """
    return passes_to_speedscope(only_passes(timings, "speedscope"))


def _file(name: str, frames: _Frames, profiles: list[dict[str, Any]]) -> str:
    data = {
        "$schema": SCHEMA,
        "exporter": "ltc-ir",
        "name": name,
        "activeProfileIndex": 0,
        "shared": {"frames": frames.listed()},
        "profiles": profiles,
    }
    return escape_json(json.dumps(data, ensure_ascii=False, allow_nan=False)) + "\n"


def _evented(frames: _Frames, thread: Thread) -> dict[str, Any]:
    events: list[dict[str, Any]] = []
    open_: list[tuple[int, int]] = []

    def close(depth: int) -> None:
        while len(open_) > depth:
            frame, end = open_.pop()
            events.append({"type": "C", "frame": frame, "at": end})

    for event in thread.slices:
        close(event.depth)
        frame = frames.of(event.name if event.kernel is None else f"{event.name} {event.kernel}")
        events.append({"type": "O", "frame": frame, "at": event.start_ns})
        open_.append((frame, event.end_ns))
    close(0)
    start = min((event.start_ns for event in thread.slices), default=0)
    end = max((event.end_ns for event in thread.slices), default=0)
    head = {"type": "evented", "name": thread.name, "unit": "nanoseconds", "startValue": start, "endValue": end}
    return {**head, "events": events}


def _merged(frames: _Frames, passes: Passes, thread: str) -> dict[str, Any]:
    own = [(entry.path, entry.exclusive_s * 1e9) for entry in passes.times if entry.thread == thread]
    return _sampled(thread, frames, own, "nanoseconds")


def _sampled(name: str, frames: _Frames, stacks: Iterable[tuple[Sequence[str], float]], unit: str) -> dict[str, Any]:
    """Stacks, outermost first, each with its weight; those of no weight are left out."""
    kept = [([frames.of(part) for part in stack], weight) for stack, weight in stacks if weight]
    weights = [weight for _, weight in kept]
    return {
        "type": "sampled",
        "name": name,
        "unit": unit,
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [stack for stack, _ in kept],
        "weights": weights,
    }
