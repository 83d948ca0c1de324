"""Prints listings, rows of named columns: the targets there are, what an installation can do."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ltc_ir.records.codec import SCHEMA, dumps
from ltc_ir.render.layouts.count import Sheet
from ltc_ir.render.markdown import to_markdown

Rows = Sequence[Mapping[str, str]]


def target_rows(own: Mapping[str, Mapping[str, Any]], builtin: Mapping[str, str], about: Mapping[str, str]) -> Rows:
    """A row per target: the project's own first."""
    mine = [
        {"name": name, "where": str(entry["target"]), "about": "from pyproject.toml"} for name, entry in own.items()
    ]
    return [*mine, *({"name": name, "where": where, "about": about[name]} for name, where in builtin.items())]


def _sheet(title: str, rows: Rows) -> Sheet:
    columns = tuple(rows[0]) if rows else ("nothing",)
    return Sheet(title, columns, tuple(tuple(row.values()) for row in rows), text=True)


def _table(title: str, rows: Rows) -> list[Any]:
    from ltc_ir.render.table import to_table

    return [to_table(_sheet(title, rows))]


def _csv(_: str, rows: Rows) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


LISTING_FORMATS: dict[str, Callable[[str, Rows], Any]] = {
    "table": _table,
    "json": lambda title, rows: dumps({"schema": SCHEMA, "kind": title, title: list(rows)}),
    "csv": _csv,
    "markdown": lambda title, rows: to_markdown([_sheet(title, rows)]),
}
"""How a listing can be shown."""
