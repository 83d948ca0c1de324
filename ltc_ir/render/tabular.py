"""Prints sheets as text: Markdown for a pull request, HTML for a notebook, and rows as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from html import escape as escape_html

from ltc_ir.escape import escape
from ltc_ir.render.sheet import Sheet, cell_text, legible_sheet


def to_markdown(sheets: Iterable[Sheet]) -> str:
    """The sheets as Markdown tables, each under a heading."""
    return "\n".join(_sheet(legible_sheet(sheet)) for sheet in sheets)


def _sheet(sheet: Sheet) -> str:
    lines = [f"### {escaped(sheet.title)}", "", _row(sheet.columns), _row(_ruler(sheet))]
    lines += [_row(cell_text(cell) for cell in row) for row in sheet.rows]
    lines += ["", *(f"*{escaped(note)}*  " for note in sheet.notes)]
    return "\n".join(lines) + "\n"


def _ruler(sheet: Sheet) -> list[str]:
    return ["---" if sheet.is_text(number) else "---:" for number in range(len(sheet.columns))]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


_SPECIAL = re.compile(r"^>|[&<|`*~\\@#]|\](?=[(\[:])|(?<!\w)_|_(?!\w)")


def escaped(text: str) -> str:
    """Foreign text as text of Markdown: none of it is HTML, code, a link, a mention or the end of a cell."""
    return _SPECIAL.sub(lambda special: f"&#{ord(special[0])};", escape(text))


def to_html(sheets: Iterable[Sheet]) -> str:
    """The sheets as HTML tables, every text escaped."""
    return "".join(_table(legible_sheet(sheet)) for sheet in sheets)


def _table(sheet: Sheet) -> str:
    head = "".join(f"<th>{escape_html(column)}</th>" for column in sheet.columns)
    rows = ("".join(f"<td>{escape_html(cell_text(cell))}</td>" for cell in row) for row in sheet.rows)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    notes = "".join(f"<p><small>{escape_html(note)}</small></p>" for note in sheet.notes)
    table = f"<caption>{escape_html(sheet.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f"<table>{table}</table>{notes}"


class Csv(str):
    """CSV text for people and spreadsheets; ``exact`` is the same with every cell as it is."""

    exact: str


def to_csv(rows: Iterable[Sequence[object]]) -> Csv:
    """The rows as CSV text, the header being the first of them; ``None`` is an empty cell.

    Text is escaped; before text that a spreadsheet would run as a formula there is an apostrophe. `Csv.exact` has neither.
    """
    listed = [tuple(row) for row in rows]
    text = Csv(_csv_text([tuple(map(_inert, row)) for row in listed]))
    text.exact = _csv_text(listed)
    return text


class _Lines(list[str]):
    """The lines that a csv writer writes, each of whose ends becomes a newline."""

    def write(self, line: str) -> None:
        self.append(f"{line[: -len(_RETURN)]}\n")


_RETURN = "\r\n"
"""What the writer ends lines with; before Python 3.13 it quotes only cells that hold a character of it."""


def _csv_text(rows: Iterable[Sequence[object]]) -> str:
    lines = _Lines()
    csv.writer(lines, lineterminator=_RETURN).writerows(rows)
    return "".join(lines)


_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def _inert(cell: object) -> object:
    """A cell that a spreadsheet takes for text, a number or nothing."""
    if not isinstance(cell, str):
        return cell
    text = escape(cell)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
