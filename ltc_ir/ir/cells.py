"""Names code that was typed: the cells of a notebook, each by its number, and input at a prompt."""

from __future__ import annotations

import re
import sys

NOTEBOOK = "<notebook>"
"""The file name of typed code that is not a cell, and of every cell in a function's key: numbers differ by session."""

_NUMBERED = re.compile(r"<(?:ipython|python)-input-(\d+)(?:-[^>]*)?>", re.ASCII)
"""A cell of IPython, and an input of Python's prompt from 3.13 on."""
_FILED = re.compile(r"(?:.*[/\\])?(?:ipykernel|xpython)_\d+[/\\]([^/\\]+)", re.ASCII | re.DOTALL)
"""A cell in a kernel: a file that does not exist, named after the process and after a hash of the cell's text."""
_PROMPT = re.compile(r"<ipython-input-.*|<string>|<timed (?:exec|eval)>", re.DOTALL)
_LABEL = re.compile(r"In\s*\[(\d+)\]", re.ASCII)


def typed_file(path: str) -> str | None:
    """The file name of typed code: ``<cell 3>`` of a cell, else `NOTEBOOK`; ``None`` for a file.

    A kernel's cell whose number is unknown, because the code comes from another process, is called by the hash of its text:
    ``<cell 2031849.py>``.
    """
    if numbered := _NUMBERED.fullmatch(path):
        return f"<cell {numbered[1]}>"
    if filed := _FILED.fullmatch(path):
        return f"<cell {_running_number(path) or filed[1]}>"
    return NOTEBOOK if _PROMPT.fullmatch(path) or _is_standard_input(path) else None


def is_cell(file: str) -> bool:
    """Whether a file name is that of a cell."""
    return file.startswith("<cell ")


def cell_place(file: str, function: str, line: int) -> str:
    """A line of a cell, as tables print it: ``cell 3 (train_step):2``, or ``cell 3:2`` outside of functions."""
    return f"{file[1:-1]} ({function}):{line}" if function not in {"", "?", "<module>"} else f"{file[1:-1]}:{line}"


def outermost_function(function: str) -> str:
    """The named function at the top of a cell that a function is part of, so that a line has one name; empty for none."""
    name = function.partition(".<locals>")[0]
    return "" if "<" in name else name


def _running_number(path: str) -> str | None:
    """The number of a cell of the notebook that this process runs, as IPython's tracebacks tell it: that of its last run."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    describe = getattr(getattr(shell, "compile", None), "format_code_name", None)
    label = describe(path) if describe is not None else None
    number = _LABEL.fullmatch(str(label[-1])) if label else None
    return number[1] if number else None


def _is_standard_input(path: str) -> bool:
    """Whether a file is this process's prompt or pipe. Stored IR has ``<stdin>`` too, from MLIR's tools."""
    return path == "<stdin>" and getattr(sys.modules.get("__main__"), "__file__", path) == path
