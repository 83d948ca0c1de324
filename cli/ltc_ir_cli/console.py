"""What goes where: stdout carries data only, stderr talk; a target's own prints are sent to stderr at file descriptors."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ltc_ir.errors import LtcIrError, TargetError, UsageError
from ltc_ir.escape import escape_message, indented


@dataclass
class Talk:
    """How much is said on stderr: set once from the global options."""

    quiet: bool = False
    verbose: bool = False
    color: bool = True
    raw_csv: bool = False


TALK = Talk()
_DATA: list[int] = []


@contextmanager
def stdout_is_data() -> Iterator[None]:
    """While open, file descriptor 1 is stderr and only `write_data` reaches the real standard output.

    Libraries that print while they are imported or traced (from C as well) cannot spoil what is piped.
    """
    sys.stdout.flush()
    data_descriptor, python_stdout = os.dup(1), sys.stdout
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    _DATA.append(data_descriptor)
    try:
        yield
    finally:
        _DATA.pop()
        sys.stdout = python_stdout
        os.dup2(data_descriptor, 1)
        os.close(data_descriptor)


@contextmanager
def rare_collection() -> Iterator[None]:
    """While open, Python's cyclic collector runs after 10,000 new containers, not 700.

    JAX's modules and a program's IR are kept to the end of the command; to walk them again and again is a tenth of a short
    run. Never open while something is timed.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(10_000 if thresholds[0] else 0, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def data_descriptor() -> int:
    """The file descriptor of the real standard output."""
    return _DATA[-1] if _DATA else 1


def write_data(data: bytes) -> None:
    """Write all of ``data`` to the real standard output.

    Raises:
        UsageError: it cannot be written: a full disk, a closed descriptor. BrokenPipeError: nobody reads it any more.
    """
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(data_descriptor(), view) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from error


UNWRITABLE = frozenset({errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, errno.EDQUOT})
"""What a write to standard output fails with, other than a closed pipe."""


def unwritable(error: OSError) -> UsageError:
    """What to say when standard output cannot be written."""
    return UsageError(f"cannot write standard output: {error.strerror}", "send it to a file with -o")


def keep_descriptors() -> None:
    """Open what a caller closed (``>&-``), lest a file opened later take its number: 1 refuses writes, 2 swallows them."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def say(text: str) -> None:
    """One line on stderr, unless quiet."""
    if not TALK.quiet:
        print(escape_message(text), file=sys.stderr)


def complain(error: LtcIrError) -> None:
    """The message of an error, its hint, and its detail where that was asked for."""
    print(f"error: {escape_message(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"hint: {escape_message(error.hint)}", file=sys.stderr)
    if TALK.verbose and isinstance(error, TargetError) and error.detail:
        print(indented(error.detail), file=sys.stderr, end="")
