"""The record of a counting: per program and level, what is there, whose it is, and how much of that is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

from ltc_ir.records.environment import Environment
from ltc_ir.records.figures import figures_of
from ltc_ir.records.shape import Check, Measure, Natural, Number, Shape, Share, UnfitError, finite
from ltc_ir.records.signature import FIRST_ATTRIBUTION, Signature
from ltc_ir.records.vocabulary import Level, Phase

Ops = Mapping[str, Natural]


@dataclass(frozen=True)
class Tally:
    """Operations by name, and the same split by phase: the phases partition every count, empty ones are left out."""

    ops: Ops = field(default_factory=dict)
    phases: Mapping[str, Ops] = field(default_factory=dict)
    SHAPE: ClassVar = Shape(derived=("total",))

    @property
    def total(self) -> int:
        """All operations."""
        return sum(self.ops.values())

    def phase_total(self, phase: str) -> int:
        """The operations of one phase."""
        return sum(self.phases.get(phase, {}).values())

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """Without the phases that have no operations."""
        return data | {"phases": {phase: ops for phase, ops in data["phases"].items() if ops}}

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """In the order of `make_tally`, where JSON is sorted by name; refused where total or phases are not theirs.

        A rule is judged on the phases: an operation that is missing there would be a bound that always holds.
        """
        tally = make_tally(data["ops"], data["phases"])
        partition = sum(map(Counter, tally.phases.values()), Counter())
        if partition != Counter(data["ops"]) or not set(data["phases"]) <= set(map(str, Phase)):
            raise UnfitError("the phases do not add up to the operations")
        total = data.get("total")
        if total is not None and (type(total) is not int or total != sum(data["ops"].values())):
            raise UnfitError("the total is not the sum of the operations")
        return data | {"ops": tally.ops, "phases": tally.phases}


def ranked(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts, largest first, ties by name; zeros are left out."""
    return dict(
        sorted(((key, number) for key, number in counts.items() if number), key=lambda item: (-item[1], item[0]))
    )


def make_tally(ops: Ops, phases: Mapping[str, Ops]) -> Tally:
    """A tally in the order it is shown: operations largest first, phases as they follow each other."""
    return Tally(ranked(ops), {phase.value: ranked(phases[phase.value]) for phase in Phase if phases.get(phase.value)})


def check_groups(data: Mapping[str, Any]) -> None:
    """Refuse groups that do not add up to the operations that they group.

    Raises:
        UnfitError: they do not.
    """
    groups = data.get("by")
    if not isinstance(groups, list):  # none, or refused by its type
        return
    grouped: Counter[str] = Counter()
    for group in groups:
        grouped.update(group["ops"])
    if +grouped != +Counter(data["ops"]):
        raise UnfitError("the groups do not add up to the operations")


@dataclass(frozen=True)
class Group:
    """One row of a grouping: a source line, a function, a scope, a region or a stack, and what it made."""

    key: str
    tally: Tally
    SHAPE: ClassVar = Shape(spread="tally")


@dataclass(frozen=True)
class Loop:
    """Loops alike: their kind, their static trip count (``None`` where the text does not fix it), and how many stand there."""

    kind: str
    trip_count: Natural | None
    phase: str
    source: str | None
    times: Natural


@dataclass(frozen=True)
class Function:
    """A named function: its call sites in the text, its calls with every caller multiplied out, its own operations."""

    name: str
    sites: Natural
    calls: Natural | None
    operations: Natural


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
    entered: Natural
    iterations: Natural
    least: Natural | None = None
    most: Natural | None = None
    places: Natural = 1


@dataclass(frozen=True)
class Uncounted:
    """Operations whose runs are unknown and are in no executed count: what runs them, why, and how many stand in the text."""

    what: str
    source: str | None
    phase: str
    reason: str
    ops: Ops


@dataclass(frozen=True)
class Work:
    """The arithmetic of the operations that ran, by their shapes, and the bytes of their operands and results.

    ``flops`` by kind; `ltc_ir.execution.flops` says what counts. ``bytes`` is what every operation reads and writes if none are
    fused. ``xla_flops`` and ``xla_bytes`` are XLA's own estimates, which count a loop's body once. ``in_no_flops`` is how often
    operations ran that work on floating-point numbers and whose flops are not known: with such, the flops are a least figure.
    """

    flops: Mapping[str, Natural]
    transcendentals: Natural
    bytes: Natural
    xla_flops: Measure | None = None
    xla_bytes: Measure | None = None
    in_no_flops: Mapping[str, Natural] = field(default_factory=dict)
    SHAPE: ClassVar = Shape(derived=("total_flops",))

    @property
    def total_flops(self) -> int:
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
    calls: Mapping[str, Natural] = field(default_factory=dict)
    work: Work | None = None
    identical: bool | None = None
    difference: Number | None = None
    devices: Mapping[str, Natural] | None = None
    filled: str | None = None
    notes: tuple[str, ...] = ()
    SHAPE: ClassVar = Shape(
        optional=(
            "by",
            "work",
            "regions",
            "uncounted",
            "calls",
            "identical",
            "difference",
            "devices",
            "filled",
            "notes",
        ),
        spread="tally",
    )

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With ``null`` for an infinite difference."""
        return data if self.difference is None else data | {"difference": finite(self.difference)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """The inverse."""
        check_groups(data)
        return data | {"difference": math.inf} if data.get("difference", 0) is None else data


Amount = Mapping[str, Natural | None]
Amounts = Natural | Mapping[str, Natural | Amount | None] | None
"""What a count holds of a kind of collectives: a number, a ``count`` with its ``bytes``, or several of these by phase."""


MODULE, EXPANDED = "module", "expanded"
"""What a tally counts: each operation as it stands in the text, or once per call path."""


def figure_keys(level: str) -> set[str]:
    """The keys that a level always has in JSON, ``null`` where the figure is missing; other levels have none of them."""
    keys = {figure.group or figure.json_key for figure in figures_of(level)}
    return keys | {"expanded"} if level == Level.STABLEHLO else keys


@dataclass(frozen=True)
class LevelCount:
    """The count of one program at one level; what a level does not have, or could not be had, is ``None``.

    ``tally`` counts each operation once as it stands; ``expanded`` once per call path (StableHLO only; a jaxpr's tally is
    that already). Where ``basis`` is ``expanded``, as in a snapshot, ``tally`` is no other than ``expanded``, and ``by`` than
    ``expanded_by``. ``attributed`` are the shares (0 to 1) with a phase and with a source line. ``lines`` and ``bytes`` are of
    the printed text; ``constants`` are bytes of constants that are neither scalar nor splat. ``flops``, ``bytes_accessed``
    and ``memory`` (bytes) are XLA's own estimates, a loop body counted once. ``executed`` is how often each operation runs,
    where that was asked. ``reasons`` says why a field is ``None``. ``further`` are registered figures without a field here, by
    their keys in JSON.
    """

    level: Annotated[str, Check("jaxpr, stablehlo or hlo", tuple(Level).__contains__)]
    tally: Tally
    attributed: Mapping[str, Share | None]
    max_depth: Natural | None = None
    expanded: Tally | None = None
    lines: Natural | None = None
    bytes: Natural | None = None
    private_functions: Natural | None = None
    constants: Mapping[str, Natural | None] | None = None
    fusions: Natural | None = None
    flops: Measure | None = None
    bytes_accessed: Measure | None = None
    memory: Mapping[str, Natural] | None = None
    collectives: Mapping[str, Mapping[str, Amounts]] | None = None
    loops: tuple[Loop, ...] = ()
    functions: tuple[Function, ...] = ()
    by: tuple[Group, ...] | None = None
    expanded_by: tuple[Group, ...] | None = None
    basis: str = MODULE
    executed: Executed | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, Measure | None] = field(default_factory=dict)
    fingerprint: str | None = None
    structure: str | None = None
    SHAPE: ClassVar = Shape(
        optional=("by", "expanded_by", "basis", "executed", "reasons", "fingerprint", "structure"),
        spread="tally",
        key="level",
    )

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With the figures of its level alone; ``by`` of the expanded tally is within that."""
        expanded_by = data.pop("expanded_by", None)
        if data["expanded"] is not None and expanded_by is not None:
            data["expanded"]["by"] = expanded_by
        if self.executed is None and "executed" in self.reasons:
            data |= {"executed": None, "reason": self.reasons["executed"]}
        further: dict[str, Any] = data.pop("further")
        absent = set[str]().union(*map(figure_keys, Level)) - figure_keys(self.level)
        return {key: value for key, value in data.items() if key not in absent} | further

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """The inverse; ``reason`` is that of ``reasons`` again."""
        expanded = data.get("expanded")
        check_groups(data)
        if expanded is not None and "by" in expanded:
            check_groups(expanded)
            data["expanded"] = {key: value for key, value in expanded.items() if key != "by"}
            data["expanded_by"] = expanded["by"]
        data.pop("reason", None)
        if "further" in data:
            raise ValueError("JSON has each further figure under its own key")
        further = figure_keys(data["level"]) - LevelCount.__dataclass_fields__.keys()
        for figure in figures_of(data["level"]):
            if (
                figure.json_key in further
                and figure.unit in {"bytes", "lines"}
                and type(data.get(figure.json_key)) is float
            ):
                raise UnfitError(f"{figure.json_key} is no whole number")
        return data | {"further": {key: data.pop(key) for key in further if key in data}}

    @property
    def plain_figures(self) -> dict[str, Number]:
        """The known figures that are one number each, by their keys in JSON."""
        values = {**vars(self), **self.further}
        keys = [figure.json_key for figure in figures_of(self.level) if figure.group is None]
        return {key: values[key] for key in keys if values.get(key) is not None}


@dataclass(frozen=True)
class Count:
    """The counts of a target's programs: ``programs[name][level]``.

    ``unavailable`` names the programs that could not be made, each with its reason. ``grouped`` are the groupings of the
    ``by`` lists, ``filters`` the operations and phases a count was narrowed to. ``headline`` are the operations that lead a
    table of a forward and its gradient; where it is empty, the largest operations of the gradient do. ``signatures`` are what
    the programs take and return, of those where it was read; ``attribution`` is the version that told the phases.
    """

    target: str
    environment: Environment
    programs: Mapping[str, Mapping[str, LevelCount]]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    grouped: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()
    signatures: Mapping[str, Signature] = field(default_factory=dict)
    attribution: Natural = FIRST_ATTRIBUTION
    kind: str = "count"
    SHAPE: ClassVar = Shape(
        optional=("unavailable", "grouped", "filters", "headline", "notes", "signatures", "attribution")
    )

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
        signatures = {name: signature for name, signature in self.signatures.items() if name in kept}
        return replace(
            self, programs={name: of_levels for name, of_levels in kept.items() if of_levels}, signatures=signatures
        )
