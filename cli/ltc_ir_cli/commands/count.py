"""The ``count`` command: what a program's IR holds, by phase and by source; with rules, whether it keeps to them."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001, PLR0917

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from ltc_ir.errors import UsageError
from ltc_ir.render.formats import BY_STACK, Renderer
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import rare_collection, say, stdout_is_data
from ltc_ir_cli.emit import emit
from ltc_ir_cli.parameters import Option
from ltc_ir_cli.progress import swept

if TYPE_CHECKING:
    from ltc_ir.records.count import Count

Rules = Annotated[
    list[str] | None,
    Option(
        "--rule",
        metavar="RULE",
        help='Judge this instead: "while = 0", "grad/backward.dot_general <= 6" (repeatable)',
        callback=opt.given,
        show_default=False,
    ),
]
Format = Annotated[str, opt.format_option("count", {"with --rule": "check", "with --sweep": "sweep"})]


def count(
    target: opt.TargetArgument = "ltc",
    grad: opt.Grad = False,
    program: opt.Programs = None,
    level: opt.Levels = None,
    by: opt.By = None,
    op: opt.Ops = None,
    phase: opt.Phases = None,
    top: opt.Top = None,
    text: Annotated[bool, Option("--text/--no-text", help="Print StableHLO for its lines and bytes")] = True,
    source: Annotated[bool, Option("--source/--no-source", help="Resolve source lines")] = True,
    library: opt.Library = False,
    executed: opt.Executed = False,
    fill: opt.Fill = None,
    sweep: opt.Sweep = None,
    rule: Rules = None,
    strict: Annotated[bool, Option("--strict", help="With --rule: fail where what one names is met nowhere")] = False,
    options: opt.TargetOptions = opt.TARGET_OPTIONS,
    format: Format = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    machine: opt.Machine = opt.MACHINE,
    process: opt.Process = opt.PROCESS,
    talk: opt.Talk = opt.TALKS,
) -> int | None:
    """Count operations by level, AD phase and source line."""
    programs = opt.words(program) or (("forward", "grad") if grad else None)
    asked: dict[str, Any] = {
        "programs": programs,
        "options": options.parse(),
        "platform": machine.platform,
        "x64": machine.x64,
    }
    narrowed: dict[str, Any] = {
        "levels": opt.words(level) or None,
        "ops": opt.words(op),
        "phases": opt.words(phase),
        "text": text,
    }
    shape = {"--by": by, "--top": top is not None, "--library": library, "--executed": executed, "--fill": fill}
    if sweep is not None:
        _refuse_in_sweep({**shape, "--rule": rule})
        swept(target, sweep, format, output, {**asked, **narrowed})
        return None
    if rule:
        _refuse({"--level": level, "--op": op, "--phase": phase, **shape})
        return _judged(target, rule, format, output, asked, strict=strict)
    if strict:
        raise UsageError("--strict is said of rules, and there is no --rule", "give a --rule, or leave --strict out")
    more: dict[str, Any] = {"source": source, "library": library, "executed": executed, "fill": fill}
    more["hashes"] = format == "json" and not (op or phase)  # for a later diff
    _counted(
        target, {**asked, **narrowed, **more, "by": opt.words(by)}, format, output, top=top, grad=grad
    )  # fmt: skip
    return None


def _counted(target: str, asked: dict[str, Any], format: str, output: str | None, **layout: Any) -> None:
    """Count, and print that as this format shows it."""
    render = _renderer(format, asked["by"])
    with stdout_is_data(), rare_collection():
        from ltc_ir.api.count import count

        opt.refuse_for_file(target, asked["options"])
        made = count(target, **asked)
        _say_about(made, asked["ops"])
        emit(render(made, **layout), output)


def _renderer(format: str, by: tuple[str, ...]) -> Renderer:
    """The renderer of this format; refused before the work if the count would not hold what the format needs."""
    render = opt.renderer("count", format)
    if render.needs == BY_STACK and by != ("stack",):
        from ltc_ir.render.folded import refuse_without_stacks

        refuse_without_stacks(format)
    return render


def _refuse_in_sweep(shape: Mapping[str, Any]) -> None:
    """Refuse what a sweep has no place for: it follows totals over a size."""
    for option, value in shape.items():
        if value:
            raise UsageError(
                f"{option} cannot be combined with --sweep (a sweep reports totals only)",
                f"leave out {option} or --sweep",
            )


def _say_about(counted: Count, ops: Iterable[str]) -> None:
    """Say what the count leaves out, and what else a reader must know."""
    for name, why in counted.unavailable.items():
        say(f"note: {name} left out: {why}")
    for note in (*counted.notes, *_absent(counted, ops)):
        say(f"note: {note}")


def _judged(
    target: str, rules: list[str], format: str, output: str | None, asked: Mapping[str, Any], *, strict: bool
) -> int:
    """Judge rules on a target or a file, without a snapshot, and print the verdict; the exit code it gives."""
    from ltc_ir.render.words.check import summary

    render = opt.renderer("check", format)
    with stdout_is_data(), rare_collection():
        from ltc_ir.api.snapshot import judge_rules
        from ltc_ir.records.request import parse_request

        opt.refuse_for_file(target, asked["options"])
        made = judge_rules(target, rules, parse_request(**asked), strict=strict)
        emit(render(made), output)
        if format != "table" or output is not None:
            say(summary(made))
    return made.exit_code


def _refuse(shape: Mapping[str, Any]) -> None:
    """Refuse what shapes a table: with rules there is a verdict in its place."""
    for option, value in shape.items():
        if value:
            raise UsageError(
                f"--rule gives a verdict and no table of counts, so {option} says nothing",
                "leave it out; a rule names its own level, phase and operation, as in 'hlo:backward.while = 0'",
            )


def _absent(counted: Count, operations: Iterable[str]) -> list[str]:
    """What to say of operations that were asked for and are nowhere: a spelling mistake looks like a zero otherwise."""
    found = {op for levels in counted.programs.values() for level in levels.values() for op in level.tally.ops}
    names = found | {op.rpartition(".")[2] for op in found}
    return [f"there is no operation {name!r} in what was counted" for name in operations if name not in names]
