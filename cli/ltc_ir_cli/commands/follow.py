"""The ``follow`` command: what became of equations in StableHLO and optimised HLO, and what a kernel came from."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001, PLR0917

from __future__ import annotations

from typing import Annotated

from ltc_ir.errors import UsageError
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import rare_collection, stdout_is_data
from ltc_ir_cli.emit import emit
from ltc_ir_cli.parameters import Option


def _selecting(flag: str, metavar: str, help: str) -> Option:
    return Option(flag, metavar=metavar, help=help, callback=opt.given, show_default=False)


def follow(
    target: opt.TracedArgument = "ltc",
    grad: Annotated[bool, Option("--grad", help="The gradient")] = False,
    program: opt.OneProgram = None,
    source: Annotated[
        str | None, _selecting("--source", "FILE:LINE", "Only equations of this line, or of this file")
    ] = None,
    function: Annotated[str | None, _selecting("--function", "NAME", "Only equations of this function")] = None,
    op: Annotated[str | None, _selecting("--op", "NAME", "Only equations of this primitive")] = None,
    equation: Annotated[
        int | None, Option("--equation", metavar="N", min=1, help="Only equation N, in detail", show_default=False)
    ] = None,
    kernel: Annotated[
        str | None, _selecting("--kernel", "NAME", "The lines and equations that an HLO fusion or loop came from")
    ] = None,
    executed: opt.Executed = False,
    fill: opt.Fill = None,
    top: opt.Top = None,
    options: opt.TargetOptions = opt.TARGET_OPTIONS,
    format: Annotated[str, opt.format_option("follow")] = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    machine: opt.Machine = opt.MACHINE,
    process: opt.Process = opt.PROCESS,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """Follow equations to what they became in StableHLO and optimised HLO; compiles."""
    render = opt.renderer("follow", format)
    if grad and program not in {None, "grad"}:
        raise UsageError(f"--grad and --program {program} exclude each other", "one program at a time")
    with stdout_is_data(), rare_collection():
        from ltc_ir.api.follow import follow
        from ltc_ir.render.layouts.follow import FIRST_ROWS

        followed = follow(
            target,
            program="grad" if grad else program or "forward",
            source=source,
            function=function,
            op=op,
            equation=equation,
            kernel=kernel,
            executed=executed,
            fill=fill,
            largest=(FIRST_ROWS if top is None else top) if format in {"table", "markdown"} else None,
            options=options.parse(),
            platform=machine.platform,
            x64=machine.x64,
        )
        emit(render(followed, top=top), output)
