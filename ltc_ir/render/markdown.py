"""Prints sheets as Markdown, for a pull request or a page."""

from __future__ import annotations

from collections.abc import Iterable

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
