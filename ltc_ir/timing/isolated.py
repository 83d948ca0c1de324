"""Times a target by name in a separate process with limits; the figures so far are kept when it is ended."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ltc_ir.errors import LtcIrError, TargetError
from ltc_ir.records.environment import Environment
from ltc_ir.records.request import Request
from ltc_ir.records.serialization import pack, unpack
from ltc_ir.records.timing import Ended, Machine, Settings, Timing
from ltc_ir.workers.child import tell
from ltc_ir.workers.deaths import MEMORY, is_killed
from ltc_ir.workers.limits import DeadlineError, Limits, MemoryLimitError, WorkerDiedError
from ltc_ir.workers.pool import Pool
from ltc_ir.workers.xla_flags import refused_flags

TELL_EVERY_S = 0.1
"""Seconds between two messages about one stage."""
INTERRUPTED = 130
"""The exit code of an interrupt."""

At = Callable[[str, str, int], None]


def time_isolated(target: str, request: Request, settings: Settings, limits: Limits, at: At | None = None) -> Timing:
    """The timing of a target in a separate process; the record holds what ended it early.

    Args:
        target: its name.
        request: the programs, options, platform and x64.
        settings: how to measure.
        limits: seconds for each program, the start of the process included, and bytes of memory.
        at: called with the current program, stage and run.

    Raises:
        JobBugError: timing failed with an unexpected error.
    """
    settings = replace(settings, apart=True)
    progress = _Progress(Timing(target, Environment(), Machine(), settings), at)
    ended = None
    try:
        with Pool(limits=limits, hear=progress.hear) as pool:
            pool.submit(f"{__name__}:run", target, pack(request), pack(settings)).result()
    except KeyboardInterrupt:
        ended = progress.ended(INTERRUPTED, "interrupted")
    except (DeadlineError, MemoryLimitError, WorkerDiedError) as error:
        ended = _ended(error, progress)
    except LtcIrError as error:
        detail = error.detail if isinstance(error, TargetError) else None
        ended = Ended(error.exit_code, error.message, error.hint, detail)
    return progress.timing.closed(ended)


def _ended(error: DeadlineError | MemoryLimitError | WorkerDiedError, progress: _Progress) -> Ended:
    """The end of a timing whose process was ended: by a limit of ours, or by the target itself, or by XLA."""
    died = isinstance(error, WorkerDiedError)
    flags = refused_flags() if died else None
    if flags is not None:
        return progress.ended(flags.exit_code, flags.message, flags.hint)
    return progress.ended(TargetError.exit_code if died else error.exit_code, *_words(error, progress.where))


class _Progress:
    """The progress of a timing: the figures so far, and the current program and stage."""

    def __init__(self, timing: Timing, at: At | None) -> None:
        self.timing = timing
        self.program: str | None = None
        self.stage: str | None = None
        self._at = at

    def hear(self, message: Mapping[str, Any]) -> None:
        """Receive a message of the process: figures, or the current program and stage."""
        if "timing" in message:
            self.timing = unpack(message["timing"], Timing, "the timing")
        else:
            self.program, self.stage, run = message["at"]
            if self._at is not None:
                self._at(str(self.program), str(self.stage), run)

    def ended(self, code: int, message: str, hint: str | None = None) -> Ended:
        """The end of the work, with the current program and stage."""
        return Ended(code, message, hint, program=self.program, stage=self.stage)

    @property
    def where(self) -> str:
        """The current program and stage, in words."""
        if self.program is None:
            return f"{self.timing.target}, before its first program"
        return f"{self.timing.target} {self.program}, in {self.stage}"


def _words(error: DeadlineError | MemoryLimitError | WorkerDiedError, where: str) -> tuple[str, str]:
    """The message and the hint for the error that ended the process."""
    if isinstance(error, DeadlineError):
        message = f"{where}, was not done after {error.seconds:g} s (--timeout)"
        return message, "give it more with --timeout, or smaller arguments"
    if isinstance(error, MemoryLimitError):
        message = f"{where}, took {error.used >> 20:,} MiB of memory; allowed are {error.allowed >> 20:,} (--memory)"
        return message, "give it smaller arguments, or allow more with --memory"
    hint = MEMORY if is_killed(error.code) else "run the function by itself"
    return f"{where}: {error.how}", hint


def run(name: str, plain: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """The job: time the requested programs, and send each figure and, now and then, the current stage."""
    from ltc_ir.targets import prepare
    from ltc_ir.timing.session import Session, Watch

    request = unpack(plain, Request, "the request of a timing")
    with prepare.configured(request.x64):
        target = prepare.resolve(name, None, request.options)
        session = Session(target, Settings(**settings), Watch(_Teller().at, _tell_timing))
        gc.freeze()  # loaded modules are not garbage; each collection before a run would walk all of them
        session.time(request.programs, request.platform)


def _tell_timing(timing: Timing) -> None:
    tell({"timing": pack(timing)})


class _Teller:
    """Sends the current stage when it changes, and now and then the run; a new program is a heartbeat."""

    def __init__(self) -> None:
        self._last: tuple[str | None, str | None] = (None, None)
        self._when = 0.0

    def at(self, program: str, stage: str, run: int) -> None:
        now = time.monotonic()
        if (program, stage) != self._last or now - self._when > TELL_EVERY_S:
            tell({"at": [program, stage, run]}, heartbeat=program != self._last[0])
            self._last, self._when = (program, stage), now
