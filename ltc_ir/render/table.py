"""Prints sheets as rich tables: right-aligned numbers, phases in their own colours, notes beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltc_ir.render.layouts.count import Cell, Sheet

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {"forward": "cyan", "backward": "magenta", "recompute": "yellow", "shared": "blue", "unattributed": "red"}


def to_table(sheet: Sheet) -> RenderableType:
    """One sheet as a rich renderable."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(escape(sheet.columns[0]), overflow="fold", min_width=16)
    for column in sheet.columns[1:]:
        style = _STYLES.get(column.removeprefix("grad: "), "")
        table.add_column(column, justify="left" if sheet.text else "right", style=style, no_wrap=not sheet.text)
    for number, row in enumerate(sheet.rows):
        if number in sheet.rules and number:
            table.add_section()
        style = "bold" if row[0] == "total" else ""
        table.add_row(*(Text(cell_text(cell)) for cell in row), style=style)
    return Group(
        Text(sheet.title, style="bold"), table, *(Text(f"  {note}", style="dim") for note in sheet.notes), Text("")
    )


def cell_text(cell: Cell) -> str:
    """A cell as people read it: thousands apart, nothing for what is not there."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{int(cell):,}" if cell.is_integer() else f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
