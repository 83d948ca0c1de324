"""The ``lower`` command: a program's IR and nothing else."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001, PLR0917

from __future__ import annotations

from typing import Annotated

from ltc_ir.errors import UsageError
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import stdout_is_data
from ltc_ir_cli.emit import emit
from ltc_ir_cli.parameters import Option


def lower(
    target: opt.TargetArgument = "ltc",
    grad: Annotated[bool, Option("--grad", help="The gradient")] = False,
    program: opt.OneProgram = None,
    jaxpr: Annotated[bool, Option("--jaxpr", help="The jaxpr")] = False,
    stablehlo: Annotated[bool, Option("--stablehlo", help="StableHLO text (the default)")] = False,
    hlo: Annotated[bool, Option("--hlo", help="Optimised HLO text; compiles")] = False,
    bytecode: Annotated[bool, Option("--bytecode", help="StableHLO as a portable artifact")] = False,
    debug_info: Annotated[
        bool, Option("--debug-info", help="Keep names and source locations (optimised HLO always has them)")
    ] = False,
    options: opt.TargetOptions = opt.TARGET_OPTIONS,
    output: opt.Output = None,
    machine: opt.Machine = opt.MACHINE,
    process: opt.Process = opt.PROCESS,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """Print a program's IR and nothing else."""
    forms = {"jaxpr": jaxpr, "stablehlo": stablehlo, "hlo": hlo, "bytecode": bytecode}
    chosen = [name for name, is_chosen in forms.items() if is_chosen] or ["stablehlo"]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} exclude each other", "one form at a time")
    if grad and program not in (None, "grad"):
        raise UsageError(f"--grad and --program {program} exclude each other", "one program at a time")
    changes = options.parse()
    with stdout_is_data():
        from ltc_ir.api.lower import lower

        opt.refuse_for_file(target, changes, {"--grad": grad, "--program": program, "--debug-info": debug_info})
        ir = lower(
            target,
            program="grad" if grad else program or "forward",
            form=chosen[0],
            options=changes,
            platform=machine.platform,
            x64=machine.x64,
            debug_info=debug_info,
        )
        emit(ir, output)
