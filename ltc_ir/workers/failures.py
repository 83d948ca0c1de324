"""What ended a worker, as the failure of the user code at work: its own doing, or a limit of ours."""

from __future__ import annotations

from ltc_ir.errors import LimitError, LtcIrError, TargetError, UsageError
from ltc_ir.workers.deaths import MEMORY, is_killed
from ltc_ir.workers.limits import DeadlineError, WorkerDiedError
from ltc_ir.workers.xla_flags import refused_flags

DEBUG = "for a debugger, --in-process runs it in the tool's own process"


def failure_of_worker(error: LimitError, label: str, stage: str, *, one_by_one: str = "") -> LtcIrError:
    """The failure of the target or program ``label`` in a stage such as ``import`` or ``trace``.

    Args:
        error: what ended the worker.
        label: the target or program at work.
        stage: what was done with it.
        one_by_one: the option that runs fewer targets at a time, where there is one.
    """
    if isinstance(error, WorkerDiedError):
        flags = refused_flags()
        if flags is not None:
            return UsageError(f"{label}: {flags.message}" if one_by_one else flags.message, flags.hint)
        less = f"{one_by_one} takes less" if one_by_one else "--in-process runs it in the tool's own process"
        hint = f"{MEMORY}; {less}" if is_killed(error.code) else DEBUG
        return TargetError(f"{label} failed to {stage}: {error.how}", hint)
    if isinstance(error, DeadlineError):
        return LimitError(f"{label} failed to {stage} within {error.seconds:g} s", "--timeout gives it more")
    return LimitError(f"{label}: {error.message}", f"look at fewer targets at a time: {one_by_one}")
