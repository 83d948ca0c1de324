"""Tells the kinds of callables apart by what they offer, without importing the libraries that made them."""

from __future__ import annotations

from typing import Any

from ltc_ir import compat

SLOTS = ("jitted_fn", "_cached")
"""Where libraries keep the `jax.jit` that they call: flax NNX in ``jitted_fn``, Equinox in ``_cached``."""


def is_jax_jit(fn: Any) -> bool:
    """Whether a function is one of `jax.jit`'s, or of a `jax.pmap` that traces itself."""
    return type(fn).__name__ in {"PjitFunction", "PmapFunction"} and hasattr(fn, "trace") and hasattr(fn, "lower")


def slot_of(fn: Any) -> str | None:
    """The attribute in which a library's jit keeps the `jax.jit` it calls; ``None`` where it has none."""
    if not (hasattr(type(fn), "lower") or hasattr(type(fn), "trace")):
        return None
    return next((slot for slot in SLOTS if is_jax_jit(getattr(fn, slot, None))), None)


def has_own_stages(fn: Any) -> bool:
    """Whether a function brings what traces and lowers it, so that no second `jax.jit` may stand around it."""
    return is_jax_jit(fn) or (hasattr(type(fn), "trace") and hasattr(type(fn), "lower"))


def is_traced_by_itself(fn: Any) -> bool:
    """Whether a function need not be jitted: it has its own stages, or a library's jit or a `jax.pmap` is inside."""
    return has_own_stages(fn) or slot_of(fn) is not None or compat.is_mapped(fn)
