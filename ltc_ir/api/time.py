"""The verb `time`: what each stage of a program costs; a target by name in a process of its own, others in this one."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

from ltc_ir.errors import LtcIrError, UsageError, error_of
from ltc_ir.files import names_stored_file
from ltc_ir.records.request import Options, Request
from ltc_ir.records.timing import Ended, Settings, Timing
from ltc_ir.targets import prepare

TIMEOUT_S = 600.0
"""Seconds one program may take in all where nobody says otherwise."""
INTERRUPTED = 130
"""The code of a timing that Ctrl-C ended."""
MEMORY_SHARE = 0.9
"""The share of the machine's memory that a target may take where nobody says otherwise."""


def time(target: prepare.Inspectable = "ltc", **asked: Any) -> Timing:
    """Time a target's programs: trace, lower, compile, first call, steady calls, and calls without `jax.jit`.

    Args:
        target: a name, a Target, or a function (with ``args``). A name is timed in a process of its own.
        asked: the arguments of `time_so_far`.

    Every cold run starts from cleared caches (`jax.clear_caches`) and a function object JAX has not seen, without a
    persistent compilation cache; results are awaited; Python's garbage collector is held during each measurement.

    Raises:
        UsageError: bad input. TargetError: the function failed. LimitError: it took too long or too much memory.
    """
    timing = time_so_far(target, **asked)
    if timing.ended is not None:
        raise failure_of(timing.ended)
    return timing


def time_so_far(
    target: prepare.Inspectable = "ltc",
    *,
    programs: Collection[str] | None = None,
    repeat: int | None = None,
    confidence: float = 0.9,
    within: float = 0.1,
    limit_s: float = 30.0,
    eager: bool = True,
    op_by_op: bool = False,
    warm: bool = False,
    passes: bool = False,
    fill: str | None = None,
    args: tuple[Any, ...] | None = None,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
    timeout_s: float | None = TIMEOUT_S,
    memory_bytes: int | None = None,
    at: Callable[[str, str, int], None] | None = None,
) -> Timing:
    """Time a target's programs; what ends the work before its end is in the record, with what was measured until then.

    Args:
        target: a name, a Target, or a function (with ``args``).
        programs: the programs to time; all that the target has where ``None``.
        repeat: runs of every stage; where ``None`` as many as ``confidence`` needs.
        confidence: how sure the interval of each median is to be, a share.
        within: how near the median the interval is to lie, a share of it.
        limit_s: seconds after which no further run of a program begins.
        eager: time the Python function without `jax.jit`.
        op_by_op: time it with every `jax.jit` inside disabled as well.
        warm: time the compile of a program that the persistent compilation cache holds, too.
        passes: compile once more, after all measuring, and say which pass and which kernel took the time.
        fill: what arguments that are shapes alone are filled with: ``zeros`` or ``normal:SEED``.
        args: the example arguments of a function given as such.
        options: what else is said about a target found by name.
        platform: refused where it is not this machine's.
        x64: enable or disable 64-bit types; as configured where ``None``.
        timeout_s: seconds one program may take in all, of a target by name; no bound where ``None``.
        memory_bytes: bytes of memory a target by name may take; most of the machine's where ``None``.
        at: is told the program, the stage and the run that are at work.
    """
    from ltc_ir.targets.example_values import parse_filling

    parse_filling(fill)
    settings = _checked(Settings(confidence, within, repeat, limit_s, eager, op_by_op, warm, passes, fill))
    names = None if programs is None else [programs] if isinstance(programs, str) else list(programs)
    if isinstance(target, str):
        from ltc_ir.timing.isolated import time_isolated
        from ltc_ir.workers.limits import Limits

        _refuse_file(target)
        request = Request(None if names is None else tuple(names), options=options, platform=platform, x64=x64)
        return time_isolated(target, request, settings, Limits(timeout_s, memory_bytes or _most_memory()), at)
    from ltc_ir.timing.session import Session, Watch

    with prepare.configured(x64):
        return Session(prepare.resolve(target, args, options), settings, Watch(at)).time(names, platform)


def _most_memory() -> int | None:
    """The bytes that a target may take on this machine; ``None`` where it does not say what it has."""
    from ltc_ir.timing import machine

    there = machine.memory_bytes()
    return None if there is None else round(there * MEMORY_SHARE)


def _checked(settings: Settings) -> Settings:
    """Refuse what no measuring can keep to."""
    wrong = (
        (not 0 < settings.confidence < 1, f"a confidence of {settings.confidence:.0%}", "it lies between 0 and 100 %"),
        (
            not 0 < settings.within < math.inf,
            f"an interval of {settings.within:.0%}",
            "say how near the median it is to lie, as in 10 %",
        ),
        (settings.repeat is not None and settings.repeat < 1, f"{settings.repeat} runs", "one is the least"),
        (
            not 0 < settings.limit_s < math.inf,
            f"a limit of {settings.limit_s:g} s",
            "give the seconds a program may be measured for",
        ),
    )
    for is_wrong, what, hint in wrong:
        if is_wrong:
            raise UsageError(f"cannot time with {what}", hint)
    return settings


def _refuse_file(target: str) -> None:
    if names_stored_file(target):
        raise UsageError(f"{target} is a stored file, which cannot be run", "give a function or a Target")


def failure_of(ended: Ended) -> LtcIrError | KeyboardInterrupt:
    """The error that a timing was ended by."""
    if ended.code == INTERRUPTED:
        return KeyboardInterrupt()
    return error_of(ended.code, ended.message, ended.hint, ended.detail)
