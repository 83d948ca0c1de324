"""Python processes of our own: how one is started with this one's import path, and how it keeps its answers apart from talk."""

from __future__ import annotations

import os
import signal
import sys


def command_of(module: str) -> list[str]:
    """The command that runs a module of ours, with nothing of the current folder's on the import path."""
    return [sys.executable, "-P", "-m", module]


def environment_of(**more: str) -> dict[str, str]:
    """What a child finds in its environment: all of this one's, its import path, and ``more``."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), **more}


def own_stdout() -> int:
    """In a child: a descriptor of the standard output for answers alone; whatever else is printed goes to standard error."""
    answers = os.dup(1)
    os.dup2(2, 1)
    return answers


def signal_name(number: int) -> str:
    """The name of a signal, such as ``SIGKILL``; its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
