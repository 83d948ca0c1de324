"""The formats of an update by name: what was written, what was accepted, what was refused and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from ltc_ir.records.check import Action, Update, Written
from ltc_ir.records.check_codec import update_to_dict
from ltc_ir.records.codec import dumps
from ltc_ir.render.check_markdown import bounded, escaped, fenced
from ltc_ir.render.words.check import NAME, message
from ltc_ir.render.words.plain import WIDTH, cut, plain, wrapped

if TYPE_CHECKING:
    from rich.console import RenderableType

    Rendered = str | list[RenderableType]

_STYLES = {Action.KEPT: "dim", Action.REFUSED: "red", Action.ERROR: "red"}
_COLUMNS = ("target", "program", "action", "file", "reason", "unstable", "grown")


def update_words(one: Written) -> list[str]:
    """What there is to say of one program beyond its action and file; nothing where it is new or as it was."""
    lines = _told(one)
    lines += [f"  not held, two captures disagree: {cut(fact, WIDTH - 36)}" for fact in one.unstable[:3]]
    left = len(one.unstable) - 3
    return [*lines, f"  … and {left} more that two captures disagree on"] if left > 0 else lines


def _told(one: Written) -> list[str]:
    name = _name(one)
    if one.action is Action.ERROR:
        return wrapped(one.reason or "it failed", f"{name}: ", "  ")
    if one.action is Action.REFUSED:
        why = wrapped(one.reason or "nobody accepted its growth", f"{name} is not recorded: ", "  ")
        return why if one.check is None else [*why, *(f"  {line}" for line in message(one.check))]
    if one.check is not None and one.check.changes:
        return _recorded(one, _without_advice(message(one.check)))
    if one.reason:
        return wrapped(one.reason, f"{name}: ", "  ")
    return [f"{name}:"] if one.unstable else []


def _recorded(one: Written, lines: list[str]) -> list[str]:
    """What was recorded beside what stood there before, or beside the snapshot of the nearest other JAX."""
    if one.action is Action.STARTED:
        return [*wrapped(one.reason or "", f"{_name(one)} is started ", "  "), *(f"  {line}" for line in lines)]
    first, *rest = lines
    why = wrapped(one.reason, "  ", "  ", 2) if one.reason else []
    accepted = one.check is not None and one.check.broken
    return [first, *why, *rest, *(["  accepted, with its reason in the file"] if accepted else [])]


def _without_advice(lines: list[str]) -> list[str]:
    """A check's message without what it says to one who has not recorded it yet."""
    advice = ("  rule: ", "  snapshot: ", "  accept: ", "  record: ")
    return [line for line in lines if not line.startswith(advice) and not line.endswith(" more rules")]


def update_summary(update: Update) -> str:
    """All of an update in one line: ``4 programs: 1 new, 2 updated, 1 refused``."""
    found = [one.action for one in update.written]
    counted = ", ".join(f"{found.count(action)} {action}" for action in Action if action in found)
    told = f"{len(found)} program{'s' * (len(found) != 1)}: {counted}" if found else "there was nothing to record"
    return told + (f"; {len(update.unavailable)} could not be made" if update.unavailable else "")


def _name(one: Written) -> str:
    return f"{cut(one.target, NAME)} {cut(one.program, NAME)}"


def update_to_table(update: Update) -> list[RenderableType]:
    """The update as renderables: a row a program, then what is to be said, then one line for all."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from ltc_ir.render.layouts.check import line_text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column, width in (("program", 16), ("action", None), ("file", None)):
        table.add_column(column, no_wrap=True, min_width=width)
    for one in update.written:
        style = _STYLES.get(one.action, "green")
        table.add_row(Text(_name(one)), Text(one.action.value, style=style), Text(plain(one.file or "")))
    shown: list[RenderableType] = [table] if update.written else []
    for one in update.written:
        first, *rest = update_words(one) or [""]
        if first:
            style = f"bold {_STYLES.get(one.action, '')}".strip()
            shown += [Text("\n").join([Text(first, style=style), *map(line_text, rest)]), Text("")]
    shown += [Text(f"left out: {plain(name)}: {plain(why)}", style="dim") for name, why in update.unavailable.items()]
    return [*shown, Text(update_summary(update), style="bold")]


def update_to_csv(update: Update) -> str:
    """The update, a program a line; ``unstable`` and ``grown`` (what fails) are separated by spaces."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in update.written:
        grown = [f"{change.level}:{change.metric}" for change in one.check.changes if change.fails] if one.check else []
        lists = (" ".join(one.unstable), " ".join(grown))
        writer.writerow((one.target, one.program, one.action.value, one.file, one.reason, *lists))
    return text.getvalue()


def update_to_markdown(update: Update) -> str:
    """The update for a pull request, within what a comment may hold."""
    head = ["### ltc-ir snapshot update\n", f"{escaped(update_summary(update))}\n"]
    rows = [f"| {escaped(_name(one))} | {one.action} | {escaped(one.file or '')} |" for one in update.written]
    table = bounded(["| program | action | file |", "| --- | --- | --- |"], rows, "programs", 20_000)
    left = [f"- left out: {escaped(cut(f'{name}: {why}', 400))}" for name, why in [*update.unavailable.items()][:20]]
    blocks = [f"{fenced(lines)}\n" for lines in map(update_words, update.written) if lines]
    return "\n".join(bounded([*head, *table, "", *left, ""], blocks, "programs")).rstrip("\n") + "\n"


UPDATE_FORMATS: dict[str, Callable[[Update], Rendered]] = {
    "table": update_to_table,
    "json": lambda update: dumps(update_to_dict(update)),
    "csv": update_to_csv,
    "markdown": update_to_markdown,
}
"""How an update can be shown."""
