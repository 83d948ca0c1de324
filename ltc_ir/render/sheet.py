"""What a layout is made of: sheets of rows and columns, and messages of a few lines, which every format prints alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ltc_ir.escape import CELL, capped, escape, escape_message


class Styled(NamedTuple):
    """Text with the style in which a terminal shows it, such as ``bold red``; other formats leave the style out."""

    text: str
    style: str = ""


Cell = str | int | float | Styled | None
Row = tuple[Cell, ...]
Line = tuple[Styled, ...]


@dataclass(frozen=True)
class Sheet:
    """One table; without a title it is printed bare.

    The first ``text_columns`` columns are text (``None``: all of them), the others are numbers. There is a rule above each
    row in ``rules``.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    rules: frozenset[int] = field(default_factory=frozenset)
    text_columns: int | None = 1

    def is_text(self, column: int) -> bool:
        """Whether the column of this number is text."""
        return self.text_columns is None or column < self.text_columns


@dataclass(frozen=True)
class Message:
    """Lines of styled text."""

    lines: tuple[Line, ...]


Block = Sheet | Message
"""A part of a layout."""
BLANK = Message(((),))
"""An empty line."""


def message(*lines: Iterable[Styled]) -> Message:
    """A message of these lines."""
    return Message(tuple(map(tuple, lines)))


def cell_text(cell: Cell) -> str:
    """A cell as people read it: thousands separated, empty for ``None``, text escaped and capped."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{int(cell):,}" if cell.is_integer() else f"{cell:,.1f}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return escape(capped(cell.text if isinstance(cell, Styled) else cell, CELL))


def legible(block: Block) -> Block:
    """The block with all its text escaped and capped, as people may read it."""
    if isinstance(block, Sheet):
        return legible_sheet(block)
    return Message(tuple(tuple(Styled(cell_text(part), part.style) for part in line) for line in block.lines))


def legible_sheet(sheet: Sheet) -> Sheet:
    """The sheet with its title, columns, cells and notes escaped and capped, as people may read it."""
    return replace(
        sheet,
        title=cell_text(sheet.title),
        columns=tuple(map(cell_text, sheet.columns)),
        rows=tuple(tuple(map(_legible_cell, row)) for row in sheet.rows),
        notes=tuple(map(escape_message, sheet.notes)),
    )


def _legible_cell(cell: Cell) -> Cell:
    return Styled(cell_text(cell), cell.style) if isinstance(cell, Styled) else cell_text(cell)
