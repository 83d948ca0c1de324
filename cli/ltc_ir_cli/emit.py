"""The only module that writes results: to standard output, or whole into a file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ltc_ir.errors import UsageError
from ltc_ir.escape import inert_lines, visible_lines
from ltc_ir.writing import write_whole
from ltc_ir_cli.console import STDOUT, TALK, is_terminal, say, write_data

if TYPE_CHECKING:
    from ltc_ir.render.table import Printable

WIDE = 1_000
"""Columns a table may take, wherever it goes: a narrow terminal wraps its lines; only a cell of over 500 characters is cut."""


def emit(rendered: str | bytes | list[Printable], output: str | None = None) -> None:
    """Write what a renderer returned; a table is coloured for a terminal only."""
    if isinstance(rendered, list):
        rendered, safe = laid_out(rendered, output), True
    else:
        safe = False
    if TALK.raw_csv:
        rendered = getattr(rendered, "exact", rendered)
    data = _encoded(rendered) if isinstance(rendered, str) else rendered
    if output is not None and output not in STDOUT:
        write_whole(_from_here(output), data)
    elif safe or not is_terminal():
        write_data(data)
    else:
        write_data(_for_terminal(data))


def _encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate, which it cannot hold, is spelled."""
    return text.encode("utf-8", "backslashreplace")


def _for_terminal(data: bytes) -> bytes:
    """What a terminal shows of data: text, with what a terminal would obey spelled.

    Raises:
        UsageError: it is not text.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UsageError("refusing to write binary data to a terminal", "send it to a file with -o") from None
    return visible_lines(text).encode()


def _from_here(path: str) -> str:
    """A path from the folder in which the command began, if a target has gone elsewhere."""
    try:
        return path if Path.cwd() == Path(TALK.folder) else str(Path(TALK.folder) / path)
    except OSError:
        return str(Path(TALK.folder) / path)


def append(path: str, text: str) -> None:
    """Add text to the end of a file that another program reads; where that fails it is said, for the result is out already."""
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        say(f"warning: cannot add to {path}: {error.strerror}")


def laid_out(printables: list[Printable], output: str | None) -> str:
    """The text of a table, as wide as it needs; coloured where it goes to a terminal."""
    from ltc_ir.render.table import plain_text

    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    colored = is_terminal(output) and TALK.color and not plain
    text = None if colored else plain_text(printables, WIDE)
    if text is None:
        text = _printed_by_rich(printables, colored=colored)
    lines = text.split("\n") if colored else [line.rstrip() for line in text.split("\n")]
    return inert_lines("\n".join(lines).rstrip("\n")) + "\n"


def _printed_by_rich(printables: list[Printable], *, colored: bool) -> str:
    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=WIDE, force_terminal=colored, no_color=not colored, highlight=False)
    for printable in printables:
        console.print(printable)
    return text.getvalue()
