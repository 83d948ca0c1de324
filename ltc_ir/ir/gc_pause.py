"""Keeps Python's cyclic collector still while many values are made that are all kept: it would walk them again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def still() -> Iterator[None]:
    """No cyclic collection while open; as it was afterwards."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
