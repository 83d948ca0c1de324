"""Runs command lines in this process, and looks at how each ended."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

ALLOWED = frozenset({0, 1, 2, 3, 4, 5})
LIMIT_S = 30
_RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class HungError(BaseException):
    """A command that took longer than `LIMIT_S`; no error that a catcher of errors would take for its own."""


@dataclass
class Ran:
    """How a command ended; `end` is what the table calls that, the exit code unless a judge knows more."""

    code: int
    out: str
    err: str
    end: str = ""

    def __post_init__(self) -> None:
        self.end = self.end or str(self.code)

    def wrong(self, codes: frozenset[int] = ALLOWED) -> str | None:
        """What is wrong with how it ended; ``None`` where nothing is."""
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        hints = [line for line in lines if line.startswith("hint: ")]
        if self.code not in codes:
            return f"exit {self.code}: {lines[-1] if lines else ''}"
        verdict = bool(self.out) and not errors  # a rule that cannot be judged is said where the others are
        if self.code in {2, 4, 5} and not verdict and not (len(errors) == 1 and len(hints) <= 1 and not self.out):
            return f"exit {self.code} with {len(errors)} errors and {len(hints)} hints"
        if len([line for line in lines if not line.startswith(("error: ", "hint: ", "note: ", "warning: "))]) > 1:
            return "more than one line that is no message"
        raw = _RAW.search(self.err)
        return f"the raw character {raw[0]!r} on stderr" if raw else None


@contextmanager
def _into_files() -> Iterator[Any]:
    """While open, descriptors 1 and 2 are files; gives a function that returns their texts."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        kept, streams = (os.dup(1), os.dup(2)), (sys.stdout, sys.stderr)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)

        def texts() -> list[str]:
            sys.stdout.flush()
            sys.stderr.flush()
            return [_whole(file) for file in (out, err)]

        try:
            yield texts
        finally:
            sys.stdout, sys.stderr = streams
            for number, handle in enumerate(kept, 1):
                os.dup2(handle, number)
                os.close(handle)


def _whole(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="backslashreplace"))


def _hung(*_: Any) -> None:
    raise HungError


def run(*argv: str) -> Ran:
    """How a command line ends, run in this process; a hang and an exception are codes of their own."""
    from ltc_ir_cli.app import main

    before = signal.signal(signal.SIGALRM, _hung)
    with _into_files() as texts:
        signal.alarm(LIMIT_S)
        try:
            code = main(list(argv))
        except HungError:
            code = -1
        except BaseException as error:
            code = -2
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        return Ran(code, *texts())
