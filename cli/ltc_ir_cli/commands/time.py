"""The ``time`` command: what each stage of a program costs, and after how many calls its compile has paid for itself."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001, PLR0917

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ltc_ir.errors import LtcIrError, UsageError, rank
from ltc_ir.render.formats import WITH_PASSES, renderer
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import complain, stdout_is_data
from ltc_ir_cli.emit import emit, laid_out
from ltc_ir_cli.parameters import Option
from ltc_ir_cli.progress import bar, swept

if TYPE_CHECKING:
    from ltc_ir.records.timing import Timing

LIMIT_S, SWEEP_LIMIT_S = 30.0, 5.0
"""Seconds after which no further run of a program begins, where nobody says otherwise."""
_UNITS = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}

Repeat = Annotated[
    int | None, Option("--repeat", metavar="N", min=1, help="Exactly N runs of each stage", show_default=False)
]
Confidence = Annotated[
    float, Option("--confidence", metavar="PERCENT", help="How sure the interval of each median is to be")
]
Within = Annotated[float, Option("--within", metavar="PERCENT", help="How near the median that interval is to lie")]
Limit = Annotated[
    float | None,
    Option(
        "--limit", metavar="SECONDS", help="No further run of a program begins after that (30; 5 at each size of a sweep)",
        show_default=False, callback=opt.seconds,
    ),
]  # fmt: skip
MemoryLimit = Annotated[
    str | None,
    Option(
        "--memory", metavar="SIZE", help="What takes more memory is ended, e.g. 4GiB (most of the machine's)",
        show_default=False,
    ),
]  # fmt: skip
Top = Annotated[
    int | None,
    Option(
        "--top", metavar="N", min=1, help="With --passes: only the N largest rows of each table", show_default=False
    ),
]
Eager = Annotated[
    bool | None,
    Option(
        "--eager/--no-eager", help="Call the function without jax.jit, too (the default, but in a sweep)",
        show_default=False,
    ),
]  # fmt: skip
Fill = Annotated[
    str | None,
    Option(
        "--fill", metavar="zeros|normal:SEED", callback=opt.given, show_default=False,
        help="Values for arguments that are shapes alone",
    ),
]  # fmt: skip


def time(
    target: opt.ManyTargets = None,
    program: opt.Programs = None,
    eager: Eager = None,
    op_by_op: Annotated[bool, Option("--op-by-op", help="And with every jax.jit inside disabled")] = False,
    warm: Annotated[bool, Option("--warm", help="Compile from a persistent compilation cache, too")] = False,
    passes: Annotated[bool, Option("--passes", help="Compile time by pass and kernel, too")] = False,
    top: Top = None,
    repeat: Repeat = None,
    confidence: Confidence = 90.0,
    within: Within = 10.0,
    limit: Limit = None,
    timeout: opt.Timeout = 600.0,
    memory: MemoryLimit = None,
    fill: Fill = None,
    sweep: opt.Sweep = None,
    options: opt.TargetOptions = opt.TARGET_OPTIONS,
    format: Annotated[str, opt.format_option("time")] = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    machine: opt.Machine = opt.MACHINE,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """Time trace, lower, compile, first call, steady calls and calls without jax.jit."""
    targets = target or ["ltc"]
    if sweep is None:
        render = opt.renderer("time", format)
        _refuse_unheeded(format, passes, top, targets, opt.words(program))
    else:
        _refuse_in_sweep(
            targets, {"--passes": passes, "--top": top is not None, "--warm": warm, "--op-by-op": op_by_op}
        )
    limit = limit if limit is not None else LIMIT_S if sweep is None else SWEEP_LIMIT_S
    eager = eager if eager is not None else sweep is None
    asked: dict[str, Any] = {
        "options": options.of_one(targets),
        "programs": opt.words(program) or None, "platform": machine.platform, "x64": machine.x64, "repeat": repeat,
        "confidence": confidence / 100, "within": within / 100, "limit_s": limit, "timeout_s": timeout,
        "memory_bytes": _bytes(memory), "eager": eager, "op_by_op": op_by_op, "warm": warm,
        "passes": passes, "fill": fill,
    }  # fmt: skip
    if sweep is not None:
        return swept(targets[0], sweep, format, output, {**asked, "timed": True})
    with stdout_is_data():
        timings = _timed(targets, asked, limit)
        if any(timing.programs for timing in timings) and not _lost(format, timings):
            emit(render(timings, top=top), output)
    _raise_first(timings)
    return None


def _refuse_in_sweep(targets: Sequence[str], shape: dict[str, bool]) -> None:
    """Refuse what a sweep has no place for."""
    if len(targets) != 1:
        raise UsageError(
            f"--sweep is over one target, not {len(targets)}", "name the one target, and sweep each in turn"
        )
    for option, value in shape.items():
        if value:
            raise UsageError(
                f"--sweep follows each stage over a size, so {option} has no place in it",
                f"leave {option} out, or --sweep",
            )


def _refuse_unheeded(
    format: str, passes: bool, top: int | None, targets: Sequence[str], programs: Sequence[str]
) -> None:
    """Refuse, before anything is timed, what no output could heed."""
    of_passes = renderer("time", format).needs == WITH_PASSES
    if not passes and of_passes:
        raise UsageError(f"{format} holds a compile by pass, which was not asked for", "add --passes")
    if not passes and top is not None:
        raise UsageError("--top shortens the tables of passes, and there are none", "add --passes, or leave out --top")
    if of_passes and (len(targets) != 1 or len(programs) != 1):
        from ltc_ir.render.layouts.passes import ONE_PROGRAM

        raise UsageError(f"{format} holds the compile of one program", ONE_PROGRAM)
    if passes and format == "csv":
        raise UsageError(
            "CSV has a line a program, and no place for passes", "take --format json, or leave out --passes"
        )


def _lost(format: str, timings: Sequence[Timing]) -> bool:
    """Whether what the format holds was not reached, because something ended the work before: that is said, not this."""
    cut_short = any(timing.ended is not None for timing in timings)
    reached = any(made.passes is not None for timing in timings for made in timing.programs.values())
    return renderer("time", format).needs == WITH_PASSES and cut_short and not reached


def _timed(targets: Sequence[str], asked: dict[str, Any], limit: float) -> list[Timing]:
    """The timing of each target; an interrupt shows the figures so far and goes on its way."""
    from ltc_ir.api.time import INTERRUPTED, time_so_far

    timings: list[Timing] = []
    with bar(limit) as show:
        for name in targets:
            at = None if show is None else _teller(name, show)
            timings.append(time_so_far(name, **asked, **({} if at is None else {"at": at})))
            ended = timings[-1].ended
            if ended is not None and ended.code == INTERRUPTED:
                break
    if ended is not None and ended.code == INTERRUPTED:
        _show_so_far(timings)
        raise KeyboardInterrupt
    return timings


def _teller(target: str, show: Any) -> Any:
    def at(program: str, stage: str, run: int) -> None:
        show(f"{target} {program}", f"{stage}, {'warming up' if run == 0 else f'run {run}'}")

    return at


def _show_so_far(timings: Sequence[Timing]) -> None:
    if any(timing.programs for timing in timings):
        sys.stderr.write(laid_out(renderer("time", "table")(timings), "stderr"))


def _raise_first(timings: Sequence[Timing]) -> None:
    """Raise what ended a timing; of several the worst, the others said before it."""
    from ltc_ir.api.time import failure_of

    failures = [failure_of(timing.ended) for timing in timings if timing.ended is not None]
    errors = sorted(
        (error for error in failures if isinstance(error, LtcIrError)), key=lambda error: rank(error.exit_code)
    )
    for error in errors[1:]:
        complain(error)
    if errors:
        raise errors[0]


def _bytes(text: str | None) -> int | None:
    """A size such as ``4GiB`` or ``500MiB``."""
    if text is None:
        return None
    number = text.rstrip("".join(set("bkmgiBKMGI"))).strip()
    unit = text[len(number) :].strip().lower()
    try:
        size = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        raise UsageError(f"--memory: {text!r} is no size", "write a size such as 4GiB or 500MiB") from None
    if not 0 < size < 1 << 60:
        raise UsageError(f"--memory: {text!r} is no memory a program can do with", "write a size such as 4GiB")
    return round(size)
