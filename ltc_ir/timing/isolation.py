"""Isolates a measurement from garbage collection and JAX's persistent cache, and restores both afterwards."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax

from ltc_ir import compat
from ltc_ir.targets.stages import wait_until_ready
from ltc_ir.workers.guard import temporary_prefix

HITS = "/jax/compilation_cache/cache_hits"
"""The event that JAX records when it reads a compiled program from its persistent cache."""
COLLECT_EVERY_S = 0.05
"""Seconds of measuring after which garbage is collected; more often would cost more than what is measured."""


@contextmanager
def paused_gc() -> Iterator[Callable[[float], None]]:
    """Collect garbage now, and until the end only between runs: call the yielded function with the seconds of each run."""
    enabled = gc.isenabled()
    since = 0.0

    def between(run_s: float) -> None:
        nonlocal since
        since += run_s
        if since >= COLLECT_EVERY_S:
            gc.collect()
            since = 0.0

    gc.collect()
    gc.disable()
    try:
        yield between
    finally:
        if enabled:
            gc.enable()


def call_and_wait(call: Callable[..., Any], arguments: tuple[tuple[Any, ...], dict[str, Any]], effects: bool) -> None:
    """Call, and wait for the whole result and, where the program may have some, for its effects."""
    wait_until_ready(call(*arguments[0], **arguments[1]))
    if effects:
        barrier: Callable[[], None] = jax.effects_barrier
        barrier()


@contextmanager
def own_persistent_cache() -> Iterator[None]:
    """While open, compiling keeps every program in a temporary persistent compilation cache."""
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as folder:
        keeping = {
            "jax_enable_compilation_cache": True,
            "jax_compilation_cache_dir": folder,
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": -1,
        }
        with compat.persistent_cache(**keeping):
            yield


class _Hits:
    """Counts the programs this process found in its persistent cache; listens from its first use on."""

    def __init__(self) -> None:
        self.hits = 0
        self.listening = False

    def count(self) -> int:
        if not self.listening:
            jax.monitoring.register_event_listener(self._on_event)
            self.listening = True
        return self.hits

    def _on_event(self, event: str, **_: Any) -> None:
        self.hits += event == HITS


cache_hits = _Hits().count
"""The number of programs this process found in its persistent cache since the first call of this function."""
