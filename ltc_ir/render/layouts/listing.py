"""Lays out listings, rows of named columns: the targets, the snapshots of a store, what an installation can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ltc_ir.records.serialization import SCHEMA
from ltc_ir.render.sheet import Row, Sheet
from ltc_ir.render.words.check import level_name


class Listing(NamedTuple):
    """Rows with the same columns, all of them text; ``title`` is also the kind of its JSON."""

    title: str
    rows: Sequence[Mapping[str, str]]


def target_listing(
    own: Mapping[str, Mapping[str, Any]], builtin: Mapping[str, str], about: Mapping[str, str]
) -> Listing:
    """A row per target: the project's own first."""
    rows = [
        {"name": name, "where": str(entry["target"]), "about": "from pyproject.toml"} for name, entry in own.items()
    ]
    rows += [{"name": name, "where": where, "about": about[name]} for name, where in builtin.items()]
    return Listing("targets", rows)


def stored_listing(stored: Sequence[Any]) -> Listing:
    """A row per file of a store; a column of problems only if there is one."""
    problems = any(entry.problem for entry in stored)
    rows = [_stored_row(entry) | ({"problem": entry.problem or ""} if problems else {}) for entry in stored]
    return Listing("snapshots", rows)


def _stored_row(entry: Any) -> dict[str, str]:
    return {
        "target": entry.target,
        "program": entry.program,
        "jax": entry.jax,
        "platform": entry.platform + (" x64" if entry.x64 else ""),
        "operations": ", ".join(f"{level_name(level)} {total:,}" for level, total in entry.totals.items()),
        "captured": entry.captured,
        "accepted": str(entry.accepted or ""),
        "file": entry.file,
    }


def pruned_listing(pruned: Iterable[Any]) -> Listing:
    """A row per snapshot file that is no longer needed."""
    rows = [
        {"file": entry.file, "removed": "yes" if entry.removed else "no", "reason": entry.reason} for entry in pruned
    ]
    return Listing("pruned", rows)


def listing_sheets(listing: Listing) -> list[Sheet]:
    """The listing as one sheet."""
    columns = tuple(listing.rows[0]) if listing.rows else ("nothing",)
    return [Sheet(listing.title, columns, tuple(tuple(row.values()) for row in listing.rows), text_columns=None)]


def listing_rows(listing: Listing) -> Iterator[Row]:
    """The listing as lines of CSV."""
    yield tuple(listing.rows[0]) if listing.rows else ()
    yield from (tuple(row.values()) for row in listing.rows)


def listing_to_dict(listing: Listing) -> dict[str, Any]:
    """The listing as JSON holds it."""
    return {"schema": SCHEMA, "kind": listing.title, listing.title: list(listing.rows)}
