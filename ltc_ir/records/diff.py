"""The record of a comparison: per pair of programs and level, what changed, by how much and in which phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ltc_ir.records.environment import Environment
from ltc_ir.records.shape import Shape, finite
from ltc_ir.records.signature import SignatureChange

Figure = int | float | None
"""A number, or ``None`` where a side does not have it."""


@dataclass(frozen=True)
class Change:
    """One figure on both sides: an operation's count or a metric.

    ``phases`` splits the change by phase, phases without change left out; it is empty for figures that have no phase.
    ``headline`` marks the operations of the target's headline. ``reason`` says why a side is ``None``.
    """

    name: str
    baseline: Figure
    current: Figure
    phases: Mapping[str, int] = field(default_factory=dict)
    headline: bool = False
    reason: str | None = None
    SHAPE: ClassVar = Shape(derived=("change", "ratio", "status"), optional=("headline", "reason"))

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With the ratio to six digits, ``null`` where it is infinite."""
        ratio = finite(data["ratio"])
        return data | {"ratio": None if ratio is None else round(ratio, 6)}

    @property
    def change(self) -> Figure:
        """Current minus baseline; ``None`` where a side is."""
        return None if self.baseline is None or self.current is None else self.current - self.baseline

    @property
    def ratio(self) -> float | None:
        """Current over baseline; ``None`` with a baseline of 0 or an absent side."""
        return self.current / self.baseline if self.baseline and self.current is not None else None

    @property
    def differs(self) -> bool:
        """Whether the sides are known to differ, be it by phase alone."""
        return bool(self.change) or bool(self.phases)

    @property
    def status(self) -> str:
        """``new``, ``gone``, ``grown``, ``shrunk``, ``moved`` (another phase), ``same``, or ``unknown`` (an absent side)."""
        if self.baseline is None or self.current is None:
            return "unknown"
        if self.baseline == self.current:
            return "moved" if self.phases else "same"
        if not self.baseline or not self.current:
            return "gone" if self.baseline else "new"
        return "grown" if self.current > self.baseline else "shrunk"


SAME, DIFFERENT, NOT_RECORDED, NOT_COMPARED = "same", "different", "not recorded", "not compared"
"""What is known of how operations are connected: the fingerprints of both sides compared."""


@dataclass(frozen=True)
class GroupChange:
    """One key of a grouping, say a source line: its totals on both sides and the operations that changed there."""

    total: Change
    ops: tuple[Change, ...]
    SHAPE: ClassVar = Shape(spread="total", renamed={"name": "key"})

    @property
    def key(self) -> str:
        """The group's key, as counts print it."""
        return self.total.name


@dataclass(frozen=True)
class LevelDiff:
    """The comparison of one pair at one level.

    ``ops`` are the operations that differ, largest absolute change first, ties by name; where a forward stands beside its
    gradient the target's headline comes first. ``metrics`` are the total (always), and the other figures that differ or
    that one side lacks. ``by`` are the groups that differ; ``None`` where the two counts were not grouped alike.
    ``fingerprints`` says whether operations, operands, types and parameters are the same but for the order of independent
    operations: ``same`` or ``different``, ``not recorded`` where a side does not tell, or ``not compared``: narrowed counts,
    other versions of JAX, a forward and its gradient.
    """

    level: str
    ops: tuple[Change, ...]
    metrics: tuple[Change, ...]
    by: tuple[GroupChange, ...] | None = None
    fingerprints: str = NOT_RECORDED
    SHAPE: ClassVar = Shape(optional=("by", "fingerprints"), key="level")

    @property
    def rewired(self) -> bool:
        """Whether the same operations are known to have other operands, parameters or types."""
        return self.fingerprints == DIFFERENT and not any(row.change for row in (*self.ops, self.metrics[0]))

    @property
    def empty(self) -> bool:
        """Whether nothing is known to differ."""
        return (
            not any(row.differs for row in (*self.ops, *self.metrics))
            and not self.by
            and self.fingerprints != DIFFERENT
        )


@dataclass(frozen=True)
class Pair:
    """Two programs compared, the levels both have, and as ``signature`` what changed of arguments, results and types."""

    baseline: str
    current: str
    levels: Mapping[str, LevelDiff]
    signature: tuple[SignatureChange, ...] = ()
    SHAPE: ClassVar = Shape(optional=("signature",))

    @property
    def empty(self) -> bool:
        """Whether nothing is known to differ."""
        return not self.signature and all(level.empty for level in self.levels.values())


@dataclass(frozen=True)
class Side:
    """What stands on one side; ``program`` only where that side is a single program."""

    target: str
    environment: Environment
    program: str | None = None


@dataclass(frozen=True)
class Diff:
    """Baseline against current. ``notes`` say what a reader must know to judge the changes."""

    baseline: Side
    current: Side
    pairs: tuple[Pair, ...]
    grouped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kind: str = "diff"
    SHAPE: ClassVar = Shape(derived=("empty",))

    @property
    def empty(self) -> bool:
        """Whether nothing is known to differ."""
        return all(pair.empty for pair in self.pairs)
