"""The border to user code: who is told that it begins, who looks when it ends, and whether an interrupt was a person's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ltc_ir.altered import keep, restore
from ltc_ir.errors import TargetError

_MOST = 3


class _Watch:
    """What the process that runs user code does at the border; a user's own process does nothing."""

    entered: Callable[[str, str], None] | None = None
    left: Callable[[], None] | None = None
    interrupted: Callable[[], bool] | None = None
    outer: str | None = None
    last: tuple[str, str] | None = None


@contextmanager
def watched(
    *,
    interrupted: Callable[[], bool],
    entered: Callable[[str, str], None] | None = None,
    left: Callable[[], None] | None = None,
) -> Iterator[None]:
    """While open, the border of this process is watched.

    Args:
        interrupted: whether a person has interrupted this process; a `KeyboardInterrupt` is user code's own otherwise.
        entered: is told the label and the stage of the user code that runs from now on.
        left: is called when it has come back, by an exception as well.
    """
    before = _Watch.entered, _Watch.left, _Watch.interrupted
    _Watch.entered, _Watch.left, _Watch.interrupted = entered, left, interrupted
    _Watch.last = None
    try:
        yield
    finally:
        _Watch.entered, _Watch.left, _Watch.interrupted = before


@contextmanager
def crossed(label: str, stage: str) -> Iterator[None]:
    """While open, user code runs: that of ``label``, in a stage such as ``import`` or ``trace``."""
    keep()
    outer = _Watch.outer
    _Watch.outer = outer or label
    _Watch.last = label, stage
    if outer is not None:
        _Watch.last = outer, stage if outer.startswith(label) else f"{stage} {label}"
    if _Watch.entered is not None:
        _Watch.entered(*_Watch.last)
    try:
        yield
    finally:
        _Watch.outer = outer
        if _Watch.left is not None:
            _Watch.left()


def last_crossed() -> tuple[str, str] | None:
    """The label and the stage of the user code that ran last in this process; ``None`` where none did."""
    return _Watch.last


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception is a person's interrupt, which no border stops. In a user's own process each may be one."""
    return isinstance(error, KeyboardInterrupt) and (_Watch.interrupted is None or _Watch.interrupted())


def altered() -> TargetError | None:
    """What to say of a failure that no border caught, where user code has replaced what we need; that is put back."""
    replaced, last = restore(), _Watch.last
    if last is None or not replaced:
        return None
    label, stage = last
    named = ", ".join(replaced[:_MOST]) + (f" and {len(replaced) - _MOST} more" if len(replaced) > _MOST else "")
    return TargetError(f"{label} failed to {stage}: it replaced {named}, which ltc-ir needs", "leave them as they are")
