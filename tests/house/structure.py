"""The structure of the code as numbers: modules, lines, rooms, and the graph of every import, wherever it is written.

``python -m tests.house.structure`` prints them. Imports inside functions, under ``TYPE_CHECKING`` and by string (the text
of a constant that names a module of ours, as ``"ltc_ir.lab.training:TARGET"`` does) count like any other.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "ltc_ir", ROOT / "cli" / "ltc_ir_cli")
ENTRY = "ltc_ir_cli.app"
LAB = "ltc_ir.lab"
_NAMED = re.compile(r"(ltc_ir(?:_cli)?(?:\.\w+)+)(?::\w+)?")


@cache
def modules() -> dict[str, Path]:
    """Every module by its dotted name."""
    return {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
    }


def is_lab(name: str) -> bool:
    """Whether a module is of the lab, which is a user of the tool."""
    return name == LAB or name.startswith(LAB + ".")


@cache
def graph() -> nx.DiGraph[str]:
    """Which module imports which."""
    made: nx.DiGraph[str] = nx.DiGraph()
    made.add_nodes_from(modules())
    made.add_edges_from((name, target) for name, path in modules().items() for target in _imports(name, path))
    return made


def _imports(name: str, path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for dotted in _named(node):
            target = _module_of(dotted)
            if target not in (None, name, "ltc_ir") and not name.startswith(f"{target}."):
                yield str(target)


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (match := _NAMED.fullmatch(node.value)):
        yield match[1]


def _module_of(dotted: str) -> str | None:
    """The module that a dotted name is, or is in."""
    while dotted and dotted not in modules():
        dotted = dotted.rpartition(".")[0]
    return dotted or None


def cycles() -> list[list[str]]:
    """The circles of imports."""
    return [sorted(group) for group in nx.strongly_connected_components(graph()) if len(group) > 1]


def longest_chain() -> list[str]:
    """The longest chain of imports from the command line's entry."""
    reached = graph().subgraph({ENTRY, *nx.descendants(graph(), ENTRY)})
    if not nx.is_directed_acyclic_graph(reached):
        reached = nx.condensation(reached)
        return [str(sorted(reached.nodes[one]["members"])) for one in nx.dag_longest_path(reached)]
    return list(nx.dag_longest_path(reached))


def rooms() -> Counter[str]:
    """Modules in each room: a folder, its sub-rooms not counted."""
    return Counter(str(path.parent.relative_to(ROOT)) for path in modules().values())


def lines(name: str) -> int:
    """The lines of a module."""
    return len(modules()[name].read_text(encoding="utf-8").splitlines())


def main() -> None:
    """Print the numbers."""
    tool = [name for name in modules() if not is_lab(name)]
    print(f"modules without the lab: {len(tool)}, lines: {sum(map(lines, tool)):,}")
    for room, number in rooms().most_common(8):
        print(f"  {room}: {number}")
    for circle in cycles():
        print(f"cycle: {', '.join(circle)}")
    chain = longest_chain()
    print(f"longest chain: {len(chain)}", *chain, sep="\n  ")


if __name__ == "__main__":
    main()
