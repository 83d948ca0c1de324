"""How Ctrl-C, a termination and a hang-up arrive in the process that does the work: as one exception, never amid a frame."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from ltc_ir import border
from ltc_ir_cli.parent import WORDS as NAMES

WORDS = {getattr(signal, name): word for name, word in NAMES.items() if hasattr(signal, name)}
"""The signals that end a command in order, each with what is said of it."""
RECEIVED: list[int] = []
"""Those that came to this process."""
_current_thread, _main_thread = threading.current_thread, threading.main_thread
_UNSET = (signal.default_int_handler, signal.SIG_DFL)


class _Held:
    """How many places wait with an interrupt at present, and whether one came meanwhile."""

    depth = 0
    came = False


class _Passed:
    """The end of a pipe that tells which signals the process that started this one has sent; none where no other has."""

    descriptor: int | None = None


def heed_only(descriptor: int) -> None:
    """Heed no signals but those that are told of on a pipe, as long as no user code runs in this process."""
    _Passed.descriptor = descriptor


def _is_of_target() -> bool:
    """Whether a signal is none that was passed on to this process: a target's worker has sent it."""
    if _Passed.descriptor is None or border.last_crossed() is not None:
        return False
    try:
        return not os.read(_Passed.descriptor, 1)
    except BlockingIOError:
        return True
    except OSError:
        return False


def _arrive(number: int, _frame: FrameType | None) -> None:
    if _is_of_target():
        return
    RECEIVED.append(number)
    _Held.came = True
    _pass_on()


def _pass_on() -> None:
    if _Held.came and not _Held.depth:
        _Held.came = False
        raise KeyboardInterrupt


def install(numbers: Iterable[int]) -> None:
    """Let signals arrive here from now on."""
    for number in numbers:
        signal.signal(number, _arrive)


@contextmanager
def arriving() -> Iterator[None]:
    """While open, signals arrive here, unless another part of the process handles them; nothing off the main thread."""
    if _current_thread() is not _main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in WORDS}
    unset = [number for number, handler in before.items() if handler in _UNSET]
    if unset:
        RECEIVED.clear()
    install(unset)
    try:
        yield
    finally:
        for number in unset:
            if signal.getsignal(number) is _arrive:
                signal.signal(number, before[number])


@contextmanager
def held() -> Iterator[None]:
    """While open, an interrupt waits; it arrives at the end."""
    _Held.depth += 1
    try:
        yield
    finally:
        _Held.depth -= 1
        if _current_thread() is _main_thread():
            _pass_on()


def came() -> bool:
    """Whether a signal has come that ends the command."""
    return bool(RECEIVED)


def exit_code() -> int:
    """The exit code of what an interrupt ended: of the first signal that came; of Ctrl-C where none did."""
    return 128 + (RECEIVED[0] if RECEIVED else signal.SIGINT)


def in_words() -> str:
    """What is said of that."""
    return WORDS[signal.Signals(RECEIVED[0] if RECEIVED else signal.SIGINT)]
