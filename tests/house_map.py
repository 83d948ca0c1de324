"""The map of the house in CONTRIBUTING.md, made of the first lines of its modules: ``python -m tests.house_map --update``."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- map: begin -->\n", "<!-- map: end -->"


def head(path: Path) -> str:
    """The first sentence of a module, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def house_map() -> str:
    """A Markdown list of every module and what its head says."""
    lines = []
    for top in (ROOT / "ltc_ir", ROOT / "cli" / "ltc_ir_cli"):
        for path in sorted(top.rglob("*.py"), key=lambda one: (one.parent.as_posix(), one.name)):
            lines.append(f"- `{path.relative_to(ROOT)}`: {head(path)}")
    return BEGIN + "\n".join(lines) + "\n" + END


if __name__ == "__main__":
    page = ROOT / "CONTRIBUTING.md"
    text = page.read_text(encoding="utf-8")
    if "--update" in sys.argv:
        page.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: house_map(), text, flags=re.S), encoding="utf-8")
    else:
        print(house_map())
