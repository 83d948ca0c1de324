"""Prints a check as Markdown for a pull request: a summary, a table, details to unfold, and never too long for a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ltc_ir.records.check import Check, ProgramCheck
from ltc_ir.render.words.check import level_name, message, name_of, ranked, summary, tells, total_levels, verdict
from ltc_ir.render.words.plain import cut, figure, plain, ratio

MOST = 60_000
"""Characters at most; GitHub refuses a comment of over 65,536."""
_TABLE = 20_000
_SPECIAL = re.compile(r"^>|[&<|`*\[\]~\\@#]|(?<!\w)_|_(?!\w)")
_MARKS = {0: "✅", 1: "❌", 3: "⚠️"}


def check_to_markdown(check: Check) -> str:
    """The check for a pull request, worst first; ``--strict`` is what it was checked with."""
    order = ranked(check.checks, check.strict)
    parts = [f"### {_MARKS.get(check.exit_code, '❌')} ltc-ir snapshot check\n", f"{escaped(summary(check))}\n"]
    parts += [f"{table}\n" for table in [_table(order, check.strict)] if table]
    parts += [f"- **{escaped(cut(one.message, 400))}** {escaped(cut(one.hint, 400))}" for one in check.problems[:20]]
    parts += [f"- not checked: {escaped(cut(f'{what}: {why}', 400))}" for what, why in [*check.unchecked.items()][:20]]
    blocks = [_details(one) for one in order if tells(one)]
    return "\n".join(bounded([*parts, ""], blocks, "programs")).rstrip("\n") + "\n"


def bounded(parts: Sequence[str], blocks: Sequence[str], what: str, most: int = MOST) -> list[str]:
    """The parts, and as many of the blocks as there is room for; the last line says how many there is none for."""
    shown, used = list(parts), sum(len(part) + 1 for part in parts)
    for number, block in enumerate(blocks):
        used += len(block) + 1
        if used > most - 200:
            return [*shown, f"*… and {len(blocks) - number} more {what}: see the output of the command itself.*"]
        shown.append(block)
    return shown


def escaped(text: str) -> str:
    """Text of others as text: none of it is HTML, code, a link, a mention or the end of a cell."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", plain(text))


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
    rows = [_row([_mark(one, strict), *_cells(one, levels)]) for one in order]
    return "\n".join(bounded(head, rows, "programs", _TABLE)).replace("\n*…", "\n\n*…")


def _mark(one: ProgramCheck, strict: bool) -> str:
    return _MARKS.get(one.exit_code(strict), "❌")


def _cells(one: ProgramCheck, levels: Sequence[str]) -> list[str]:
    sides = [_sides(*one.totals[level]) if level in one.totals else "" for level in levels]
    return [escaped(name_of(one)), verdict(one), *sides]


def _sides(before: int | None, after: int) -> str:
    if before is None or before == after:
        return figure(after)
    grown = ratio(before, after)
    return f"{figure(before)} → {figure(after)}" + (f" ({grown})" if grown else "")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _details(one: ProgramCheck) -> str:
    first, *rest = message(one)
    title = f"<details><summary>{escaped(first.removesuffix(':'))}</summary>"
    return f"{title}\n\n{fenced([first, *rest])}\n\n</details>\n"
