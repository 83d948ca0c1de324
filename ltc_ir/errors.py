"""Every way a command can end badly: one child of `LtcIrError` for each exit code, with a message and a hint."""

from __future__ import annotations

from collections.abc import Iterable

from ltc_ir.escape import DETAIL, capped

NOTES: dict[str, None] = {}
"""What is to be told a user once of all that a command looked at, whichever process learnt it; the command line says it."""

PRECEDENCE = (129, 130, 143, 70, 5, 4, 2, 1, 3)
"""The exit codes but 0, that which is given of several first: a signal's, a bug, a limit, the target's, usage, a check."""


def rank(code: int) -> int:
    """The place of an exit code in the precedence; what is not in it is a bug, and 0 the last."""
    if code == 0:
        return len(PRECEDENCE)
    return PRECEDENCE.index(code if code in PRECEDENCE else 70)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several: the first of the precedence that occurred; 0 where none did."""
    return min(codes, key=rank, default=0)


class LtcIrError(Exception):
    """A failure the user can act on: one line that says what, and a hint that says what to do.

    Args:
        message: what went wrong and with which value; one line. Of a very long one both ends are kept.
        hint: what to do about it; one line, or ``None``.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None) -> None:
        message = capped(message)
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is None else capped(hint)

    @property
    def in_words(self) -> str:
        """The message and, in parentheses, the hint: for where there is one line."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(LtcIrError):
    """Wrong usage or bad input: an unknown name, level or platform, a file that is no IR, an unwritable output."""

    exit_code = 2


class DamagedError(UsageError):
    """A snapshot that is not as it was written: cut short, in conflict, edited by hand, or in another's place."""


class NewerSnapshotError(UsageError):
    """A snapshot that a newer version wrote, in a schema that this one does not read."""


class TargetError(LtcIrError):
    """The user's function failed to import, trace, lower or compile.

    ``detail`` is the failure as Python printed it, shown with ``--verbose``.
    """

    exit_code = 4

    def __init__(self, message: str, hint: str | None = None, detail: str | None = None) -> None:
        super().__init__(message, hint)
        self.detail = detail if detail is None else capped(detail, DETAIL)


class LimitError(LtcIrError):
    """A limit of ours ended the work: time, memory, or a reader that did not survive its file."""

    exit_code = 5


class NotComparableError(LtcIrError):
    """The two sides were made under conditions that cannot be compared."""

    exit_code = 3


class RuleWarning(UserWarning):
    """That a rule of an assertion holds because what it speaks of was met nowhere."""


def error_of(code: int, message: str, hint: str | None = None, detail: str | None = None) -> LtcIrError:
    """The error that has such an exit code, as another process told it; bad input where none has."""
    if code == TargetError.exit_code:
        return TargetError(message, hint, detail)
    kinds = {kind.exit_code: kind for kind in (UsageError, LimitError, NotComparableError)}
    return kinds.get(code, UsageError)(message, hint)


_name_of_class = type.__dict__["__name__"].__get__


def kind_of(error: BaseException) -> str:
    """The name of an exception's class, whatever a class of a user's says of its own."""
    return str(_name_of_class(type(error)))
