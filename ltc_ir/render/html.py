"""Prints sheets as HTML tables that take the colours of the page they stand on, light or dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ltc_ir.render.sheet import Sheet, cell_text


def to_html(sheets: Iterable[Sheet]) -> str:
    """The sheets as HTML tables, every text escaped."""
    return "".join(_table(sheet) for sheet in sheets)


def _table(sheet: Sheet) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in sheet.columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell_text(cell))}</td>' for cell in row)}</tr>" for row in sheet.rows)
    notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in sheet.notes)
    return f"<table><caption>{escape(sheet.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
