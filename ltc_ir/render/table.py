"""Prints sheets and messages as text: right-aligned numbers, notes below; in a terminal phases in their own colours.

Rich colours the text, wraps it and measures wide characters. Text that needs none of that, as most of what is piped, is laid
out here in the same way: to import rich and let it lay out a count takes longer than to trace a small program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ltc_ir.render.sheet import Block, Cell, Line, Message, Sheet, Styled, cell_text, legible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_STYLES = {
    "forward": "cyan",
    "backward": "magenta",
    "recompute": "yellow",
    "shared": "blue",
    "mixed": "green",
    "unattributed": "red",
}


FIRST_WIDTH = 16
"""The least width of a sheet's first column."""


class Printable:
    """A block that rich can print."""

    def __init__(self, block: Block) -> None:
        self.block = legible(block)

    def __rich__(self) -> RenderableType:
        return _message(self.block) if isinstance(self.block, Message) else _sheet(self.block)


def to_table(blocks: Iterable[Block]) -> list[Printable]:
    """The blocks for a terminal or for `plain_text`."""
    return list(map(Printable, blocks))


def plain_text(printables: Iterable[Printable], width: int) -> str | None:
    """The text of blocks as rich prints it without colours, up to spaces at the ends of lines.

    Returns:
        ``None`` where only rich knows the layout: a line is wider than ``width``, or holds other characters than printable
        ones of one column each.
    """
    lines = [line for printable in printables for line in _plain_lines(printable.block)]
    plain = all(len(line) <= width and _ONE_COLUMN_EACH.fullmatch(line) for line in lines)
    return "".join(f"{line}\n" for line in lines) if plain else None


_ONE_COLUMN_EACH = re.compile(r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u2010-\u2026\u2190-\u21ff\u2500-\u25fc]*")
_MARKUP = re.compile(r"[\[\\]|:\S*:")
"""What rich may read as markup or as an emoji in a column's title."""
_NOT_PLAIN = "\n"


def _plain_lines(block: Block) -> Iterator[str]:
    if isinstance(block, Message):
        for line in block.lines:
            yield "".join(part.text for part in line)
        return
    if block.title:
        yield block.title
    yield from _plain_rows(block)
    if block.title:
        yield from (f"  {note}" for note in block.notes)
        yield ""


def _plain_rows(sheet: Sheet) -> Iterator[str]:
    """The lines of the table itself: a blank one, titles, a rule, rows with blank lines between sections, a blank one."""
    rows = [[cell_text(cell) for cell in row] for row in sheet.rows]
    widths = [max(map(len, column)) for column in zip(sheet.columns, *rows, strict=True)]
    widths[0] = max(widths[0], FIRST_WIDTH)
    yield ""
    yield _NOT_PLAIN if any(map(_MARKUP.search, sheet.columns)) else _plain_row(sheet, sheet.columns, widths)
    yield " " + "─" * (sum(widths) + 3 * (len(widths) - 1))
    for number, row in enumerate(rows):
        if number in sheet.rules and number:
            yield ""
        yield _plain_row(sheet, row, widths)
    yield ""


def _plain_row(sheet: Sheet, cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (
        cell.ljust(width) if sheet.is_text(number) or not number else cell.rstrip().rjust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f" {'   '.join(aligned)}"


def _sheet(sheet: Sheet) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(escape(sheet.columns[0]), overflow="fold", min_width=FIRST_WIDTH)
    for number, column in enumerate(sheet.columns[1:], 1):
        style = _STYLES.get(column.removeprefix("grad: "), "")
        text = sheet.is_text(number)
        table.add_column(escape(column), justify="left" if text else "right", style=style, no_wrap=not text)
    for number, row in enumerate(sheet.rows):
        if number in sheet.rules and number:
            table.add_section()
        table.add_row(*map(_cell, row), style="bold" if row[0] == "total" else "")
    if not sheet.title:
        return table
    notes = (Text(f"  {note}", style="dim") for note in sheet.notes)
    return Group(Text(sheet.title, style="bold"), table, *notes, Text(""))


def _cell(cell: Cell) -> Text:
    from rich.text import Text

    return Text(cell_text(cell), style=cell.style if isinstance(cell, Styled) else "")


def _message(message: Message) -> Text:
    from rich.text import Text

    return Text("\n").join(map(_line, message.lines))


def _line(line: Line) -> Text:
    from rich.text import Text

    return Text.assemble(*line)
