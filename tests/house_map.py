"""The map of the house in CONTRIBUTING.md, made of the first lines of its modules: ``python -m tests.house_map --update``."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "ltc_ir", ROOT / "cli" / "ltc_ir_cli")
BEGIN, END = "<!-- map: begin -->\n", "<!-- map: end -->"


def head(path: Path) -> str:
    """The first sentence of a module, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def house_map() -> str:
    """A Markdown list: one line per room, from the top floor down, then the files of each room."""
    rooms = sorted((path.parent for package in PACKAGES for path in package.rglob("__init__.py")), key=_floor)
    listed = [f"- `{room.relative_to(ROOT)}/`: {head(room / '__init__.py')}" for room in rooms]
    for room in rooms:
        files = [path for path in sorted(room.glob("*.py")) if path.name != "__init__.py"]
        listed += ["", f"**`{room.relative_to(ROOT)}/`**", ""] if files else []
        listed += [f"- `{path.name}`: {head(path)}" for path in files]
    return BEGIN + "\n".join(listed) + "\n" + END


def _floor(room: Path) -> tuple[int, str]:
    """The floor of a room, as .importlinter has it, the top one first; the command line stands above all."""
    name = room.relative_to(ROOT).as_posix()
    parts = name.split("/")
    if parts[0] == "cli":
        return -1, name
    floors = re.search(r"^layers =\n((?:    .*\n)+)", (ROOT / ".importlinter").read_text(encoding="utf-8"), re.M)
    assert floors is not None
    order = [{word.strip() for word in line.split("|")} for line in floors[1].splitlines()]
    here = [number for number, names in enumerate(order) if len(parts) > 1 and parts[1] in names]
    return (here[0] if here else len(order)), name


if __name__ == "__main__":
    page = ROOT / "CONTRIBUTING.md"
    text = page.read_text(encoding="utf-8")
    if "--update" in sys.argv:
        page.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: house_map(), text, flags=re.S), encoding="utf-8")
    else:
        print(house_map())
