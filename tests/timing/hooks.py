"""A clock that stands still until it is told, and ears for what JAX really does: lowerings, compiles and cache hits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax

SECOND = 1_000_000_000
LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILED = "/jax/core/compile/backend_compile_duration"
CACHE_HIT = "/jax/compilation_cache/cache_hits"

_EARS: list[Callable[[str], None]] = []


def _heard(event: str, *_: object, **__: object) -> None:
    for ear in _EARS:
        ear(event)


jax.monitoring.register_event_duration_secs_listener(_heard)
jax.monitoring.register_event_listener(_heard)


@contextmanager
def listening(ear: Callable[[str], None]) -> Iterator[None]:
    """Hears every event of JAX while open."""
    _EARS.append(ear)
    try:
        yield
    finally:
        _EARS.remove(ear)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts the events of JAX by name while open."""
    events: Counter[str] = Counter()
    with listening(lambda event: events.update([event])):
        yield events


class FakeClock:
    """Nanoseconds that pass only by `advance`."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


class StepClock:
    """A clock that goes on by a millisecond whenever it is read: a measurement of nothing takes one."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += SECOND // 1000
        return self.now
