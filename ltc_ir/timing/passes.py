"""Compiles a program once more under JAX's profiler: the seconds of each pass and kernel."""

from __future__ import annotations

import time
from typing import Any

from ltc_ir.ir.origin import Ownership
from ltc_ir.records.passes import Passes
from ltc_ir.targets.stages import Staged, users_failure
from ltc_ir.targets.target import Program
from ltc_ir.timing import isolation
from ltc_ir.timing.event_tree import merge_by_path, seconds_by_kind
from ltc_ir.timing.kernels import kernels_of
from ltc_ir.timing.profiler import Clock, PassesUnknownError, profile_compile, require_profile_data

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
    staged = Staged(program, label)
    with isolation.no_persistent_cache():
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
        kernels=kernels_of(profile.threads, staged, ownership),
        kinds=seconds_by_kind(compiling),
        timeline=profile.threads,
        notes=profile.notes,
    )


def _compiled(lowered: Any, label: str) -> Any:
    with users_failure(label, "compile"):
        return lowered.compile()
