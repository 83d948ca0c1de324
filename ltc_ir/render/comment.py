"""Prints a check or an update as Markdown for a pull request: summary, table, details, never too long for a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ltc_ir.records.check import Check, ProgramCheck, Update
from ltc_ir.render.tabular import escaped
from ltc_ir.render.words.check import (
    level_name,
    message,
    name_of,
    ranked,
    summary,
    tells,
    total_levels,
    update_summary,
    update_words,
    verdict,
    written_name,
)
from ltc_ir.render.words.text import cut, figure, ratio

MOST = 60_000
"""Characters at most; GitHub refuses a comment of over 65,536."""
_TABLE = 20_000
_MARKS = {0: "✅", 1: "❌", 3: "⚠️"}


def check_to_markdown(check: Check) -> str:
    """The check for a pull request, worst first; ``--strict`` is what it was checked with."""
    order = ranked(check.checks, check.strict)
    table = _table(order, check.strict)
    parts = [f"### {_MARKS.get(check.exit_code, '❌')} ltc-ir snapshot check\n", f"{escaped(summary(check))}\n"]
    parts += [f"{table}\n"] if table else []
    parts += [
        f"- **{escaped(cut(problem.message, 400))}** {escaped(cut(problem.hint, 400))}"
        for problem in check.problems[:20]
    ]
    parts += [f"- note: {escaped(cut(f'{note.message}: {note.hint}', 400))}" for note in check.notes[:20]]
    unchecked = [*check.unchecked.items()][:20]
    parts += [f"- not checked: {escaped(cut(f'{name}: {reason}', 400))}" for name, reason in unchecked]
    blocks = [_details(program) for program in order if tells(program)]
    return _joined([*parts, ""], blocks)


def update_to_markdown(update: Update) -> str:
    """The update for a pull request."""
    head = ["### ltc-ir snapshot update\n", f"{escaped(update_summary(update))}\n"]
    rows = [
        _row([escaped(written_name(written)), written.action, escaped(written.file or "")])
        for written in update.written
    ]
    table = _bounded([_row(["program", "action", "file"]), _row(["---"] * 3)], rows, _TABLE)
    left_out = [*update.unavailable.items()][:20]
    parts = [f"- left out: {escaped(cut(f'{name}: {reason}', 400))}" for name, reason in left_out]
    blocks = [f"{fenced(lines)}\n" for lines in map(update_words, update.written) if lines]
    return _joined([*head, *table, "", *parts, ""], blocks)


def _joined(parts: Sequence[str], blocks: Sequence[str]) -> str:
    return "\n".join(_bounded(parts, blocks)).rstrip("\n") + "\n"


def _bounded(parts: Sequence[str], blocks: Sequence[str], most: int = MOST) -> list[str]:
    """The parts, and as many blocks, one per program, as there is room for; the last line says how many are left out."""
    shown, used = list(parts), sum(len(part) + 1 for part in parts)
    for number, block in enumerate(blocks):
        used += len(block) + 1
        if used > most - 200:
            return [*shown, f"*… and {len(blocks) - number} more programs: see the output of the command itself.*"]
        shown.append(block)
    return shown


def fenced(lines: Iterable[str]) -> str:
    """Lines as a block of code whose fence is longer than any in it."""
    text = "\n".join(lines)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _table(order: Sequence[ProgramCheck], strict: bool) -> str:
    if not order:
        return ""
    levels = total_levels(order)
    columns = ["", "program", "status", *(escaped(level_name(level)) for level in levels)]
    head = [_row(columns), _row(["---", "---", "---", *("---:" for _ in levels)])]
    rows = [_row([_mark(program, strict), *_cells(program, levels)]) for program in order]
    return "\n".join(_bounded(head, rows, _TABLE)).replace("\n*…", "\n\n*…")


def _mark(program: ProgramCheck, strict: bool) -> str:
    return _MARKS.get(program.exit_code(strict), "❌")


def _cells(program: ProgramCheck, levels: Sequence[str]) -> list[str]:
    sides = [_sides(*program.totals[level]) if level in program.totals else "" for level in levels]
    return [escaped(name_of(program)), verdict(program), *sides]


def _sides(before: int | None, after: int) -> str:
    if before is None or before == after:
        return figure(after)
    grown = ratio(before, after)
    return f"{figure(before)} → {figure(after)}" + (f" ({grown})" if grown else "")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _details(program: ProgramCheck) -> str:
    first, *rest = message(program)
    title = f"<details><summary>{escaped(first.removesuffix(':'))}</summary>"
    return f"{title}\n\n{fenced([first, *rest])}\n\n</details>\n"
