"""The ``diff`` command: what changed between two programs, targets or files."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001, PLR0917

from __future__ import annotations

from typing import Annotated, Any

from ltc_ir.errors import UsageError
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import say, stdout_is_data
from ltc_ir_cli.emit import emit
from ltc_ir_cli.parameters import Option

DIFFERENT = 1


def diff(
    a: opt.TargetArgument = "ltc",
    b: opt.OtherTarget = None,
    program: opt.Programs = None,
    level: opt.Levels = None,
    by: opt.By = None,
    op: opt.Ops = None,
    phase: opt.Phases = None,
    text: Annotated[bool, Option("--text", help="A unified diff of the canonicalised texts")] = False,
    exit_code: Annotated[bool, Option("--exit-code", help="Exit 1 when the sides differ")] = False,
    top: opt.Top = None,
    library: opt.Library = False,
    options: opt.TargetOptions = opt.TARGET_OPTIONS,
    format: Annotated[str, opt.format_option("diff")] = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    machine: opt.Machine = opt.MACHINE,
    process: opt.Process = opt.PROCESS,
    talk: opt.Talk = opt.TALKS,
) -> int:
    """Compare A with B, or A's forward with its gradient."""
    render = opt.renderer("diff", format)
    asked: dict[str, Any] = {
        "options": options.parse(), "platform": machine.platform, "x64": machine.x64,
    }  # fmt: skip
    from ltc_ir.api.sides import processes_of_sides

    with stdout_is_data(), processes_of_sides(*() if process.in_process else (a, b)) as apart:
        from ltc_ir.api.diff import diff, diff_text

        asked["apart"] = apart
        if text:
            shown = diff_text(a, b, form=_one_level(level), **asked, **_one_program(program))
            emit(shown, output)
            return DIFFERENT if exit_code and shown else 0
        levels, programs = opt.words(level) or None, opt.words(program) or None
        asked |= {"by": opt.words(by), "ops": opt.words(op), "phases": opt.words(phase), "library": library}
        made = diff(a, b, levels=levels, programs=programs, **asked)
        for note in made.notes if format == "csv" else ():
            say(f"note: {note}")
        emit(render(made, top=top), output)
        return DIFFERENT if exit_code and not made.empty else 0


def _one_level(level: str | None) -> str | None:
    levels = opt.words(level)
    if len(levels) > 1:
        raise UsageError(f"--text compares one level, not {len(levels)}", "choose one with --level")
    return levels[0] if levels else None


def _one_program(program: list[str] | None) -> dict[str, Any]:
    programs = opt.words(program)
    if len(programs) > 1:
        raise UsageError(f"--text compares one program, not {len(programs)}", "choose one with --program")
    return {"program": programs[0]} if programs else {}
