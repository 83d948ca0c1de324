"""The ``count`` command: what a program's IR holds, by phase and by source."""

from __future__ import annotations

from typing import Annotated

import typer

from ltc_ir.render.formats import COUNT_FORMATS
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import say, stdout_is_data
from ltc_ir_cli.emit import emit


def count(
    target: opt.TargetArgument = "ltc",
    grad: opt.Grad = False,
    program: opt.Programs = None,
    level: opt.Levels = None,
    by: opt.By = None,
    op: Annotated[
        list[str] | None,
        typer.Option("--op", metavar="NAME", help="Only these operations (repeatable)", show_default=False),
    ] = None,
    phase: Annotated[
        list[str] | None,
        typer.Option("--phase", metavar="PHASE", help="Only these phases (repeatable)", show_default=False),
    ] = None,
    top: opt.Top = None,
    text: Annotated[bool, typer.Option("--text/--no-text", help="Print StableHLO for its lines and bytes")] = True,
    source: Annotated[bool, typer.Option("--source/--no-source", help="Resolve source lines")] = True,
    library: opt.Library = False,
    args: opt.Args = None,
    loss: opt.Loss = None,
    argnums: opt.Argnums = None,
    has_aux: opt.HasAux = None,
    static_argnums: opt.StaticArgnums = None,
    static_argnames: opt.StaticArgnames = None,
    format: opt.Format = "table",
    output: opt.Output = None,
    platform: opt.Platform = None,
    x64: opt.X64 = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    no_color: opt.NoColor = False,
    version: opt.Version = False,
) -> None:
    """Count operations at every level, by AD phase and by source line."""
    render = COUNT_FORMATS[opt.known_format(format, COUNT_FORMATS)]
    with stdout_is_data():
        from ltc_ir import api

        made = api.count(
            target,
            programs=opt.words(program) or (("forward", "grad") if grad else None),
            levels=opt.words(level) or api.DEFAULT_LEVELS,
            by=opt.words(by),
            ops=opt.words(op),
            phases=opt.words(phase),
            options=opt.target_options(
                args, loss, argnums, has_aux=has_aux, static_argnums=static_argnums, static_argnames=static_argnames
            ),
            platform=platform,
            x64=x64,
            text=text,
            source=source,
            library=library,
        )
        for name, why in made.unavailable.items():
            say(f"note: {name} left out: {why}")
        for note in made.notes:
            say(f"note: {note}")
        emit(render(made, top=top, grad=grad), output)
