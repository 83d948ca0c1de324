"""What goes where: stdout carries data only, stderr talk; a target's own prints are sent to stderr at file descriptors."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ltc_ir.errors import LtcIrError, TargetError, UsageError
from ltc_ir.escape import escape_message, indented
from ltc_ir_cli.channel import CHANNELS, Kind

STDOUT = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
"""Names of standard output: file descriptor 1 itself leads to stderr while a command runs."""


@dataclass
class Talk:
    """How much is said on stderr, and where relative names begin: set once from the global options."""

    quiet: bool = False
    verbose: bool = False
    color: bool = True
    raw_csv: bool = False
    folder: str = ""
    """The current folder when the command began; a target may go elsewhere."""


TALK = Talk()
_DATA: list[int] = []


@contextmanager
def stdout_is_data() -> Iterator[None]:
    """While open, file descriptor 1 is stderr and only `write_data` reaches the real standard output.

    Libraries that print while they are imported or traced (from C as well) cannot spoil what is piped.
    """
    sys.stdout.flush()
    if CHANNELS:  # descriptor 1 is standard error already
        sys.stdout = sys.stderr
        yield
        return
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
    if CHANNELS:
        CHANNELS[0].send_data(data)
        return
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


def is_terminal(output: str | None = None) -> bool:
    """Whether what is written goes to a terminal: to standard output, or to a file of this name."""
    if output is not None and output not in STDOUT:
        return False
    return CHANNELS[0].terminal if CHANNELS else os.isatty(data_descriptor())


def talk(text: str) -> None:
    """Write lines to standard error, where that is possible."""
    if CHANNELS:
        CHANNELS[0].send(Kind.TALK, f"{text}\n".encode("utf-8", "surrogateescape"))
        return
    with suppress(OSError, ValueError, AttributeError):
        print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    """One line on stderr, unless quiet."""
    if not TALK.quiet:
        talk(escape_message(text))


def complain(error: LtcIrError) -> None:
    """The message of an error, its hint, and its detail where that was asked for."""
    talk(f"error: {escape_message(error.message)}")
    if error.hint:
        talk(f"hint: {escape_message(error.hint)}")
    if TALK.verbose and isinstance(error, TargetError) and error.detail:
        talk(indented(error.detail).rstrip("\n"))
