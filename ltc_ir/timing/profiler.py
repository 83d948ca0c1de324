"""A compile as JAX's profiler sees it: the events of each thread, classified by XLA's names, as a tree that adds up."""

from __future__ import annotations

import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax

from ltc_ir import compat
from ltc_ir.records.passes import HLO, KERNELS, LLVM, REST, PassTime, Slice, Thread
from ltc_ir.workers.guard import temporary_prefix

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


ROOT = "compile"
"""The name of the compile in passes."""
ANNOTATION = "ltc-ir compile"
"""The name of the compile in the profiler's trace, which identifies the compiling thread."""
Result = TypeVar("Result")
Clock = Callable[[], int]


class PassesUnknownError(Exception):
    """The passes of a compile cannot be measured here; the message gives the reason."""


@dataclass(frozen=True)
class Line:
    """The events of one thread, as recorded."""

    name: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Profile:
    """A profiled compile: the seconds measured from outside, its threads, the compiling one first, and notes."""

    compile_s: float
    threads: tuple[Thread, ...]
    notes: tuple[str, ...] = ()


def profile_compile(compile: Callable[[], Result], clock: Clock = time.perf_counter_ns) -> tuple[Result, Profile]:
    """Compile under JAX's profiler, and read its trace.

    Raises:
        PassesUnknownError: this JAX cannot read its traces, another trace is being taken, or nothing was compiled.
    """
    require_profile_data()
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as folder:
        with _tracing(folder):
            start = clock()
            with jax.profiler.TraceAnnotation(ANNOTATION):
                result = compile()
            spent = clock() - start
        lines = read_trace(folder)
    threads, notes = arrange_threads(lines)
    return result, Profile(spent / SECOND, threads, notes)


def require_profile_data() -> None:
    """Refuse a JAX that cannot read the traces of its profiler, before any work is done."""
    if compat.profile_data() is None:
        version = jax.__version__
        raise PassesUnknownError(
            f"JAX {version} has no jax.profiler.ProfileData, which reads its profiles (from 0.7.2 on)"
        )


@contextmanager
def _tracing(folder: str) -> Iterator[None]:
    options = jax.profiler.ProfileOptions()
    options.host_tracer_level = 3
    options.python_tracer_level = 0
    try:
        jax.profiler.start_trace(folder, profiler_options=options)
    except RuntimeError as error:
        raise PassesUnknownError(f"JAX's profiler did not start: {error}") from error
    try:
        yield
    finally:
        stop: Callable[[], None] = jax.profiler.stop_trace
        stop()


def read_trace(folder: str) -> list[Line]:
    """The threads of the CPU in the trace below a folder."""
    files = sorted(Path(folder).rglob("*.xplane.pb"))
    if not files:
        raise PassesUnknownError("JAX's profiler wrote nothing")
    data: Any = compat.profile_data().from_file(str(files[-1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the bindings' own classes, on Python 3.12
        return [
            Line(line.name, tuple(_event(event) for event in line.events if not event.name.startswith(_MARKERS)))
            for plane in data.planes
            if plane.name.startswith("/host:")
            for line in plane.lines
        ]


_MARKERS = "ThreadpoolListener::"
"""Markers of thread pools, which take no time."""


def _event(event: Any) -> Event:
    stats = {key: str(value) for key, value in event.stats if key in _STATS}
    name = event_name(event.name, stats)
    return Event(
        name, round(event.start_ns), round(event.duration_ns), event_kind(name, stats), event_kernel(name, stats)
    )


_STATS = frozenset({"module", "_src"})
_PIPELINE = "/hlo_pass_pipeline.cc"
_KINDS = (
    (KERNELS, ("ThunkEmitter::", "FusionCompiler::")),
    (LLVM, ("Codegen", "JitCompiler::", "SplitModule", "TaskDispatcher::")),
)
"""XLA's names for code generation on the CPU, as of 0.10.2 and 0.12.0; other events have no kind."""
_KERNEL_MODULE = re.compile(r"__compute_module_(.+)|(.+)_kernel_module")


def event_name(name: str, stats: Mapping[str, str]) -> str:
    """An event's name without the program's: ``simplification (jit_f)`` has the same name in every program."""
    return name.removesuffix(f" ({stats['module']})") if "module" in stats else name


def event_kind(name: str, stats: Mapping[str, str]) -> str | None:
    """The kind of work of an event; ``None`` where neither its name nor its source tells."""
    if stats.get("_src", "").endswith(_PIPELINE):
        return HLO
    return next((kind for kind, starts in _KINDS if name.startswith(starts)), None)


def event_kernel(name: str, stats: Mapping[str, str]) -> str | None:
    """The HLO instruction that an event generates code for: ``add_fusion`` of the module ``add_fusion_kernel_module``."""
    match = _KERNEL_MODULE.fullmatch(stats.get("module", "")) if name.startswith("FusionCompiler::") else None
    return None if match is None else match[1] or match[2]


def arrange_threads(lines: Iterable[Line]) -> tuple[tuple[Thread, ...], tuple[str, ...]]:
    """The threads of a compile, the compiling one first, limited to the time of the compile.

    The compiling thread is the one whose root is the compile. Where it only waits for one other thread, the events of that
    thread are inserted where it waits: only one of the two works at a time.
    """
    by_number = {number: (line.name, *nest_events(line.events)) for number, line in enumerate(lines) if line.events}
    cut = sum(number for _, _, number in by_number.values())
    slices = {number: spans for number, (_, spans, _) in by_number.items()}
    names = {number: _base_name(name) for number, (name, _, _) in by_number.items()}
    first, root = _root(slices)
    own = _slices_within(slices.pop(first), root)
    handed = _worker_thread(own, slices)
    name = names[first]
    if handed is not None:
        name = f"{name} and {names[handed]}"
        own = _append_below(own, _slices_within(slices.pop(handed), own[-1]))
    if len(own) < _LEAST:
        raise PassesUnknownError("nothing was compiled: the program came out of a cache")
    others = {number: _slices_within(spans, root) for number, spans in slices.items()}
    threads = [Thread(name, own), *_numbered_threads(others, names)]
    notes = (f"{cut} events outlast what they began in, and are cut at its end",) if cut else ()
    return tuple(_with_times_from(thread, root.start_ns) for thread in threads), notes


_LEAST = 3
"""The least number of events of a compile: itself, JAX's call of the compiler, and at least one step."""


def _root(slices: Mapping[int, tuple[Slice, ...]]) -> tuple[int, Slice]:
    for number, spans in slices.items():
        for span in spans:
            if span.name == ANNOTATION:
                return number, span
    raise PassesUnknownError("JAX's profiler did not see the compile")


def _slices_within(slices: Iterable[Slice], outer: Slice) -> tuple[Slice, ...]:
    """The slices within the time of another, itself included, the outermost of them at depth 0."""
    inside = [span for span in slices if outer.start_ns <= span.start_ns and span.end_ns <= outer.end_ns]
    least: list[int] = []
    rebased = []
    for span in inside:
        least = [depth for depth in least if depth < span.depth]
        rebased.append(span._replace(depth=len(least)))
        least.append(span.depth)
    return tuple(rebased)


def _worker_thread(own: tuple[Slice, ...], others: Mapping[int, tuple[Slice, ...]]) -> int | None:
    """The thread that the compiling one only waits for: the one with the longest event in that time."""
    if any(span.depth != number for number, span in enumerate(own)):
        return None
    waiting = own[-1]
    longest = {
        number: max((span.duration_ns for span in _slices_within(spans, waiting)), default=0)
        for number, spans in others.items()
    }  # fmt: skip
    worker = max(longest, key=lambda number: longest[number], default=None)
    return worker if worker is not None and longest[worker] else None


def _append_below(own: tuple[Slice, ...], inner: Iterable[Slice]) -> tuple[Slice, ...]:
    return (*own, *(span._replace(depth=span.depth + len(own)) for span in inner))


def _base_name(name: str) -> str:
    """``xla-cpu-codegen`` of ``tf_xla-cpu-codegen/-4687921333705744325``: the number differs between processes."""
    return name.rpartition("/")[0].removeprefix("tf_") or name.removeprefix("tf_")


def _numbered_threads(slices: Mapping[int, tuple[Slice, ...]], names: Mapping[int, str]) -> Iterator[Thread]:
    """The other threads in the order of their first events, numbered per name."""
    working = sorted((spans[0].start_ns, number) for number, spans in slices.items() if spans)
    occurrences: dict[str, int] = {}
    for _, number in working:
        name = names[number]
        occurrences[name] = occurrences.get(name, 0) + 1
        yield Thread(f"{name} {occurrences[name]}", slices[number])


def _with_times_from(thread: Thread, start_ns: int) -> Thread:
    def moved(span: Slice) -> Slice:
        name = ROOT if span.name == ANNOTATION else span.name
        return span._replace(name=name, start_ns=span.start_ns - start_ns)

    return replace(thread, slices=tuple(map(moved, thread.slices)))
