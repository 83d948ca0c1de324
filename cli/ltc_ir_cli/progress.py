"""Long work on the command line: its progress on a terminal's stderr, and sweeps, shown as far as they came."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ltc_ir.escape import escape, escape_message
from ltc_ir.render.formats import renderer
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import TALK, say, stdout_is_data
from ltc_ir_cli.emit import emit, laid_out


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
        yield lambda line: status.update(Text(escape_message(line), style="dim"))


@contextmanager
def bar(seconds: float) -> Iterator[Callable[[str, str], None] | None]:
    """A function that shows a task and what is at work in it, beside a bar of the seconds it may take."""
    if TALK.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TimeElapsedColumn

    columns = (_text("{task.description}"), BarColumn(24), TimeElapsedColumn(), _text("{task.fields[doing]}"))
    console = Console(stderr=True, no_color=not TALK.color)
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as display:
        current = _Tasks(display, seconds)
        yield current.show


def _text(template: str) -> Any:
    """A column of text in which nothing is markup, whatever a target is called."""
    from rich.progress import TextColumn

    return TextColumn(template, markup=False)


class _Tasks:
    """The bars of what was worked on: the last one moves, those before it are full."""

    def __init__(self, display: Any, seconds: float) -> None:
        self.shown, self.seconds = display, seconds
        self.name: str | None = None

    def show(self, name: str, doing: str) -> None:
        if name != self.name:
            self.finish()
            self.name = name
            self.task = self.shown.add_task(escape(name), total=self.seconds, doing=escape(doing))
        elapsed = self.shown.tasks[self.task].elapsed or 0.0
        self.shown.update(self.task, completed=min(elapsed, self.seconds), doing=escape(doing))

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
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        _text("{task.description}"), BarColumn(24), MofNCompleteColumn(), _text(what), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True, no_color=not TALK.color)
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as display:
        task = display.add_task(escape(name), total=None)
        yield lambda done, every: display.update(task, completed=done, total=every)


def swept(target: str, sweep: str, format: str, output: str | None, asked: dict[str, Any]) -> None:
    """Sweep a target, print what was measured, and raise what ended it before its end.

    Args:
        target: its name.
        sweep: the size and its values, as in ``hidden=8,16,32``.
        format: how it is shown.
        output: where to; standard output where ``None``.
        asked: further arguments of `ltc_ir.api.sweep.sweep_so_far`.
    """
    render = opt.renderer("sweep", format)
    size, values = opt.sizes(sweep)
    with stdout_is_data():
        from ltc_ir.api.sweep import sweep_so_far
        from ltc_ir.api.time import INTERRUPTED, failure_of

        with _shown(target, size, asked.get("limit_s")) as at:
            made = sweep_so_far(target, size, values, **asked, at=at)
        for name, why in made.unavailable.items():
            say(f"note: {name} left out: {why}")
        if made.ended is not None and made.ended.code == INTERRUPTED:
            sys.stderr.write(laid_out(renderer("sweep", "table")(made), "stderr"))
        elif made.programs:
            emit(render(made), output)
        if made.ended is not None:
            raise failure_of(made.ended)


@contextmanager
def _shown(target: str, size: str, limit: float | None) -> Iterator[Callable[[int, str, str, int], None] | None]:
    """What tells a terminal the size that is at work; ``None`` where nobody looks."""
    if limit is None:
        with progress() as line:
            yield None if line is None else lambda value, program, *_: line(f"{target} {program}, {size}={value}")
        return
    with bar(limit) as show:
        yield None if show is None else _teller(f"{target}, {size}", show)


def _teller(named: str, show: Callable[[str, str], None]) -> Callable[[int, str, str, int], None]:
    def at(value: int, program: str, stage: str, run: int) -> None:
        show(f"{named}={value}", f"{program} {stage}{f', run {run}' if run else ''}")

    return at
