"""The record of equations followed through lowering and compilation: what became of each, and which make up a kernel."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from ltc_ir.errors import UsageError
from ltc_ir.records.environment import Environment
from ltc_ir.records.shape import Natural, Shape


class Fate(StrEnum):
    """What became of an equation.

    ``kept``: at least one HLO instruction is its own. ``merged``: it has none, and one of another equation computes it.
    ``inlined``: it only calls others, which have rows of their own. ``folded``: its result is used, and XLA simplified it
    away or lowering made no operation of it. ``gone``: nothing uses its result. ``unknown``: it cannot be told; a reason
    says why.
    """

    KEPT = "kept"
    MERGED = "merged"
    INLINED = "inlined"
    FOLDED = "folded"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FollowedEquation:
    """One equation and what it was lowered and compiled to.

    Args:
        number: its number in program order, from 1; nested equations follow the one that holds them.
        name: its primitive.
        types: the types of its results, such as ``f32[8,4]``.
        phase: its phase; ``shared`` if it is called from several.
        source: its line; ``None`` where it has none, or several.
        function: the function of that line.
        region: the loops, branches and calls that contain it.
        count: how often it occurs, once for each call path.
        executed: how often it runs; ``None`` where that was not requested or is unknown.
        bytes: the bytes of its results in one run.
        flops: its floating-point operations in one run, without transcendental functions.
        transcendentals: the transcendental functions of one run.
        stablehlo: its StableHLO operations, each over all call sites.
        hlo: its instructions in the optimised HLO by opcode; ``None`` without optimised HLO.
        instructions: their names.
        kernels: the fusions, or single instructions, that compute them.
        loops: the ``while`` instructions that contain them.
        fate: what became of it.
        merged_with: the numbers of the equations that share an instruction with it.
        inferred: whether the fate is concluded from what is missing or equal, not read off a mark.
        reasons: why a figure or the fate is unknown, by name.
    """

    number: Natural
    name: str
    types: tuple[str, ...]
    phase: str
    source: str | None
    function: str | None
    region: str
    count: Natural
    executed: Natural | None
    bytes: Natural | None
    flops: Natural | None
    transcendentals: Natural | None
    stablehlo: Mapping[str, Natural]
    hlo: Mapping[str, Natural] | None
    instructions: tuple[str, ...]
    kernels: tuple[str, ...]
    loops: tuple[str, ...]
    fate: Fate
    merged_with: tuple[int, ...] = ()
    inferred: bool = False
    reasons: Mapping[str, str] = field(default_factory=dict)
    SHAPE: ClassVar = Shape(optional=("reasons",))

    @property
    def runs(self) -> int:
        """How often it runs as far as that is known, else how often it occurs."""
        return self.count if self.executed is None else self.executed

    @property
    def work(self) -> tuple[int, int, int]:
        """What rows are ranked by: flops, transcendental functions, bytes, each over all runs."""
        return tuple((figure or 0) * self.runs for figure in (self.flops, self.transcendentals, self.bytes))  # type: ignore[return-value]


@dataclass(frozen=True)
class Coverage:
    """The operations of a level, and how many of them are known to be an equation's."""

    total: Natural
    of_equations: Natural


@dataclass(frozen=True)
class FollowedKernel:
    """A kernel, loop or instruction of the optimised HLO.

    Args:
        name: its name.
        opcode: the opcode of its instruction.
        instructions: how many instructions it consists of, those in its loops and fusions included.
        of_equations: how many of them are known to be an equation's.
        lines: how many of them each source line has.
    """

    name: str
    opcode: str
    instructions: Natural
    of_equations: Natural
    lines: Mapping[str, Natural]


@dataclass(frozen=True)
class FollowedProgram:
    """The equations of one program.

    Args:
        equations: how many it has, each once.
        fates: how many became what, by phase: ``{"kept": {"forward": 12}}``.
        levels: the operations of each level, and how many of them belong to an equation.
        rows: the selected equations; without a selection all of them, or the largest.
        kernel: the kernel that was asked for.
        how: how ``executed`` was determined: ``static`` or ``measured``.
        reasons: what is unknown of the whole program, and why.
    """

    equations: Natural
    fates: Mapping[str, Mapping[str, Natural]]
    levels: Mapping[str, Coverage]
    rows: tuple[FollowedEquation, ...]
    kernel: FollowedKernel | None = None
    how: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    SHAPE: ClassVar = Shape(optional=("kernel", "how", "reasons"))


class Key(NamedTuple):
    """What an equation is selected by, named as in `FollowedEquation`."""

    number: int
    name: str
    source: str | None
    function: str | None
    stablehlo: Mapping[str, int]


@dataclass(frozen=True)
class Selection:
    """Which equations are followed: those to which all that is given applies; all where nothing is."""

    source: str | None = None
    function: str | None = None
    op: str | None = None
    equation: Natural | None = None
    kernel: str | None = None
    SHAPE: ClassVar = Shape(optional=("source", "function", "op", "equation", "kernel"))

    @property
    def words(self) -> tuple[str, ...]:
        """The selection as options: ``--op dot_general``."""
        return tuple(f"--{name} {value}" for name, value in vars(self).items() if value is not None)


@dataclass(frozen=True)
class Follow:
    """Equations of a target's program, followed to what they became."""

    target: str
    environment: Environment
    selection: Selection
    programs: Mapping[str, FollowedProgram]
    notes: tuple[str, ...] = ()
    kind: str = "follow"
    SHAPE: ClassVar = Shape(optional=("notes",))


def _same_place(wanted: str, place: str | None) -> bool:
    """Whether ``net.py:12`` or ``net.py`` means a line of ``models/net.py``."""
    if place is None:
        return False
    place = place.split(" ")[0]
    return any(whole == wanted or whole.endswith(f"/{wanted}") for whole in (place, place.rpartition(":")[0]))


def _same_function(wanted: str, function: str | None) -> bool:
    """Whether ``rhs``, ``Net.rhs`` or ``models.net:Net.rhs`` means a function."""
    if function is None:
        return False
    name = function.rpartition(":")[2]
    return wanted in {function, name, name.rpartition(".")[2]}


def _plain(name: str) -> str:
    return name.rpartition(".")[2].replace("-", "_")


def _has_op(wanted: str, key: Key) -> bool:
    """Whether an equation is of this primitive or became such an operation (``stablehlo.dot_general``)."""
    return _plain(key.name) == _plain(wanted) if "." not in wanted else wanted in key.stablehlo


_MATCHES: Mapping[str, Callable[[Any, Key], bool]] = {
    "source": lambda wanted, key: _same_place(wanted, key.source),
    "function": lambda wanted, key: _same_function(wanted, key.function),
    "op": _has_op,
    "equation": lambda wanted, key: key.number == wanted,
}
_FIELDS = {"op": "name"}
_MOST_NEAR = 3


def select(keys: Sequence[Key], selection: Selection, where: str) -> Sequence[int]:
    """The numbers of the equations that a selection means.

    Raises:
        UsageError: nothing matches one of its options, or all of them together; the hint lists what is near.
    """
    chosen = {key.number for key in keys}
    for option, matches in _MATCHES.items():
        wanted = getattr(selection, option)
        if wanted is None:
            continue
        matching = {key.number for key in keys if matches(wanted, key)}
        if not matching:
            raise _nothing(keys, option, wanted, where)
        chosen &= matching
    if keys and not chosen:
        raise nothing_together([word for word in selection.words if not word.startswith("--kernel")], where)
    return sorted(chosen)


def nothing_together(words: Iterable[str], where: str) -> UsageError:
    """The error of options that each match an equation, and no equation all of them."""
    return UsageError(f"no equation of {where} matches {' and '.join(words)} together", "leave one of them out")


def _nothing(keys: Sequence[Key], option: str, wanted: Any, where: str) -> UsageError:
    message = f"{where} has no equation with --{option} {wanted}"
    if option == "equation":
        return UsageError(message, f"its equations have the numbers 1 to {len(keys):,}")
    names = {str(getattr(key, _FIELDS.get(option, option))) for key in keys} - {str(None)}
    return UsageError(message, near(str(wanted), names))


def near(wanted: str, names: Iterable[str]) -> str:
    """The names that are like a wanted one, as a hint says it."""
    ordered = sorted(names)
    ends = [name for name in ordered if _plain(wanted) in name]
    close = list(dict.fromkeys([*difflib.get_close_matches(wanted, ordered, _MOST_NEAR, 0.5), *ends]))[:_MOST_NEAR]
    if close:
        return f"near matches: {', '.join(close)}"
    shown = ", ".join(ordered[:_MOST_NEAR]) or "none"
    return f"there are: {shown}" + (f" and {len(ordered) - _MOST_NEAR} more" if len(ordered) > _MOST_NEAR else "")
