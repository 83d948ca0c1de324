"""How often the operations of a program really run: counted while it ran, or by trip counts that its text fixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ltc_ir.records.count import Group, Tally

STATIC, MEASURED = "static", "measured"
"""How an executed count was had: from the program's text, or from a run of it."""


@dataclass(frozen=True)
class RanRegion:
    """Regions alike whose runs only a run of the program tells.

    ``kind`` is ``while``, ``cond.branches[1]``, or ``select le``: a scalar made by a ``le`` that chooses between values, as
    solvers accept a step. ``entered`` is how often it was come to; ``iterations`` how often its body ran, the branch was
    taken, the scalar was true. ``least`` and ``most`` are the iterations of one
    device, where devices can differ. ``places`` is on how many call paths it stands.
    """

    kind: str
    source: str | None
    phase: str
    region: str
    entered: int
    iterations: int
    least: int | None = None
    most: int | None = None
    places: int = 1


@dataclass(frozen=True)
class Uncounted:
    """Operations whose runs are unknown and are in no executed count: what runs them, why, and how many stand in the text."""

    what: str
    source: str | None
    phase: str
    reason: str
    ops: Mapping[str, int]


@dataclass(frozen=True)
class Work:
    """The arithmetic of the operations that ran, by their shapes, and the bytes of their operands and results.

    ``flops`` by kind; `ltc_ir.execution.flops` says what counts. ``bytes`` is what every operation reads and writes if none are
    fused. ``xla_flops`` and ``xla_bytes`` are XLA's own estimates, which count a loop's body once. ``in_no_flops`` is how often
    operations ran that work on floating-point numbers and whose flops are not known: with such, the flops are a least figure.
    """

    flops: Mapping[str, int]
    transcendentals: int
    bytes: int
    xla_flops: float | None = None
    xla_bytes: float | None = None
    in_no_flops: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All floating-point operations that are known."""
        return sum(self.flops.values())


@dataclass(frozen=True)
class Executed:
    """How often each operation of one program ran at one level.

    ``identical`` says whether the counted run gave the plain run's results bit for bit, ``None`` where nothing was run;
    ``difference`` is the largest absolute one. ``devices`` is the total of the least and of the most busy device, where they
    differ in what they run: the tally is that of the most busy one. ``calls`` is how often each named function was called.
    """

    tally: Tally
    how: str
    by: tuple[Group, ...] | None = None
    regions: tuple[RanRegion, ...] = ()
    uncounted: tuple[Uncounted, ...] = ()
    calls: Mapping[str, int] = field(default_factory=dict)
    work: Work | None = None
    identical: bool | None = None
    difference: float | None = None
    devices: Mapping[str, int] | None = None
    filled: str | None = None
    notes: tuple[str, ...] = ()
