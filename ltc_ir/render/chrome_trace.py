"""Prints the timeline of a compile as a Chrome trace, which chrome://tracing and https://ui.perfetto.dev open."""

from __future__ import annotations

import json
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.passes import Passes, Slice


def passes_to_chrome_trace(passes: Passes) -> str:
    """Every event where and when it was, one row a thread.

    Raises:
        UsageError: the record has no timeline: it was read from JSON, which keeps sums.
    """
    if not passes.timeline:
        raise UsageError("a Chrome trace needs to know when each pass ran, which a stored timing does not", HINT)
    events = [_named("process_name", 0, f"{passes.program}: compile by pass")]
    for number, thread in enumerate(passes.timeline):
        events += [_named("thread_name", number, thread.name), _sorted(number)]
        events += [_complete(number, one) for one in thread.slices]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, ensure_ascii=False, allow_nan=False) + "\n"


HINT = "time the program itself, or take --format speedscope, which shows sums"


def _named(what: str, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": 1, "tid": thread, "args": {"name": name}}


def _sorted(thread: int) -> dict[str, Any]:
    return {"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": thread, "args": {"sort_index": thread}}


def _complete(thread: int, one: Slice) -> dict[str, Any]:
    """A complete event; Chrome counts in microseconds."""
    more = {} if one.kernel is None else {"args": {"kernel": one.kernel}}
    kind = {} if one.kind is None else {"cat": one.kind}
    where = {"pid": 1, "tid": thread, "ts": one.start_ns / 1000, "dur": one.duration_ns / 1000}
    return {"ph": "X", "name": one.name, **where, **kind, **more}
