"""Compiles without optimising the machine code, as that takes most of the time of a file that compiles a lot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLES = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
"""What makes a child process compile so."""


@contextmanager
def quick_compile() -> Iterator[None]:
    """Have XLA write machine code without optimising it, here and in child processes; the HLO stays the same.

    For tests that hold neither times nor the last bit of a result.
    """
    import jax

    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    os.environ.update(VARIABLES)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
        for name in VARIABLES:
            del os.environ[name]
        jax.clear_caches()  # what was compiled so is not for tests after this one
