"""The ``snapshot`` commands: programs held against what was recorded of them, and what is recorded."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001, PLR0917

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from ltc_ir.render.formats import renderer
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import rare_collection, say, stdout_is_data
from ltc_ir_cli.emit import append, emit
from ltc_ir_cli.parameters import Option
from ltc_ir_cli.progress import progress

JOB_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable by which GitHub names the file whose Markdown it shows as a job's summary."""
WORKSPACE = "GITHUB_WORKSPACE"
"""The variable by which GitHub names the folder it checked the repository out to."""

CheckFormat = Annotated[str, opt.format_option("check", note=f" (which also adds Markdown to ${JOB_SUMMARY})")]


def check(
    target: opt.ManyTargets = None,
    program: opt.Programs = None,
    directory: opt.Directory = None,
    rule: opt.Rules = None,
    strict: Annotated[bool, Option("--strict", help="Fail on what shrank, moved or changed as well")] = False,
    hlo: opt.KeepHlo = False,
    options: opt.TargetOptions = opt.TARGET_OPTIONS,
    format: CheckFormat = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    machine: opt.Machine = opt.MACHINE,
    workers: opt.Workers = opt.WORKERS,
    talk: opt.Talk = opt.TALKS,
) -> int:
    """Hold programs against snapshots and rules.

    Writes nothing. Exit 0 where all hold, 1 where something grew or a rule is broken, 3 where there is nothing to compare with.
    """
    from ltc_ir.render.words.check import summary

    render = opt.renderer("check", format)
    with stdout_is_data(), rare_collection():
        asked = _asked(target, program, directory, options, machine) | workers.asked()
        from ltc_ir.api import snapshot as guarding

        with progress() as shown:
            made = guarding.check(
                **asked,
                rules=tuple(rule or ()),
                strict=strict,
                hlo=hlo,
                progress=shown,
            )
        emit(render(made, below=_in_repository()), output)
        if format == "github" and os.environ.get(JOB_SUMMARY):
            append(os.environ[JOB_SUMMARY], renderer("check", "markdown")(made))
        _say_unless_shown(summary(made), format, output)
    return made.exit_code


def update(
    target: opt.ManyTargets = None,
    program: opt.Programs = None,
    directory: opt.Directory = None,
    accept_growth: Annotated[
        str | None,
        Option(
            "--accept-growth",
            metavar="REASON",
            help="Record what grew, too, and keep why, in one line",
            callback=opt.one_line,
            show_default=False,
        ),
    ] = None,
    ci: Annotated[bool, Option("--ci", help="Write even where CI is set")] = False,
    hlo: opt.KeepHlo = False,
    options: opt.TargetOptions = opt.TARGET_OPTIONS,
    format: Annotated[str, opt.format_option("update")] = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    machine: opt.Machine = opt.MACHINE,
    workers: opt.Workers = opt.WORKERS,
    talk: opt.Talk = opt.TALKS,
) -> int:
    """Record programs; grown ones with a reason.

    What is new, smaller or moved is written as it is. What grew is refused, unless --accept-growth says why.
    """
    from ltc_ir.render.words.check import update_summary

    render = opt.renderer("update", format)
    with stdout_is_data():
        asked = _asked(target, program, directory, options, machine) | workers.asked()
        from ltc_ir.api import snapshot as guarding

        with progress() as shown:
            made = guarding.update(
                **asked,
                accept_growth=accept_growth,
                in_ci=ci,
                hlo=hlo,
                progress=shown,
            )
        emit(render(made), output)
        _say_unless_shown(update_summary(made), format, output)
    return made.exit_code


def _in_repository() -> str:
    """The project's folder below the repository that a job checked out, with a slash; nothing where they are the same."""
    from ltc_ir.files import project_root

    workspace = os.environ.get(WORKSPACE)
    root = project_root()
    if not workspace or not root.is_relative_to(Path(workspace).resolve()):
        return ""
    below = root.relative_to(Path(workspace).resolve()).as_posix()
    return "" if below == "." else f"{below}/"


def listing(
    target: opt.ManyTargets = None,
    directory: opt.Directory = None,
    format: opt.ListingFormat = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """List the snapshots there are."""
    from ltc_ir.render.layouts.listing import stored_listing

    render = opt.renderer("listing", format)
    with stdout_is_data():
        from ltc_ir.api import snapshot as guarding

        found = guarding.listing(tuple(target or ()), directory=directory)
        emit(render(stored_listing(found)), output)


def show(
    target: opt.ManyTargets = None,
    program: opt.Programs = None,
    directory: opt.Directory = None,
    format: Annotated[str, opt.format_option("snapshots")] = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """Show what snapshots hold.

    What made them, their facts by level and phase, and the growth that was accepted.
    """
    render = opt.renderer("snapshots", format)
    with stdout_is_data():
        from ltc_ir.api import snapshot as guarding

        programs = opt.words(program) or None
        emit(render(guarding.show(tuple(target or ()), programs=programs, directory=directory)), output)


def prune(
    target: opt.ManyTargets = None,
    directory: opt.Directory = None,
    write: Annotated[bool, Option("--write", help="Remove them; without it they are only listed")] = False,
    format: opt.ListingFormat = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    workers: opt.Workers = opt.WORKERS,
    talk: opt.Talk = opt.TALKS,
) -> int:
    """List or remove snapshots of what is gone."""
    from ltc_ir.errors import worst
    from ltc_ir.render.layouts.listing import pruned_listing

    render = opt.renderer("listing", format)
    with stdout_is_data():
        from ltc_ir.api import snapshot as guarding

        found = guarding.prune(tuple(target or ()), directory=directory, write=write, **workers.asked())
        emit(render(pruned_listing(found)), output)
        left = sum(not one.removed and one.code is None for one in found)
        if left and not write:
            say(f"note: nothing was removed; --write removes {'this file' if left == 1 else f'these {left} files'}")
    return worst(one.code for one in found if one.code is not None)


def _asked(
    target: list[str] | None,
    program: list[str] | None,
    directory: str | None,
    options: opt.TargetOptions,
    machine: opt.Machine,
) -> dict[str, Any]:
    """What is held or recorded, as the verbs take it."""
    return {
        "targets": tuple(target or ()),
        "programs": opt.words(program) or None,
        "directory": directory,
        "options": options.of_one(target or ()),
        "platform": machine.platform,
        "x64": machine.x64,
    }


def _say_unless_shown(line: str, format: str, output: str | None) -> None:
    """The summary on stderr, where a table on stdout has not said it."""
    if format != "table" or output is not None:
        say(line)
