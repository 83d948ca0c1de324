"""The sweep of `count` and of `time`: run with its progress shown, rendered, and ended by what ended it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ltc_ir.render.formats import renderer
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import say, stdout_is_data
from ltc_ir_cli.emit import emit, laid_out
from ltc_ir_cli.progress import bar, progress


def swept(target: str, sweep: str, format: str, output: str | None, asked: dict[str, Any]) -> None:
    """Sweep a target, print what was measured, and raise what ended it before its end.

    Args:
        target: its name.
        sweep: the size and its values, as in ``hidden=8,16,32``.
        format: how it is shown.
        output: where to; standard output where ``None``.
        asked: further arguments of `ltc_ir.api.sweep.sweep_so_far`.
    """
    render = renderer("sweep", format)
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
