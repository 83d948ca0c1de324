"""Says on a terminal's stderr which program is being worked on; nothing where nobody looks, or where quiet was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
