"""What the page of attacks says of mutants, made of the stored result of the last run."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "robustness.md"
DATA = ROOT / "docs" / "data" / "mutants.json"
BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"


def stored() -> dict[str, Any]:
    """The last result of each kind."""
    return dict(json.loads(DATA.read_text(encoding="utf-8"))) if DATA.is_file() else {}


def keep(name: str, number: int, ends: Mapping[str, int], wrong: int) -> None:
    """Keep how the mutants of a kind ended."""
    import jax

    versions = {"jax": jax.__version__, "python": platform.python_version()}
    result = {"number": number, "ends": dict(sorted(ends.items())), "wrong": wrong, **versions}
    DATA.write_text(json.dumps({**stored(), name: result}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def table() -> str:
    """The result as a table, a row for each kind."""
    codes = sorted({code for result in stored().values() for code in result["ends"]})
    rows = [["kind", "mutants", *(f"exit {code}" for code in codes), "wrong"]]
    rows.append(["---", *["---:"] * (len(codes) + 2)])
    for name, result in stored().items():
        counts = [f"{result['ends'].get(code, 0):,}" for code in codes]
        rows.append([name, f"{result['number']:,}", *counts, f"{result['wrong']:,}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def update() -> None:
    """Write the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    block = f"{BEGIN}\n{table()}\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: block, text, flags=re.DOTALL), encoding="utf-8")
