"""The record of a compile by pass: what each thread did and when, merged by path, and the kernels it made code for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from ltc_ir.records.shape import Natural, Number, Shape

HLO, KERNELS, LLVM, REST = "HLO passes", "kernels", "LLVM", "the rest"
KINDS = (HLO, KERNELS, LLVM, REST)
"""What a compiler does: rewriting HLO, writing the code of kernels, LLVM's work on it, and all else."""
CODE_GENERATION = (KERNELS, LLVM)
"""The kinds that make code."""


class Slice(NamedTuple):
    """One event of a thread, e.g. ``Slice("algsimp", 5_000, 1_200, 3)``: nanoseconds since the compile began.

    ``depth`` is 0 for what lies in no other event; ``kind`` one of `KINDS`, ``None`` where it is that of what it lies in;
    ``kernel`` the HLO instruction that code is made for, where XLA says so.
    """

    name: str
    start_ns: int
    duration_ns: int
    depth: int = 0
    kind: str | None = None
    kernel: str | None = None

    @property
    def end_ns(self) -> int:
        """When it was over."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True)
class Thread:
    """What one thread did, in the order it began: each event lies wholly in the one before it of a smaller depth."""

    name: str
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class PassTime:
    """One node of the compiler's passes on one thread; ``path`` begins at the outermost pipeline.

    ``inclusive_s`` is the time of all ``count`` events of that path, ``exclusive_s`` what their own children did not take;
    ``kind`` is one of `KINDS`.
    """

    thread: str
    path: tuple[str, ...]
    inclusive_s: Number
    exclusive_s: Number
    count: Natural
    kind: str = REST


@dataclass(frozen=True)
class Kernel:
    """The time a thread spent on the code of one kernel; without a ``name``, on code that XLA names no kernel of.

    ``source`` and ``phase`` are those of the HLO instruction of that name; ``inferred`` where it has none itself and all
    it fuses agree. ``reason`` says why one of them is ``None``.
    """

    name: str | None
    thread: str
    seconds: Number
    count: Natural
    source: str | None = None
    phase: str | None = None
    inferred: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class Passes:
    """One compile by pass.

    ``compile_s`` was measured from outside; ``compiling`` names the thread whose tree it is, its root the compile itself.
    The others overlap it: no figure is summed over threads. ``kinds`` are the seconds of the compiling thread by what it
    did, which add up to its root. ``timeline`` is empty in a record that was read from JSON without it.
    """

    program: str
    compile_s: Number
    compiling: str
    times: tuple[PassTime, ...]
    kernels: tuple[Kernel, ...] = ()
    kinds: Mapping[str, Number] = field(default_factory=dict)
    timeline: tuple[Thread, ...] = ()
    notes: tuple[str, ...] = ()
    SHAPE: ClassVar = Shape(
        derived=("root_s", "covered", "sentence"), renamed={"compiling": "thread", "times": "passes"}
    )

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """The lists of passes and of kernels, and ``compiler`` for the rest; without the timeline."""
        rest = {key: value for key, value in data.items() if key not in {"passes", "kernels", "timeline"}}
        return {"passes": data["passes"], "kernels": data["kernels"], "compiler": rest}

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """The inverse."""
        return {**data.pop("compiler"), **data}

    @property
    def root_s(self) -> float:
        """The seconds of the compiling thread's tree."""
        return sum(one.inclusive_s for one in self.times if one.thread == self.compiling and len(one.path) == 1)

    @property
    def covered(self) -> float:
        """The share of the compile, measured from outside, that the tree below its root accounts for."""
        inner = sum(one.inclusive_s for one in self.times if one.thread == self.compiling and len(one.path) == 2)
        return inner / self.compile_s if self.compile_s else 0.0

    @property
    def threads(self) -> tuple[str, ...]:
        """The threads, the compiling one first."""
        return tuple(dict.fromkeys((self.compiling, *(one.thread for one in self.times))))

    @property
    def sentence(self) -> str:
        """What took most of a compile: ``82 % code generation, 68 kernels, the largest from ltc.py:57 (backward)``."""
        groups = {
            "code generation": sum(self.kinds.get(kind, 0.0) for kind in CODE_GENERATION),
            "HLO passes": self.kinds.get(HLO, 0.0),
            "neither HLO passes nor code generation": self.kinds.get(REST, 0.0),
        }
        name = max(groups, key=lambda group: groups[group])
        share = f"{percent(groups[name], sum(groups.values()))} {name}"
        if name == "code generation":
            return f"{share}, {_kernels(self)}"
        most = _most(self, HLO if name == "HLO passes" else REST)
        return share if most is None else f"{share}, the most in {most}"


def percent(part: float, whole: float) -> str:
    """A share in percent, never rounded up to all of it or down to nothing."""
    if not whole or part in {0, whole}:
        return "0 %" if not part else "100 %"
    share = min(99, round(100 * part / whole))
    return f"{share} %" if share else "under 1 %"


def _kernels(passes: Passes) -> str:
    named = [kernel for kernel in passes.kernels if kernel.name is not None]
    if not named:
        return "of no kernel that XLA names"
    largest = max(named, key=lambda kernel: kernel.seconds)
    phase = f" ({largest.phase})" if largest.phase else ""
    place = f"from {largest.source}{phase}" if largest.source else f"{largest.name}{phase}"
    number = len({kernel.name for kernel in named})
    return f"{number:,} kernels, the largest {place}" if number > 1 else f"1 kernel, {place}"


def _most(passes: Passes, kind: str) -> str | None:
    """The name of that kind that took the compiling thread longest by itself."""
    own: dict[str, float] = {}
    for one in passes.times:
        if one.thread == passes.compiling and one.kind == kind:
            own[one.path[-1]] = own.get(one.path[-1], 0.0) + one.exclusive_s
    return max(own, key=lambda name: own[name], default=None)
