"""Prints sheets as text: Markdown for a pull request, HTML for a notebook, and rows as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from html import escape

from ltc_ir.render.sheet import Sheet, cell_text


def to_markdown(sheets: Iterable[Sheet]) -> str:
    """The sheets as Markdown tables, each under a heading."""
    return "\n".join(_sheet(sheet) for sheet in sheets)


def _sheet(sheet: Sheet) -> str:
    lines = [f"### {_escaped(sheet.title)}", "", _row(sheet.columns), _row(_ruler(sheet))]
    lines += [_row(cell_text(cell) for cell in row) for row in sheet.rows]
    lines += ["", *(f"*{_escaped(note)}*  " for note in sheet.notes)]
    return "\n".join(lines) + "\n"


def _ruler(sheet: Sheet) -> list[str]:
    return ["---" if sheet.is_text(number) else "---:" for number in range(len(sheet.columns))]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def to_html(sheets: Iterable[Sheet]) -> str:
    """The sheets as HTML tables, every text escaped."""
    return "".join(_table(sheet) for sheet in sheets)


def _table(sheet: Sheet) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in sheet.columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell_text(cell))}</td>' for cell in row)}</tr>" for row in sheet.rows)
    notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in sheet.notes)
    return f"<table><caption>{escape(sheet.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


def to_csv(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV text, the header being the first of them; ``None`` is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
