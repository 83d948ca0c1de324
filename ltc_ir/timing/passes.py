"""Which compiler pass and which kernels took the time: one more compile, profiled, each kernel with its source and phase."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

from ltc_ir import compat
from ltc_ir.ir.hlo.parser import HloModule
from ltc_ir.ir.op import Origin, Stream
from ltc_ir.ir.origin import Ownership
from ltc_ir.records.passes import CODE_GENERATION, Kernel, Passes, Thread
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import Level, Phase
from ltc_ir.tables.inspected import Inspected, inspect
from ltc_ir.tables.unfold import place_of
from ltc_ir.targets.stages import Staged, users_failure
from ltc_ir.targets.target import Program
from ltc_ir.timing import isolation
from ltc_ir.timing.profiler import (
    SECOND,
    Clock,
    PassesUnknownError,
    inherited_kinds,
    merge_by_path,
    own_times,
    profile_compile,
    require_profile_data,
    seconds_by_kind,
)

NOT_IN_HLO = "the optimised HLO has no instruction of that name"
NO_LINE = "its instruction bears no source line"
LINES_DIFFER = "it fuses several source lines and bears none itself"
NO_PHASE = "its instruction bears no phase"
UNNAMED = "{kind}: XLA names no kernel there"
WAITING = "{kind}, on the compiling thread, which waits for the others here: XLA names no kernel there"


def kernels_of(threads: Iterable[Thread], inspected: Inspected) -> tuple[Kernel, ...]:
    """The kernels whose code each thread generated, the longest first, then the time of each thread without a kernel's name.

    For each thread but the compiling one, which comes first, they add up to all its code generation.
    """
    origins = Origins(inspected.hlo_module, inspected.hlo())
    named: list[Kernel] = []
    unnamed: list[Kernel] = []
    for number, thread in enumerate(threads):
        spent, other = _times_by_kernel(thread)
        named += [origins.kernel(name, thread.name, *spent[name]) for name in spent]
        words = UNNAMED if number else WAITING
        unnamed += [
            Kernel(None, thread.name, own / SECOND, count, reason=words.format(kind=kind))
            for kind, (own, count) in other.items()
            if own
        ]
    return (*sorted(named, key=lambda kernel: (-kernel.seconds, kernel.name or "")), *unnamed)


def _times_by_kernel(thread: Thread) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """The nanoseconds and events of each kernel of a thread, and of each kind of code generation without a kernel's name."""
    named: dict[str, tuple[int, int]] = {}
    unnamed: dict[str, tuple[int, int]] = {}
    slices = thread.slices
    for span, own, (kind, kernel) in zip(slices, own_times(slices), inherited_kinds(slices), strict=True):
        if kernel is None and kind not in CODE_GENERATION:
            continue
        sums, key, begins = (unnamed, kind, span.kind) if kernel is None else (named, kernel, span.kernel)
        spent, count = sums.get(key, (0, 0))
        sums[key] = (spent + own, count + (begins is not None))
    return named, unnamed


class Origins:
    """The origins of a module's instructions by name, and the instructions that each of them fuses."""

    def __init__(self, module: HloModule, stream: Stream) -> None:
        self.origins: dict[str, Origin] = {}
        self.fused: dict[str, tuple[str, ...]] = {}
        within: dict[str, tuple[str, ...]] = {}
        for computation, body in zip(module.computations, stream.bodies, strict=True):
            within[computation.name] = tuple(instruction.name for instruction in computation.instructions)
            for instruction, code in zip(computation.instructions, body.codes, strict=True):
                self.origins[instruction.name] = stream.ops[code].origin
        for _, instruction in module.instructions():
            called = [name for role, name in instruction.called if role == "calls"]
            self.fused[instruction.name] = tuple(inner for name in called for inner in within.get(name, ()))

    def kernel(self, name: str, thread: str, spent: int, count: int) -> Kernel:
        """A kernel with the source and phase of its instruction, or of all the instructions it fuses."""
        if name not in self.origins:
            return Kernel(name, thread, spent / SECOND, count, reason=NOT_IN_HLO)
        origin, inner = self.origins[name], [self.origins[fused] for fused in self.fused[name]]
        sources = {place_of(fused)[1] for fused in inner if fused.source is not None}
        phases = {fused.phase.value for fused in inner if fused.phase is not Phase.UNATTRIBUTED}
        source = place_of(origin)[1] if origin.source else _single(sources)
        phase = origin.phase.value if origin.phase is not Phase.UNATTRIBUTED else _single(phases)
        inferred = (source is not None and origin.source is None) or (
            phase is not None and origin.phase is Phase.UNATTRIBUTED
        )
        reason = _reason(source, phase, sources)
        return Kernel(name, thread, spent / SECOND, count, source, phase, inferred, reason)


def _single(values: Collection[str]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _reason(source: str | None, phase: str | None, sources: Collection[str]) -> str | None:
    if source is None:
        return LINES_DIFFER if len(sources) > 1 else NO_LINE
    return NO_PHASE if phase is None else None


__all__ = ["PassesUnknownError", "passes_of"]


def passes_of(program: Program, label: str, ownership: Ownership, clock: Clock = time.perf_counter_ns) -> Passes:
    """One compile of a program by pass: from cleared caches and without a persistent one, so that it really compiles.

    Args:
        program: the program to compile; it is traced and lowered again, which is not measured.
        label: its name in messages, e.g. ``ltc grad``.
        ownership: the owners of source files.
        clock: returns nanoseconds.

    Raises:
        PassesUnknownError: passes cannot be measured here; the message gives the reason.
        TargetError: the user's function failed.
    """
    require_profile_data()
    inspected = inspect(Staged(program, label), Request(levels=(Level.HLO,)), ownership).lowered()
    staged = inspected.staged
    with compat.no_persistent_cache():
        lowered = staged.lowered
        with isolation.paused_gc():
            compiled, profile = profile_compile(lambda: _compiled(lowered, label), clock)
    vars(staged)["compiled"] = compiled
    compiling = profile.threads[0]
    return Passes(
        program=label,
        compile_s=profile.compile_s,
        compiling=compiling.name,
        times=tuple(pass_time for thread in profile.threads for pass_time in merge_by_path(thread)),
        kernels=kernels_of(profile.threads, inspected),
        kinds=seconds_by_kind(compiling),
        timeline=profile.threads,
        notes=profile.notes,
    )


def _compiled(lowered: Any, label: str) -> Any:
    with users_failure(label, "compile"):
        return lowered.compile()
