"""Prints rows as CSV: plain values that a spreadsheet reads without taking them apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def to_csv(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV text, the header being the first of them; ``None`` is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
