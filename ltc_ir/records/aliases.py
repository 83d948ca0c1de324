"""Operations under two names, because JAX renamed them: a change of version must not be shown as a change of program."""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
