"""The stack frames of an HLO module, kept in four tables before its computations (JAX ≥ 0.7).

An instruction names a frame, a frame names a location and its parent, a location names a file and a function. The text
writes a parent's number plus one (``parent_frame_id=1`` is none, ``=3`` is frame 2), while the protocol buffer has the
number itself (0 is none). A table in which some frame's parent is 0 or missing is taken to be without that shift.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ltc_ir.ir.hlo.scanner import STRING, blank_end, error_at, excerpt, integer, pairs, unquote

MAX_DEPTH = 10_000
"""Frames of one stack at most; a longer chain is cut at its outer end (Python's own limit is 1,000)."""

_TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")
_HEADING = re.compile(rf"({'|'.join(_TABLES)})[ \t]*(?=\r?\n|$)", re.ASCII)
_NAMED = re.compile(rf"(\d{{1,18}})[ \t]+({STRING})", re.ASCII)


def _fields(*names: str) -> re.Pattern[str]:
    """What an entry of such fields is, in any order; a field of another name or without a number is none."""
    field_ = rf"(?:{'|'.join(names)})=\d++"
    return re.compile(rf"(\d{{1,18}})[ \t]+\{{((?:{field_}(?:[ \t]+{field_})*+)?)\}}", re.ASCII)


_LOCATED = _fields("file_name_id", "function_name_id", "line", "end_line", "column", "end_column")
_FRAME = _fields("file_location_id", "parent_frame_id")
_NUMBERED = re.compile(r"\d", re.ASCII)

_Fields = dict[str, str]


class TextFrame(NamedTuple):
    """One Python frame as the text names it: ``TextFrame("ltc.py", 57, "step")``; None for a function not known."""

    file: str
    line: int
    function: str | None


@dataclass(frozen=True, slots=True)
class StackTables:
    """The four tables, by the numbers of the text.

    Example: ``StackTables({1: TextFrame("m.py", 3, "f")}, {1: (1, 0)})``: frame 1 is at location 1 and has no parent.
    """

    locations: dict[int, TextFrame] = field(default_factory=dict)
    frames: dict[int, tuple[int, int]] = field(default_factory=dict)

    def stack(self, frame: int) -> tuple[TextFrame, ...]:
        """The frames from the outermost to ``frame``; what a broken table lacks is left out, a cycle is cut."""
        frames: list[TextFrame] = []
        visited: set[int] = set()
        while frame in self.frames and frame not in visited and len(visited) < MAX_DEPTH:
            visited.add(frame)
            location, frame = self.frames[frame]
            if location in self.locations:
                frames.append(self.locations[location])
        return tuple(reversed(frames))


def read_tables(text: str, position: int) -> tuple[StackTables, int]:
    """The tables that start at ``position``, and where they end; empty tables where there are none.

    Raises:
        HloSyntaxError: an entry is not ``number "string"`` or ``number {name=number …}``, or a table is missing.

    """
    tables: dict[str, dict[int, str]] = {}
    for name in _TABLES if _HEADING.match(text, position) else ():
        heading = _HEADING.match(text, position)
        if heading is None or heading[1] != name:
            raise error_at(text, position, f"expected the table {name}, not {excerpt(text, position)}")
        entry = _NAMED if name.endswith("Names") else _LOCATED if name == "FileLocations" else _FRAME
        tables[name], position = _entries(text, blank_end(text, heading.end()), entry)
    names = {number: unquote(name) for number, name in tables.get("FileNames", {}).items()}
    functions = {number: unquote(name) for number, name in tables.get("FunctionNames", {}).items()}
    locations = dict(_locations(tables.get("FileLocations", {}), names, functions))
    return StackTables(locations, _frames(tables.get("StackFrames", {}))), position


def _entries(text: str, position: int, entry: re.Pattern[str]) -> tuple[dict[int, str], int]:
    entries: dict[int, str] = {}
    while match := entry.match(text, position):
        entries[int(match[1])] = match[2]
        position = blank_end(text, match.end())
    if _NUMBERED.match(text, position):
        raise error_at(text, position, f"expected an entry of a table, not {excerpt(text, position)}")
    return entries, position


def _locations(
    table: dict[int, str], names: dict[int, str], functions: dict[int, str]
) -> Iterator[tuple[int, TextFrame]]:
    for number, written in table.items():
        fields = dict(pairs(written))
        file = names.get(_number(fields, "file_name_id"))
        if file is not None:
            yield number, TextFrame(file, _number(fields, "line"), functions.get(_number(fields, "function_name_id")))


def _frames(table: dict[int, str]) -> dict[int, tuple[int, int]]:
    written = {number: dict(pairs(entry)) for number, entry in table.items()}
    shift = int(all(_number(fields, "parent_frame_id") > 0 for fields in written.values()))
    return {
        number: (_number(fields, "file_location_id"), _number(fields, "parent_frame_id") - shift)
        for number, fields in written.items()
    }


def _number(fields: _Fields, name: str) -> int:
    return integer(fields.get(name)) or 0
