"""The record of a counting: per program and level, what is there, whose it is, and how much of that is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ltc_ir.records.environment import Environment
from ltc_ir.records.vocabulary import Phase

if TYPE_CHECKING:
    from ltc_ir.records.executed import Executed

Ops = Mapping[str, int]


@dataclass(frozen=True)
class Tally:
    """Operations by name, and the same split by phase: the phases partition every count, empty ones are left out."""

    ops: Ops = field(default_factory=dict)
    phases: Mapping[str, Ops] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All operations."""
        return sum(self.ops.values())

    def phase_total(self, phase: str) -> int:
        """The operations of one phase."""
        return sum(self.phases.get(phase, {}).values())


def ranked(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts, largest first, ties by name; zeros are left out."""
    return dict(
        sorted(((key, number) for key, number in counts.items() if number), key=lambda item: (-item[1], item[0]))
    )


def make_tally(ops: Ops, phases: Mapping[str, Ops]) -> Tally:
    """A tally in the order it is shown: operations largest first, phases as they follow each other."""
    return Tally(ranked(ops), {phase.value: ranked(phases[phase.value]) for phase in Phase if phases.get(phase.value)})


@dataclass(frozen=True)
class Group:
    """One row of a grouping: a source line, a function, a scope, a region or a stack, and what it made."""

    key: str
    tally: Tally


@dataclass(frozen=True)
class Loop:
    """Loops alike: their kind, their static trip count (``None`` where the text does not fix it), and how many stand there."""

    kind: str
    trip_count: int | None
    phase: str
    source: str | None
    times: int


@dataclass(frozen=True)
class Function:
    """A named function: its call sites in the text, its calls with every caller multiplied out, its own operations."""

    name: str
    sites: int
    calls: int | None
    operations: int


MODULE, EXPANDED = "module", "expanded"
"""What a tally counts: each operation as it stands in the text, or once per call path."""


@dataclass(frozen=True)
class LevelCount:
    """The count of one program at one level; what a level does not have, or could not be had, is ``None``.

    ``tally`` counts each operation once as it stands; ``expanded`` once per call path (StableHLO only; a jaxpr's tally is
    that already). Where ``basis`` is ``expanded``, as in a snapshot, ``tally`` is no other than ``expanded``, and ``by`` than
    ``expanded_by``. ``attributed`` are the shares (0 to 1) with a phase and with a source line. ``lines`` and ``bytes`` are of
    the printed text; ``constants`` are bytes of constants that are neither scalar nor splat. ``flops``, ``bytes_accessed``
    and ``memory`` (bytes) are XLA's own estimates, a loop body counted once. ``executed`` is how often each operation runs,
    where that was asked. ``reasons`` says why a field is ``None``.
    """

    level: str
    tally: Tally
    attributed: Mapping[str, float | None]
    max_depth: int | None = None
    expanded: Tally | None = None
    lines: int | None = None
    bytes: int | None = None
    private_functions: int | None = None
    constants: Mapping[str, int | None] | None = None
    fusions: int | None = None
    flops: float | None = None
    bytes_accessed: float | None = None
    memory: Mapping[str, int] | None = None
    collectives: Mapping[str, Mapping[str, int | None]] | None = None
    loops: tuple[Loop, ...] = ()
    functions: tuple[Function, ...] = ()
    by: tuple[Group, ...] | None = None
    expanded_by: tuple[Group, ...] | None = None
    basis: str = MODULE
    executed: Executed | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Count:
    """The counts of a target's programs: ``programs[name][level]``.

    ``unavailable`` names the programs that could not be made, each with its reason. ``grouped`` are the groupings of the
    ``by`` lists, ``filters`` the operations and phases a count was narrowed to. ``headline`` are the operations that lead a
    table of a forward and its gradient; where it is empty, the largest operations of the gradient do.
    """

    target: str
    environment: Environment
    programs: Mapping[str, Mapping[str, LevelCount]]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    grouped: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()
    kind: str = "count"

    def levels(self) -> tuple[str, ...]:
        """The levels that any program has, in reading order."""
        order = ("jaxpr", "stablehlo", "hlo")
        return tuple(level for level in order if any(level in levels for levels in self.programs.values()))

    def narrowed(self, programs: Collection[str] | None, levels: Collection[str]) -> Count:
        """The same count with only these programs and levels; a file's one program goes by no name and is kept."""
        kept = {
            name: {level: made for level, made in of_levels.items() if level in levels}
            for name, of_levels in self.programs.items()
            if not programs or name in programs or name == "file"
        }
        return replace(self, programs={name: of_levels for name, of_levels in kept.items() if of_levels})
