"""Prints sheets and messages in a terminal: right-aligned numbers, phases in their own colours, notes below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ltc_ir.render.sheet import Block, Cell, Line, Message, Sheet, Styled, cell_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_STYLES = {"forward": "cyan", "backward": "magenta", "recompute": "yellow", "shared": "blue", "unattributed": "red"}


def to_table(blocks: Iterable[Block]) -> list[RenderableType]:
    """The blocks as rich renderables, one per block."""
    return [_message(block) if isinstance(block, Message) else _sheet(block) for block in blocks]


def _sheet(sheet: Sheet) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(escape(sheet.columns[0]), overflow="fold", min_width=16)
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
