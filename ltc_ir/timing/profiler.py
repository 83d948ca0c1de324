"""A compile as JAX's own profiler sees it: the events of every thread, and whose they are by the names XLA gives them."""

from __future__ import annotations

import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import jax

from ltc_ir import compat
from ltc_ir.records.passes import HLO, KERNELS, LLVM, Slice, Thread
from ltc_ir.timing.event_tree import SECOND, Event, nested

ROOT = "compile"
"""What the profiler is told to call the compile: by it the compiling thread is found."""
OURS = "ltc-ir compile"
Made = TypeVar("Made")
Clock = Callable[[], int]


class PassesUnknownError(Exception):
    """What a compile did is not to be had here; says why."""


@dataclass(frozen=True)
class Line:
    """The events of one thread, as they were written."""

    name: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Profile:
    """What was seen of a compile: the seconds measured from outside, the compiling thread first, and what was amiss."""

    compile_s: float
    threads: tuple[Thread, ...]
    notes: tuple[str, ...] = ()


def profiled(compile: Callable[[], Made], clock: Clock = time.perf_counter_ns) -> tuple[Made, Profile]:
    """Compile under JAX's profiler, and read what it wrote.

    Raises:
        PassesUnknownError: this JAX cannot read its traces, another trace is being taken, or nothing was compiled.
    """
    need_profile_data()
    with tempfile.TemporaryDirectory(prefix="ltc-ir-passes-") as folder:
        with _tracing(folder):
            start = clock()
            with jax.profiler.TraceAnnotation(OURS):
                made = compile()
            spent = clock() - start
        lines = read(folder)
    threads, notes = arranged(lines)
    return made, Profile(spent / SECOND, threads, notes)


def need_profile_data() -> None:
    """Refuse a JAX that cannot read what its profiler writes, before anything is done in vain."""
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


def read(folder: str) -> list[Line]:
    """The threads of this machine's processor in the trace below a folder."""
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
"""What the profiler writes of thread pools; nothing of it takes time."""


def _event(event: Any) -> Event:
    stats = {key: str(value) for key, value in event.stats if key in _STATS}
    name = name_of(event.name, stats)
    return Event(name, round(event.start_ns), round(event.duration_ns), kind_of(name, stats), kernel_of(name, stats))


_STATS = frozenset({"module", "_src"})
_PIPELINE = "/hlo_pass_pipeline.cc"
_KINDS = (
    (KERNELS, ("ThunkEmitter::", "FusionCompiler::")),
    (LLVM, ("Codegen", "JitCompiler::", "SplitModule", "TaskDispatcher::")),
)
"""What XLA calls its making of code on the CPU, seen on 0.10.2 and 0.12.0; what is called otherwise is of no kind."""
_KERNEL_MODULE = re.compile(r"__compute_module_(.+)|(.+)_kernel_module")


def name_of(name: str, stats: Mapping[str, str]) -> str:
    """An event's name without the program's: ``simplification (jit_f)`` is called alike in every program."""
    return name.removesuffix(f" ({stats['module']})") if "module" in stats else name


def kind_of(name: str, stats: Mapping[str, str]) -> str | None:
    """What is done in an event of that name; ``None`` where the name does not say."""
    if stats.get("_src", "").endswith(_PIPELINE):
        return HLO
    return next((kind for kind, starts in _KINDS if name.startswith(starts)), None)


def kernel_of(name: str, stats: Mapping[str, str]) -> str | None:
    """The HLO instruction an event makes code for: ``add_fusion`` of the module ``add_fusion_kernel_module``."""
    found = _KERNEL_MODULE.fullmatch(stats.get("module", "")) if name.startswith("FusionCompiler::") else None
    return None if found is None else found[1] or found[2]


def arranged(lines: Iterable[Line]) -> tuple[tuple[Thread, ...], tuple[str, ...]]:
    """The threads of a compile, the compiling one first, within the compile's own time.

    The compiling thread is the one whose root is the compile. Where it does nothing but wait for one other thread, that
    one's events are hung in where it waits: neither works while the other does.
    """
    made = {number: (line.name, *nested(line.events)) for number, line in enumerate(lines) if line.events}
    cut = sum(number for _, _, number in made.values())
    slices = {number: found for number, (_, found, _) in made.items()}
    names = {number: _base(name) for number, (name, _, _) in made.items()}
    first, root = _root(slices)
    own = _within(slices.pop(first), root)
    handed = _handed_to(own, slices)
    name = names[first]
    if handed is not None:
        name = f"{name} and {names[handed]}"
        own = _hung_in(own, _within(slices.pop(handed), own[-1]))
    if len(own) < _LEAST:
        raise PassesUnknownError("nothing was compiled: the program came out of a cache")
    others = {number: _within(found, root) for number, found in slices.items()}
    threads = [Thread(name, own), *_numbered(others, names)]
    notes = (f"{cut} events outlast what they began in, and are cut at its end",) if cut else ()
    return tuple(_since(thread, root.start_ns) for thread in threads), notes


_LEAST = 3
"""Events of a compile at least: itself, JAX's call of the compiler, and something that it does."""


def _root(slices: Mapping[int, tuple[Slice, ...]]) -> tuple[int, Slice]:
    for number, found in slices.items():
        for one in found:
            if one.name == OURS:
                return number, one
    raise PassesUnknownError("JAX's profiler did not see the compile")


def _within(slices: Iterable[Slice], outer: Slice) -> tuple[Slice, ...]:
    """The slices that lie in another one's time, itself included, the outermost of them at depth 0."""
    kept = [one for one in slices if outer.start_ns <= one.start_ns and one.end_ns <= outer.end_ns]
    least: list[int] = []
    found = []
    for one in kept:
        least = [depth for depth in least if depth < one.depth]
        found.append(one._replace(depth=len(least)))
        least.append(one.depth)
    return tuple(found)


def _handed_to(own: tuple[Slice, ...], others: Mapping[int, tuple[Slice, ...]]) -> int | None:
    """The thread that does what the compiling one only waits for: the one with the longest event in that time."""
    if any(one.depth != number for number, one in enumerate(own)):
        return None
    waiting = own[-1]
    longest = {
        number: max((one.duration_ns for one in _within(found, waiting)), default=0)
        for number, found in others.items()
    }  # fmt: skip
    found = max(longest, key=lambda number: longest[number], default=None)
    return found if found is not None and longest[found] else None


def _hung_in(own: tuple[Slice, ...], inner: Iterable[Slice]) -> tuple[Slice, ...]:
    return (*own, *(one._replace(depth=one.depth + len(own)) for one in inner))


def _base(name: str) -> str:
    """``xla-cpu-codegen`` of ``tf_xla-cpu-codegen/-4687921333705744325``: the number is another in every process."""
    return name.rpartition("/")[0].removeprefix("tf_") or name.removeprefix("tf_")


def _numbered(slices: Mapping[int, tuple[Slice, ...]], names: Mapping[int, str]) -> Iterator[Thread]:
    """The other threads in the order they began, those of one name numbered."""
    working = sorted((found[0].start_ns, number) for number, found in slices.items() if found)
    seen: dict[str, int] = {}
    for _, number in working:
        name = names[number]
        seen[name] = seen.get(name, 0) + 1
        yield Thread(f"{name} {seen[name]}", slices[number])


def _since(thread: Thread, start_ns: int) -> Thread:
    def moved(one: Slice) -> Slice:
        name = ROOT if one.name == OURS else one.name
        return one._replace(name=name, start_ns=one.start_ns - start_ns)

    return replace(thread, slices=tuple(map(moved, thread.slices)))
