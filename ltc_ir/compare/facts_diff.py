"""The facts of one level now against those of its snapshot: what grew, shrank, moved or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ltc_ir.compare.facts import METRICS, renamed, without
from ltc_ir.records.snapshot import Block, LevelFacts

Sides = tuple[int, int]
"""A figure in the snapshot, and now."""


@dataclass(frozen=True)
class Comparison:
    """One level of one program on both sides, without what is not held and under the newer names.

    ``ops`` and ``metrics`` are the figures that differ; ``moved`` the operations whose totals stayed while their blocks
    did not; ``types`` the element types whose numbers differ in any phase.
    """

    level: str
    before: LevelFacts
    after: LevelFacts
    ops: Mapping[str, Sides]
    metrics: Mapping[str, Sides]
    moved: tuple[str, ...]
    types: Mapping[str, Sides]
    restructured: bool

    @property
    def grew(self) -> bool:
        """Whether any held figure grew."""
        return any(after > before for before, after in (*self.ops.values(), *self.metrics.values()))

    @property
    def shrank(self) -> bool:
        """Whether any held figure shrank."""
        return any(after < before for before, after in (*self.ops.values(), *self.metrics.values()))

    @property
    def totals(self) -> Sides:
        """All operations that are held."""
        return self.before.total, self.after.total


def compare(level: str, baseline: LevelFacts, current: LevelFacts) -> Comparison:
    """Set the facts of one level against its snapshot; what either side found unstable is on neither."""
    unstable = {*baseline.unstable, *current.unstable}
    before, after = (renamed(level, without(facts, unstable)) for facts in (baseline, current))
    totals = _differing(before.totals(), after.totals())
    shared = {name for name in METRICS if name in before.metrics and name in after.metrics}
    metrics = {name: (before.metrics[name], after.metrics[name]) for name in METRICS if name in shared}
    return Comparison(
        level,
        before,
        after,
        ops=totals,
        metrics={name: sides for name, sides in metrics.items() if sides[0] != sides[1]},
        moved=_moved(before, after, totals),
        types=_types(before, after),
        restructured=None not in {before.fingerprint, after.fingerprint} and before.fingerprint != after.fingerprint,
    )


def blocks_of(facts: LevelFacts, name: str) -> dict[Block, int]:
    """How many operations of a name each block has."""
    return {block: counts[name] for block, counts in facts.ops.items() if counts.get(name)}


def _differing(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, Sides]:
    pairs = {name: (before.get(name, 0), after.get(name, 0)) for name in sorted({*before, *after})}
    return {name: sides for name, sides in pairs.items() if sides[0] != sides[1]}


def _moved(before: LevelFacts, after: LevelFacts, differing: Mapping[str, Sides]) -> tuple[str, ...]:
    names = {*before.totals(), *after.totals()} - set(differing)
    return tuple(sorted(name for name in names if blocks_of(before, name) != blocks_of(after, name)))


def _types(before: LevelFacts, after: LevelFacts) -> dict[str, Sides]:
    sides = [Counter[str](), Counter[str]()]
    for total, facts in zip(sides, (before, after), strict=True):
        for counts in facts.types.values():
            total.update(counts)
    phases = {*before.types, *after.types}
    differing = {
        name for phase in phases for name in _differing(before.types.get(phase, {}), after.types.get(phase, {}))
    }
    return {name: (sides[0][name], sides[1][name]) for name in sorted(differing)}
