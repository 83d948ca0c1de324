"""The record of a timing: per program the seconds of each stage, how sure they are, and the machine they were taken on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ltc_ir.records.environment import Environment
from ltc_ir.records.passes import Passes
from ltc_ir.records.shape import Natural, Number, Shape

COLD = ("trace", "lower", "compile", "first")
"""The stages of a cold start, in the order they are passed."""
STAGES = (*COLD, "steady", "eager")
"""The stages every program has, measured or ``None`` with a reason."""
MORE_STAGES = ("compile_warm", "op_by_op")
"""The stages a program has where they were asked for."""
CALLS = ("steady", "eager")
"""The calls whose ratio is drawn."""
_PAYING = (*COLD[:-1], *CALLS)
"""What the break-even is made of."""


@dataclass(frozen=True)
class Stage:
    """The seconds of one stage over its runs.

    ``low_s`` and ``high_s`` are the order-statistics interval of the median at the confidence asked for, ``None`` with too
    few runs for one. ``enough`` says whether it lies as near the median as was asked; if not, ``stopped`` says what ended
    the measuring. A run of a short call is the mean of ``calls`` calls in a row. ``warmup_s`` is the run before the
    measured ones, which no figure holds; without one, the only run there is was the first.
    """

    median_s: Number
    min_s: Number
    max_s: Number
    runs: Natural
    low_s: Number | None = None
    high_s: Number | None = None
    enough: bool = False
    stopped: str | None = None
    calls: Natural = 1
    warmup_s: Number | None = None
    SHAPE: ClassVar = Shape(derived=("first_only",))

    @property
    def first_only(self) -> bool:
        """Whether the time allowed the first run alone, which may hold what is done once: not what a median stands for."""
        return self.runs == 1 and self.warmup_s is None


@dataclass(frozen=True)
class Peak:
    """The highest resident memory of the process during a step, in bytes, and how far above where the step began."""

    peak_bytes: Natural
    added_bytes: int


@dataclass(frozen=True)
class Memory:
    """Memory of the compile and of the run: resident bytes of the process, and XLA's own analysis of the program."""

    compile: Peak | None = None
    run: Peak | None = None
    xla: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Cause:
    """What stands behind the largest stage of the cold start: how many of what, and the source line with most of them.

    ``first_only`` says that the seconds are of a first run alone.
    """

    stage: str
    stage_s: Number
    cold_s: Number
    number: Natural | None = None
    unit: str | None = None
    source: str | None = None
    source_number: Natural | None = None
    first_only: bool = False
    SHAPE: ClassVar = Shape(derived=("sentence",))

    @property
    def sentence(self) -> str:
        """The cause in one sentence, drawn from its figures alone."""
        stage = {"first": "first call"}.get(self.stage, self.stage)
        text = f"{stage} {seconds(self.stage_s)} of {seconds(self.cold_s)}"
        text += " (one run, the first)" if self.first_only else ""
        if self.number is not None:
            text += f": {self.number:,} {self.unit}"
        if self.source is not None and self.source_number is not None:
            text += f", most from {self.source} ({self.source_number:,})"
        return text


@dataclass(frozen=True)
class ProgramTiming:
    """The timing of one program; ``reasons`` says why a stage or another figure is ``None``.

    ``whole`` is the cold start measured from outside: from before the trace until the first result was there. ``passes`` is
    one more compile, by pass, where that was asked for.
    """

    stages: Mapping[str, Stage | None]
    whole: Stage | None = None
    memory: Memory = field(default_factory=Memory)
    cause: Cause | None = None
    passes: Passes | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    SHAPE: ClassVar = Shape(derived=("covered", "break_even_calls", "eager_over_steady"))

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """With every stage, the reasons of derived figures that are missing, and the compile by pass among its own keys."""
        derived = {"break_even_calls": self.why_no_break_even, "eager_over_steady": self.why_no_ratio}
        data["reasons"] |= {key: why for key, why in derived.items() if why is not None}
        more = [stage for stage in MORE_STAGES if stage in self.stages]
        data["stages"] = {stage: data["stages"].get(stage) for stage in (*STAGES, *more)}
        passes = data.pop("passes")
        return data | (passes or ({"passes": None} if "passes" in data["reasons"] else {}))

    @staticmethod
    def from_json(data: dict[str, Any]) -> dict[str, Any]:
        """The inverse."""
        derived = {"break_even_calls", "eager_over_steady"}
        data["reasons"] = {key: why for key, why in data["reasons"].items() if key not in derived}
        if data.get("passes") is not None:
            data["passes"] = {key: data.pop(key) for key in ("passes", "kernels", "compiler")}
        return data

    def seconds(self, stage: str) -> float | None:
        """The median of a stage; ``None`` where it was not measured."""
        made = self.stages.get(stage)
        return None if made is None else made.median_s

    @property
    def cost_s(self) -> float | None:
        """What compiling costs: trace, lower and compile."""
        parts = [self.seconds(stage) for stage in ("trace", "lower", "compile")]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    @property
    def cold_s(self) -> float | None:
        """The stages of the cold start together."""
        cost, first = self.cost_s, self.seconds("first")
        return None if cost is None or first is None else cost + first

    @property
    def covered(self) -> float | None:
        """The stages' sum as a share of the whole measured from outside."""
        cold = self.cold_s
        return cold / self.whole.median_s if cold is not None and self.whole and self.whole.median_s else None

    @property
    def first_only(self) -> tuple[str, ...]:
        """The stages that only a first run was had of."""
        return tuple(name for name, made in self.stages.items() if made is not None and made.first_only)

    @property
    def eager_over_steady(self) -> float | None:
        """How many times longer a call takes without `jax.jit`; ``None`` where it cannot be told."""
        eager, steady = self.seconds("eager"), self.seconds("steady")
        if self._unfit(CALLS) is not None or eager is None or not steady:
            return None
        return eager / steady

    @property
    def why_no_ratio(self) -> str | None:
        """Why `eager_over_steady` is ``None``; ``None`` where it is not."""
        return None if self.eager_over_steady is not None else self._unfit(CALLS) or "steady took no time"

    @property
    def break_even_calls(self) -> int | None:
        """After how many calls the compile has paid for itself; ``None`` where it never does or cannot be told."""
        cost, eager, steady = self.cost_s, self.seconds("eager"), self.seconds("steady")
        if self._unfit(_PAYING) is not None or cost is None or eager is None or steady is None or eager <= steady:
            return None
        return math.ceil(cost / (eager - steady))

    @property
    def why_no_break_even(self) -> str | None:
        """Why there is no break-even; ``None`` where there is one."""
        if self.break_even_calls is not None:
            return None
        return self._unfit(_PAYING) or "a call without jit takes no longer than a compiled one"

    def _unfit(self, stages: Sequence[str]) -> str | None:
        """Why nothing is to be made of these stages together: a first run may hold what no later one does."""
        missing = next((stage for stage in stages if self.stages.get(stage) is None), None)
        if missing is not None:
            return f"{missing} was not measured"
        first = [stage for stage in stages if stage in self.first_only]
        return f"only the first run of {', '.join(first)} was had; give --limit more" if first else None


@dataclass(frozen=True)
class Machine:
    """What the figures were taken on; ``load_before`` and ``load_after`` are the load averages of one minute."""

    cpu: str | None = None
    cores: Natural | None = None
    usable_cores: Natural | None = None
    memory_bytes: Natural | None = None
    device: str | None = None
    flags: str | None = None
    load_before: Number | None = None
    load_after: Number | None = None


@dataclass(frozen=True)
class Settings:
    """How was measured: what was asked for, and the state of the caches.

    ``confidence`` and ``within`` are shares: the interval of the median that holds with ``confidence`` was to lie within
    ``within`` of it. ``limit_s`` caps the measuring of one program.
    """

    confidence: Number = 0.9
    within: Number = 0.1
    repeat: int | None = None
    limit_s: Number = 30.0
    eager: bool = True
    op_by_op: bool = False
    warm: bool = False
    passes: bool = False
    fill: str | None = None
    apart: bool = False
    caches: str = "cleared before every cold run; no persistent compilation cache"


@dataclass(frozen=True)
class Ended:
    """What ended a timing before it was done: the exit code of its kind, and in which program and stage."""

    code: int
    message: str
    hint: str | None = None
    detail: str | None = None
    program: str | None = None
    stage: str | None = None


@dataclass(frozen=True)
class Timing:
    """The timings of a target's programs.

    ``unavailable`` names the programs that could not be made, each with its reason. ``ended`` says what cut the timing
    short, where something did; what was measured until then stands.
    """

    target: str
    environment: Environment
    machine: Machine
    settings: Settings
    programs: Mapping[str, ProgramTiming] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)
    ended: Ended | None = None
    notes: tuple[str, ...] = ()
    kind: str = "time"
    SHAPE: ClassVar = Shape(optional=("unavailable", "ended", "notes"))

    def closed(self, ended: Ended | None = None) -> Timing:
        """The same timing, ended so, with a reason for every stage that was not reached."""
        ended = ended or self.ended
        why = "not reached" if ended is None else f"not reached: {ended.message}"
        programs = {}
        for name, made in self.programs.items():
            missing = {stage: why for stage in STAGES if made.stages.get(stage) is None}
            if self.settings.passes and made.passes is None:
                missing["passes"] = why
            stages = {**dict.fromkeys(STAGES), **made.stages}
            programs[name] = replace(made, stages=stages, reasons={**missing, **made.reasons})
        return replace(self, programs=programs, ended=ended)


_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def seconds(value: float | None) -> str:
    """Seconds with three digits that count and a unit that suits them; nothing for what is not there."""
    if value is None:
        return ""
    for size, unit in _UNITS:
        if value >= size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{value / 1e-9:.2f} ns" if value else "0 s"


def _three_digits(number: float) -> str:
    if number >= 999.5:
        return f"{number:,.0f}"
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}"
