"""The verb `sweep`: a target counted, and timed where that is asked, at each size of one parameter, and how fast each grows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ltc_ir.api.count import count_request
from ltc_ir.api.time import INTERRUPTED, failure_of, time_so_far
from ltc_ir.errors import LtcIrError, TargetError, UsageError
from ltc_ir.files import names_stored_file
from ltc_ir.records.count import Count, LevelCount
from ltc_ir.records.request import DEFAULT_LEVELS, Options, Request, parse_request
from ltc_ir.records.sweep import Sweep, SweepPoint
from ltc_ir.records.timing import Ended, ProgramTiming, Timing
from ltc_ir.records.vocabulary import Level

if TYPE_CHECKING:
    from ltc_ir.targets.prepare import Inspectable

LIMIT_S = 5.0
"""Seconds after which no further run of a program begins, at each size, where nobody says otherwise."""

LARGEST = 1 << 40
"""The largest size: no array has more elements."""

At = Callable[[int, str, str, int], None]


def sweep(target: Inspectable, parameter: str, values: Collection[int], **asked: Any) -> Sweep:
    """Count a target at several sizes, and time it where ``timed``; each figure's growth is fitted.

    Args:
        target: a name, a Target, or a function (with ``args``).
        parameter: a size the target offers (`Target.sizes`), ``x.0`` for the first dimension of the argument ``x``
            (``x.0+y.1`` for two that belong together), or a static argument; of a name also one that its arguments leave
            open, as in ``f32[n,8]``.
        values: the sizes, at least two.
        asked: the further arguments of `sweep_so_far`.

    Raises:
        UsageError: bad input. TargetError: the function failed. LimitError: it took too long or too much memory.
    """
    made = sweep_so_far(target, parameter, values, **asked)
    if made.ended is not None:
        raise failure_of(made.ended)
    return made


def sweep_so_far(
    target: Inspectable,
    parameter: str,
    values: Collection[int],
    *,
    timed: bool = False,
    programs: Collection[str] | None = None,
    levels: Collection[str] | None = None,
    ops: Collection[str] = (),
    phases: Collection[str] = (),
    args: tuple[Any, ...] | None = None,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
    text: bool = True,
    at: At | None = None,
    **timing: Any,
) -> Sweep:
    """Sweep a target; what ends the work before its end is in the record, with what was measured until then.

    Args:
        target: as in `sweep`.
        parameter: as in `sweep`.
        values: as in `sweep`.
        timed: time each program at each size, too; the machine must be of the platform.
        programs: the programs to follow; all that the target has where ``None``.
        levels: the levels to count; all three where ``None``, of another machine's platform jaxpr and stablehlo.
        ops: operations to narrow the sizes to.
        phases: phases to narrow the sizes to.
        args: the example arguments of a function given as such.
        options: what else is said about a target found by name.
        platform: what to lower for; this machine's where ``None``.
        x64: enable or disable 64-bit types; as configured where ``None``.
        text: print StableHLO for its lines.
        at: is told the size, the program, the stage and the run that are at work.
        timing: further arguments of `ltc_ir.time`; there is no ``eager`` and a ``limit_s`` of `LIMIT_S` where nobody asks.
    """
    if isinstance(target, str) and names_stored_file(target):
        raise UsageError(f"{target} is a stored file, whose sizes are fixed", "give a function or a Target")
    if timing and not timed:
        raise UsageError(f"{', '.join(timing)}: says how to time, and nothing is timed", "add timed=True")
    sizes = _checked(parameter, values)
    subject = _Subject(target, args, options, parameter)
    request = parse_request(
        programs=programs, levels=levels or _levels(platform), ops=ops, phases=phases, sources=False, text=text,
        platform=platform, x64=x64,
    )  # fmt: skip
    how = {"eager": False, "limit_s": LIMIT_S, **timing, "platform": platform, "x64": x64}
    measure = partial(time_so_far, programs=request.programs, **how) if timed else None
    walk = _Walk(subject, request, measure, at, confidence=timing.get("confidence", 0.9))
    return walk.over(sizes)


def _checked(parameter: str, values: Collection[int]) -> tuple[int, ...]:
    """The sizes in increasing order, each once; refused where there are no two."""
    if not isinstance(parameter, str):
        raise UsageError(f"a size is named by a string, not by {type(parameter).__name__}", 'as in "x.0"')
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UsageError(f"a size is an integer, which {value!r} is not", "write them as in (8, 16, 32)")
        if not 1 <= value <= LARGEST:
            raise UsageError(f"a size of {value} cannot be swept over", f"sizes lie between 1 and {LARGEST:,}")
    sizes = tuple(sorted(set(values)))
    if len(sizes) < 2:
        raise UsageError("a sweep needs two sizes at least", "write them as in n=8,16,32")
    return sizes


def _levels(platform: str | None) -> tuple[Level, ...]:
    """All levels, or those that can be had for another machine."""
    from ltc_ir.targets.stages import platform_here

    return tuple(Level) if platform in (None, platform_here()) else DEFAULT_LEVELS


@dataclass(frozen=True)
class _Subject:
    """What is swept over, and how it is asked for at one size."""

    target: Inspectable
    args: tuple[Any, ...] | None
    options: Options | None
    parameter: str

    def at(self, value: int) -> tuple[Inspectable, Options | None]:
        """The target at one size, and its options; a name stays a name, so that it can be timed in another process."""
        if isinstance(self.target, str):
            return self.target, replace(self.options or Options(), size=(self.parameter, value))
        from ltc_ir.targets.prepare import refuse_options, resolve
        from ltc_ir.targets.sizes import resized

        refuse_options(self.target, self.options)
        return resized(resolve(self.target, self.args), self.parameter, value), None


@dataclass
class _Walk:
    """A sweep as far as it has come."""

    subject: _Subject
    request: Request
    measure: Callable[..., Timing] | None
    at: At | None
    confidence: float
    made: Sweep | None = None
    timings: list[Timing] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def over(self, sizes: tuple[int, ...]) -> Sweep:
        """The sweep over these sizes, or until something ends it."""
        for value in sizes:
            ended = self._one(value, sizes)
            if ended is not None:
                self.made = replace(self._begun(sizes), ended=ended)
                break
        return self._closed(self._begun(sizes))

    def _one(self, value: int, sizes: tuple[int, ...]) -> Ended | None:
        """Follow the target to one size; what ended the work there.

        It is timed first, in a process that ends where it hangs or fills the memory: what is counted after that was traced
        and compiled before.
        """
        try:
            target, options = self.subject.at(value)
            timing = None if self.measure is None else self._timed(value, self.measure, target, options)
            ended = None if timing is None or timing.ended is None else _at(value, timing.ended)
            whole = self.request.programs if timing is None else _whole(timing)
            if timing is not None and not whole:
                self.made = self._begun(sizes, timing)
                return ended
            self._tell(value, "counting")
            counted = count_request(target, replace(self.request, programs=whole, options=options))
        except (LtcIrError, KeyboardInterrupt) as error:
            if self.made is None:
                raise  # there are no figures so far
            return _ended(error, value)
        self.made = self._begun(sizes, timing or counted)
        self._take(value, counted, timing)
        return ended

    def _take(self, value: int, counted: Count, timing: Timing | None) -> None:
        made = replace(self.made or self._begun((), counted), filters=counted.filters)
        made = made if timing is not None or made.unavailable else replace(made, unavailable=counted.unavailable)
        for name, levels in counted.programs.items():
            of_stages = None if timing is None else timing.programs.get(name)
            made = made.with_point(name, _point(value, levels, of_stages, bool(made.filters)))
            self.seen.update(op for one in levels.values() for op in one.tally.ops)
        self.made = made

    def _timed(
        self, value: int, measure: Callable[..., Timing], target: Inspectable, options: Options | None
    ) -> Timing:
        def tell(program: str, stage: str, run: int) -> None:
            self._tell(value, program, stage, run)

        timing = measure(target, options=options, at=tell)
        self.timings.append(timing)
        return timing

    def _begun(self, sizes: tuple[int, ...], first: Count | Timing | None = None) -> Sweep:
        """The sweep so far; before its first point, what that tells of target and environment."""
        if self.made is not None:
            return self.made
        assert first is not None
        made = Sweep(
            first.target, self.subject.parameter, sizes, first.environment, confidence=self.confidence,
            unavailable=first.unavailable, notes=first.notes,
        )  # fmt: skip
        return made if isinstance(first, Count) else replace(made, machine=first.machine, settings=first.settings)

    def _closed(self, made: Sweep) -> Sweep:
        from ltc_ir.tables.growth import with_growth

        programs = {name: with_growth(program, self.confidence) for name, program in made.programs.items()}
        machine = made.machine
        if machine is not None and self.timings:
            machine = replace(machine, load_after=self.timings[-1].machine.load_after)
        absent = [op for op in sorted(self.request.ops) if not self.seen & {op, *_dialects(op, self.seen)}]
        notes = (*made.notes, *(f"there is no operation {op!r} in what was counted" for op in absent))
        return replace(made, programs=programs, machine=machine, notes=notes)

    def _tell(self, value: int, program: str, stage: str = "", run: int = 0) -> None:
        if self.at is not None:
            self.at(value, program, stage, run)


def _dialects(op: str, seen: set[str]) -> set[str]:
    """What was seen of an operation that was named without its dialect."""
    return {one for one in seen if one.rpartition(".")[2] == op}


def _whole(timing: Timing) -> tuple[str, ...]:
    """The programs that were timed to their end."""
    broken = None if timing.ended is None else timing.ended.program
    return tuple(name for name in timing.programs if name != broken)


def _at(value: int, ended: Ended) -> Ended:
    return replace(ended, message=f"at {value}: {ended.message}")


def _ended(error: LtcIrError | KeyboardInterrupt, value: int) -> Ended:
    if isinstance(error, KeyboardInterrupt):
        return Ended(INTERRUPTED, f"at {value}: interrupted")
    detail = error.detail if isinstance(error, TargetError) else None
    return Ended(error.exit_code, f"at {value}: {error.message}", error.hint, detail)


def _point(value: int, levels: Mapping[str, LevelCount], timed: ProgramTiming | None, narrowed: bool) -> SweepPoint:
    """The figures of one program at one size; a narrowed count has no figure of the whole."""
    figures: dict[str, Any] = {level: made.tally.total for level, made in levels.items()}
    if not narrowed:
        figures |= dict(_of_levels(levels))
    spans: dict[str, tuple[float, float]] = {}
    runs: dict[str, int] = {}
    reasons = {name: _why(name, levels) for name, figure in figures.items() if figure is None}
    if timed is not None:
        for name, stage in _STAGES.items():
            made = timed.stages.get(stage)
            if made is not None:
                figures[name], runs[name] = made.median_s, made.runs
                spans |= {name: (made.low_s, made.high_s)} if made.low_s is not None and made.high_s is not None else {}
            elif not timed.reasons.get(stage, "").startswith("not asked"):
                reasons[name] = timed.reasons.get(stage, "not measured")
        for name, peak in (("compile_peak_bytes", timed.memory.compile), ("run_peak_bytes", timed.memory.run)):
            figures |= {} if peak is None else {name: peak.added_bytes}
    known = {name: float(figure) for name, figure in figures.items() if figure is not None}
    first = () if timed is None else timed.first_only
    return SweepPoint(value, known, spans, reasons, runs, frozenset(name for name in runs if _STAGES[name] in first))


_STAGES = {
    "trace_s": "trace", "lower_s": "lower", "compile_s": "compile", "steady_s": "steady", "eager_s": "eager",
}  # fmt: skip


def _of_levels(levels: Mapping[str, LevelCount]) -> Iterator[tuple[str, float | None]]:
    if "stablehlo" in levels and levels["stablehlo"].lines is not None:  # None where the text was not to be printed
        yield "lines", levels["stablehlo"].lines
    if "hlo" in levels:
        made = levels["hlo"]
        yield "flops", made.flops
        for name in ("temporary_bytes", "argument_bytes"):
            yield name, (made.memory or {}).get(name)


def _why(name: str, levels: Mapping[str, LevelCount]) -> str:
    """Why a figure of XLA's is not there."""
    return levels["hlo"].reasons.get("flops" if name == "flops" else "memory", "XLA has no such figure here")
