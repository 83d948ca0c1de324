"""The structure of the code stays within its bounds, counted over every import wherever it is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ltc_ir_cli.app import main
from tests.house import structure

MOST_MODULES, MOST_LINES, MOST_IN_A_ROOM, LONGEST_CHAIN = 260, 44_000, 20, 17
"""Bounds of the tool without the lab. The aim for lines is 23,500; the bound keeps them from growing on the way there."""
SHARED = frozenset({"records", "errors", "escape"})
"""Rooms that every other one may use at any time."""


def tool() -> list[str]:
    return [name for name in structure.modules() if not structure.is_lab(name)]


def test_the_tool_without_the_lab_is_small():
    assert len(tool()) <= MOST_MODULES
    assert sum(map(structure.lines, tool())) <= MOST_LINES


def test_no_room_is_crowded():
    assert {room: number for room, number in structure.rooms().items() if number > MOST_IN_A_ROOM} == {}


def test_no_imports_go_in_a_circle():
    assert structure.cycles() == []


def test_the_longest_chain_of_imports_is_short():
    chain = structure.longest_chain()
    assert len(chain) <= LONGEST_CHAIN, "\n".join(chain)


def test_only_the_table_of_built_in_targets_names_the_lab():
    importers = {name for name, target in structure.graph().edges if structure.is_lab(target)}
    assert {name for name in importers if not structure.is_lab(name)} <= {
        "ltc_ir.targets.builtin",
        "ltc_ir_cli.app",
    }


def room_of(frame: FrameType) -> str | None:
    """The room a frame's code is in; ``None`` where it is not the tool's."""
    parts = str(frame.f_globals.get("__name__", "")).split(".")
    if parts[0] == "ltc_ir_cli":
        return "cli"
    return parts[1] if parts[0] == "ltc_ir" and len(parts) > 1 and parts[1] != "lab" else None


def path_to(frame: FrameType | None) -> tuple[str, ...]:
    """The rooms that a call came through, outermost first, neighbours alike as one; none where a module is imported."""
    rooms: list[str] = []
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return ()
        room = room_of(frame)
        if room is not None and room not in SHARED and (not rooms or rooms[-1] != room):
            rooms.append(room)
        frame = frame.f_back
    return tuple(reversed(rooms))


@contextmanager
def walked() -> Iterator[set[tuple[str, ...]]]:
    """The paths of all calls of the tool's own functions while this is open."""
    paths: set[tuple[str, ...]] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and room_of(frame) is not None:
            paths.add(path_to(frame))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield paths
    finally:
        sys.setprofile(before)


def returning(paths: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The paths that come back to a room they have left."""
    return {path for path in paths if len(set(path)) < len(path)}


@pytest.mark.parametrize("flags", [[], ["--grad"], ["--level", "jaxpr,stablehlo,hlo", "--by", "source"]], ids=" ".join)
def test_a_count_walks_from_the_command_to_the_table_and_never_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
):
    (tmp_path / "net.py").write_text(
        "import jax, jax.numpy as jnp\n\ndef net(x):\n    return jnp.tanh(x).sum()\n\nnet_args = (jnp.ones(3),)\n"
    )
    monkeypatch.chdir(tmp_path)
    with walked() as paths:
        assert main(["count", "net.py:net", *flags]) == 0
    assert any(path[:2] == ("cli", "api") and path[-1] == "tables" for path in paths)
    assert returning(paths) == set()


def test_a_path_that_comes_back_is_seen():
    assert returning({("cli", "api", "tables", "api"), ("cli", "api", "tables")}) == {("cli", "api", "tables", "api")}
