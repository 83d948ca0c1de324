"""Whether two runs of a program gave the same results, bit for bit, and if not, by how much they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

WARNING = (
    "the counted program's results differ from the plain run's (XLA compiles another program): "
    "a branch that depends on values may have gone the other way"
)


def compared(expected: Sequence[Any], found: Sequence[Any]) -> tuple[bool, float | None, tuple[str, ...]]:
    """Whether all results are identical, the largest absolute difference where not, and what is to be said of it."""
    pairs = [(_plain(left), _plain(right)) for left, right in zip(expected, found, strict=True)]
    if all(_same(left, right) for left, right in pairs):
        return True, None, ()
    return False, max(_difference(left, right) for left, right in pairs), (WARNING,)


def _plain(value: Any) -> np.ndarray[Any, Any]:
    """A result as numpy has it; a random key's data."""
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value)


def _same(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> bool:
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


def _difference(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    """The largest absolute difference of two results; infinite where one is no number and the other is."""
    if left.shape != right.shape:
        return float("inf")
    kind = np.complex128 if np.iscomplexobj(left) else np.float64
    one, other = left.astype(kind), right.astype(kind)
    with np.errstate(all="ignore"):
        apart = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, np.abs(one - other))
    return float(np.max(np.where(np.isnan(apart), np.inf, apart), initial=0.0))
