"""A check in a terminal: a row a program, then what is to be said of those that do not match, then one line for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltc_ir.records.check import Check, Problem, ProgramCheck
from ltc_ir.render.words.check import level_name, message, name_of, ranked, summary, tells, total_levels, verdict
from ltc_ir.render.words.diff import signed
from ltc_ir.render.words.plain import figure, plain, ratio

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_STYLES = {
    "match": "green",
    "holds": "green",
    "shrunk": "cyan",
    "moved": "cyan",
    "changed": "cyan",
    "missing": "yellow",
    "not-comparable": "yellow",
}
_FAILS = "red"


def check_to_table(check: Check) -> list[RenderableType]:
    """The check as renderables."""
    from rich.text import Text

    shown: list[RenderableType] = [_programs(check.checks)] if check.checks else []
    for one in ranked(check.checks, check.strict):
        if tells(one):
            shown += [_message(one), Text("")]
    for problem in check.problems:
        shown += [problem_text(problem), Text("")]
    for what, why in check.unchecked.items():
        shown.append(Text(f"not checked: {plain(what)}: {plain(why)}", style="dim"))
    return [
        *shown,
        *([Text("")] if check.unchecked else []),
        Text(summary(check), style="bold green" if check.exit_code == 0 else "bold"),
    ]


def style_of(check: ProgramCheck) -> str:
    """The colour of a program's status."""
    return _STYLES.get(verdict(check), _FAILS)


def problem_text(problem: Problem) -> Text:
    """What is wrong with the rules, and what to do."""
    from rich.text import Text

    return Text.assemble((plain(problem.message), f"bold {_FAILS}"), "\n  hint: ", plain(problem.hint))


def _programs(checks: tuple[ProgramCheck, ...]) -> Table:
    """The programs with their totals; columns of change stand only where some program changed."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    levels = total_levels(checks)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("program", no_wrap=True, min_width=16)
    table.add_column("status", no_wrap=True)
    differing = {level for one in checks for level, sides in one.totals.items() if sides[0] not in {None, sides[1]}}
    for level in levels:
        for title in (level_name(level), *(("change", "ratio") if level in differing else ())):
            table.add_column(Text(title), justify="right", no_wrap=True)
    for one in checks:
        style = style_of(one)
        cells = [
            Text(cell) for level in levels for cell in _cells(one.totals.get(level))[: 3 if level in differing else 1]
        ]
        quiet = "dim" if verdict(one) in {"match", "holds"} else ""
        table.add_row(Text(name_of(one)), Text(verdict(one), style=style), *cells, style=quiet)
    return table


def _cells(sides: tuple[int | None, int] | None) -> tuple[str, str, str]:
    if sides is None:
        return "", "", ""
    before, after = sides
    return figure(after), "" if before in {None, after} else signed(after - (before or 0)), ratio(before, after)


def _message(check: ProgramCheck) -> Text:
    from rich.text import Text

    first, *rest = message(check)
    return Text("\n").join([Text(first, style=f"bold {style_of(check)}"), *map(line_text, rest)])


def line_text(line: str) -> Text:
    """A line of a message: what is to be copied stands out, where it is from stands back."""
    from rich.text import Text

    label, colon, told = line.partition(": ")
    if colon and label in {"  accept", "  record"}:
        return Text.assemble((f"{label}: ", "dim"), (told, "bold"))
    quiet = line.startswith(("      ", "  rule: ", "  note: ", "  snapshot: ", "  … and "))
    return Text(line, style="dim" if quiet else "")
