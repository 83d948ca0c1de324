"""The words every record uses: phases, levels and groupings."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from ltc_ir.errors import UsageError

Word = TypeVar("Word", bound=StrEnum)


class Level(StrEnum):
    """A representation of a program: what JAX traced, what that lowered to, what XLA made of it."""

    JAXPR = "jaxpr"
    STABLEHLO = "stablehlo"
    HLO = "hlo"


class Phase(StrEnum):
    """The part of automatic differentiation an operation belongs to.

    ``shared`` exists in StableHLO module counts only (a function called from several phases); ``unattributed`` says that
    the IR does not tell.
    """

    PRIMAL = "primal"
    FORWARD = "forward"
    BACKWARD = "backward"
    RECOMPUTE = "recompute"
    SHARED = "shared"
    UNATTRIBUTED = "unattributed"


class By(StrEnum):
    """What `count` can group by. ``op`` and ``phase`` are in every count, the others are made when asked for."""

    OP = "op"
    PHASE = "phase"
    SOURCE = "source"
    FUNCTION = "function"
    SCOPE = "scope"
    STACK = "stack"
    REGION = "region"
    TRANSFORMS = "transforms"


NO_SOURCE = "(no source)"
"""What stands where an operation has no source."""


def word(vocabulary: type[Word], text: str, what: str) -> Word:
    """The word of a vocabulary that ``text`` spells.

    Raises:
        UsageError: there is none; the hint lists them.
    """
    try:
        return vocabulary(str(text))
    except ValueError:
        raise UsageError(f"unknown {what} {str(text)!r}", f"{what}s are {', '.join(vocabulary)}") from None


PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
"""The platforms a program can be lowered for from any machine."""

COLLECTIVES = frozenset(
    {
        "all-gather", "all-reduce", "all-to-all", "collective-broadcast", "collective-permute", "ragged-all-to-all",
        "reduce-scatter",
    }
)  # fmt: skip
"""The collectives of optimised HLO; an asynchronous one is a pair, ``-start`` and ``-done``, that counts once."""
