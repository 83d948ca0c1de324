"""Prints the timeline of a compile as a Chrome trace, which chrome://tracing and https://ui.perfetto.dev open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.escape import escape_json
from ltc_ir.records.passes import Passes, Slice
from ltc_ir.records.timing import Timing
from ltc_ir.render.layouts.passes import only_passes


def passes_to_chrome_trace(passes: Passes) -> str:
    """Every event with its time, one row per thread.

    Raises:
        UsageError: the record has no timeline: it was read from JSON, which keeps sums.
    """
    if not passes.timeline:
        raise UsageError("a Chrome trace needs to know when each pass ran, which a stored timing does not", HINT)
    events = [_named("process_name", 0, f"{passes.program}: compile by pass")]
    for number, thread in enumerate(passes.timeline):
        events += [_named("thread_name", number, thread.name), _sorted(number)]
        events += [_complete(number, event) for event in thread.slices]
    data = {"displayTimeUnit": "ms", "traceEvents": events}
    return escape_json(json.dumps(data, ensure_ascii=False, allow_nan=False)) + "\n"


def timings_to_chrome_trace(timings: Sequence[Timing]) -> str:
    """The timeline of the only program that was timed.

    Raises:
        UsageError: there are several programs, or no passes.
    """
    return passes_to_chrome_trace(only_passes(timings, "chrome-trace"))


HINT = "time the program itself, or take --format speedscope, which shows sums"


def _named(what: str, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": 1, "tid": thread, "args": {"name": name}}


def _sorted(thread: int) -> dict[str, Any]:
    return {"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": thread, "args": {"sort_index": thread}}


def _complete(thread: int, event: Slice) -> dict[str, Any]:
    """A complete event; Chrome counts in microseconds."""
    more = {} if event.kernel is None else {"args": {"kernel": event.kernel}}
    kind = {} if event.kind is None else {"cat": event.kind}
    where = {"pid": 1, "tid": thread, "ts": event.start_ns / 1000, "dur": event.duration_ns / 1000}
    return {"ph": "X", "name": event.name, **where, **kind, **more}
