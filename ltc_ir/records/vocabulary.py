"""The words every record uses: phases, levels and groupings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from ltc_ir.errors import UsageError

Word = TypeVar("Word", bound=StrEnum)


class Level(StrEnum):
    """A representation of a program: what JAX traced, what that lowered to, what XLA made of it."""

    JAXPR = "jaxpr"
    STABLEHLO = "stablehlo"
    HLO = "hlo"


class Phase(StrEnum):
    """The part of automatic differentiation an operation belongs to.

    ``shared`` exists in StableHLO module counts only (a function called from several phases); ``mixed`` in HLO only (an
    instruction that XLA merged from several phases); ``unattributed`` says that the IR does not tell.
    """

    PRIMAL = "primal"
    FORWARD = "forward"
    BACKWARD = "backward"
    RECOMPUTE = "recompute"
    SHARED = "shared"
    MIXED = "mixed"
    UNATTRIBUTED = "unattributed"


class Part(NamedTuple):
    """What a phase contributes to an operation of phase ``mixed``: its phase, and the bytes of its results.

    The bytes are ``None`` where nothing tells the results apart.
    """

    phase: str
    bytes: int | None = None


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
        hint = f"{meant(str(text), vocabulary)}{what}s are {', '.join(vocabulary)}"
        raise UsageError(f"unknown {what} {str(text)!r}", hint) from None


def meant(text: str, words: Iterable[str]) -> str:
    """The beginning of a hint, ``did you mean jaxpr? ``, where one of these words is near; else nothing."""
    import difflib  # not before something is wrong

    folded = {word.casefold(): word for word in words}
    near = difflib.get_close_matches(text.casefold(), folded, 1, 0.7)
    return f"did you mean {folded[near[0]]}? " if near else ""


PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
"""The platforms a program can be lowered for from any machine."""

COLLECTIVES = frozenset(
    {
        "all-gather", "all-reduce", "all-to-all", "collective-broadcast", "collective-permute", "ragged-all-to-all",
        "reduce-scatter",
    }
)  # fmt: skip
"""The collectives of optimised HLO; an asynchronous one is a pair, ``-start`` and ``-done``, that counts once."""


ALIASES: Mapping[str, Mapping[str, str]] = {"jaxpr": {"pjit": "jit"}}
"""Per level, the older name and the newer (`pjit` became `jit` in JAX 0.7). Only pure renamings belong here: an operation
that was split or fused is a change that a reader wants to see."""


def newer_names(level: str) -> Mapping[str, str]:
    """The older names of a level's operations, each with its newer one."""
    return ALIASES.get(level, {})


def needed_renamings(level: str, baseline: Collection[str], current: Collection[str]) -> dict[str, str]:
    """The renamings that a comparison of these operations needs: both names occur, and not each of them on both sides."""
    return {
        old: new
        for old, new in newer_names(level).items()
        if {old, new} <= {*baseline, *current} and (old in baseline) != (old in current)
    }
