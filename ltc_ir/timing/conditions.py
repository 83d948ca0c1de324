"""The conditions a measurement is made under, and put back after it: no collector at work, no cache that remembers."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

HITS = "/jax/compilation_cache/cache_hits"
"""The event by which JAX says that a compiled program came out of its persistent cache."""


COLLECT_EVERY_S = 0.05
"""Seconds of measuring after which garbage is collected; more often would cost more than what is measured."""


@contextmanager
def held_collector() -> Iterator[Callable[[float], None]]:
    """Garbage is collected now, and until this ends only between runs: by what is yielded, given the seconds of a run."""
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


def ready(tree: Any) -> None:
    """Wait until every array of a tree is there."""
    wait: Callable[[Any], Any] = jax.block_until_ready
    wait(tree)


def awaited(call: Callable[..., Any], arguments: tuple[tuple[Any, ...], dict[str, Any]], effects: bool) -> None:
    """Call, until all of the result is there and, where there may be any, its effects have happened."""
    ready(call(*arguments[0], **arguments[1]))
    if effects:
        barrier: Callable[[], None] = jax.effects_barrier
        barrier()


@contextmanager
def no_persistent_cache() -> Iterator[None]:
    """Compiling reads and writes no persistent compilation cache, whatever this process was told before."""
    with _configured({"jax_enable_compilation_cache": False}):
        yield


@contextmanager
def own_persistent_cache() -> Iterator[None]:
    """Compiling keeps every program in a persistent compilation cache of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ltc-ir-cache-") as folder:
        keeping = {
            "jax_enable_compilation_cache": True,
            "jax_compilation_cache_dir": folder,
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": -1,
        }
        with _configured(keeping):
            yield


@contextmanager
def _configured(wanted: dict[str, Any]) -> Iterator[None]:
    """JAX so configured for a while; what it remembers of a persistent cache is forgotten at both ends.

    JAX decides once a process whether there is a cache: without the reset a changed option would go unheard.
    """
    config: Any = jax.config
    reset: Any = compilation_cache.reset_cache
    before = {name: getattr(config, name) for name in wanted}
    for name, value in wanted.items():
        config.update(name, value)
    reset()
    try:
        yield
    finally:
        for name, value in before.items():
            config.update(name, value)
        reset()


class _Hits:
    """How often this process found a program in its persistent cache; listens from its first use on."""

    def __init__(self) -> None:
        self.number = 0
        self.listening = False

    def seen(self) -> int:
        if not self.listening:
            jax.monitoring.register_event_listener(self._heard)
            self.listening = True
        return self.number

    def _heard(self, event: str, **_: Any) -> None:
        self.number += event == HITS


cache_hits = _Hits().seen
"""How many programs this process found in its persistent cache since this was first asked."""
