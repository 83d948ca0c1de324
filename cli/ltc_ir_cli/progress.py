"""Says on a terminal's stderr which program is being worked on; nothing where nobody looks, or where quiet was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ltc_ir_cli.console import TALK


@contextmanager
def progress() -> Iterator[Callable[[str], None] | None]:
    """A function that shows one line until the next; ``None`` where stderr is no terminal."""
    if TALK.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, no_color=not TALK.color)
    with console.status("") as status:
        yield lambda line: status.update(Text(line, style="dim"))


@contextmanager
def bar(seconds: float) -> Iterator[Callable[[str, str], None] | None]:
    """A function that shows a task and what is at work in it, beside a bar of the seconds it may take."""
    if TALK.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn(), TextColumn("{task.fields[doing]}"))
    console = Console(stderr=True, no_color=not TALK.color)
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as display:
        current = _Tasks(display, seconds)
        yield current.show


class _Tasks:
    """The bars of what was worked on: the last one moves, those before it are full."""

    def __init__(self, display: Any, seconds: float) -> None:
        self.shown, self.seconds = display, seconds
        self.name: str | None = None

    def show(self, name: str, doing: str) -> None:
        if name != self.name:
            self.finish()
            self.name = name
            self.task = self.shown.add_task(name, total=self.seconds, doing=doing)
        elapsed = self.shown.tasks[self.task].elapsed or 0.0
        self.shown.update(self.task, completed=min(elapsed, self.seconds), doing=doing)

    def finish(self) -> None:
        if self.name is not None:
            self.shown.update(self.task, completed=self.seconds, doing="done")
            self.shown.stop_task(self.task)


@contextmanager
def steps(name: str, what: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many of some steps are done; it shows nothing where nobody looks."""
    if TALK.quiet or not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TextColumn(what), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True, no_color=not TALK.color)
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as display:
        task = display.add_task(name, total=None)
        yield lambda done, every: display.update(task, completed=done, total=every)
