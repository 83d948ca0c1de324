"""Compiles a program once more, under JAX's profiler, and says which pass and which kernel took the time."""

from __future__ import annotations

import time
from typing import Any

from ltc_ir.ir.origin import Ownership
from ltc_ir.records.passes import Passes
from ltc_ir.targets.stages import Staged, users_failure
from ltc_ir.targets.target import Program
from ltc_ir.timing import conditions
from ltc_ir.timing.event_tree import kinds, merged
from ltc_ir.timing.kernels import kernels_of
from ltc_ir.timing.profiler import Clock, PassesUnknownError, need_profile_data, profiled

__all__ = ["PassesUnknownError", "passes_of"]


def passes_of(program: Program, label: str, ownership: Ownership, clock: Clock = time.perf_counter_ns) -> Passes:
    """One compile of a program by pass: from cleared caches and without a persistent one, so that it really compiles.

    Args:
        program: what is compiled; it is traced and lowered anew, which no figure holds.
        label: how messages call it, e.g. ``ltc grad``.
        ownership: whose the source files are.
        clock: tells nanoseconds.

    Raises:
        PassesUnknownError: it is not to be had here; says why.
        TargetError: the user's function failed.
    """
    need_profile_data()
    staged = Staged(program, label)
    with conditions.no_persistent_cache():
        lowered = staged.lowered
        with conditions.held_collector():
            compiled, profile = profiled(lambda: _compiled(lowered, label), clock)
    vars(staged)["compiled"] = compiled
    compiling = profile.threads[0]
    return Passes(
        program=label,
        compile_s=profile.compile_s,
        compiling=compiling.name,
        times=tuple(one for thread in profile.threads for one in merged(thread)),
        kernels=kernels_of(profile.threads, staged, ownership),
        kinds=kinds(compiling),
        timeline=profile.threads,
        notes=profile.notes,
    )


def _compiled(lowered: Any, label: str) -> Any:
    with users_failure(label, "compile"):
        return lowered.compile()
