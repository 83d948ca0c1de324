"""What a program holds, distinct operation by distinct operation: what snapshots, rules and assertions are judged on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ltc_ir.records.op_table import Constant as TableConstant
from ltc_ir.records.op_table import ProgramTables, Row, Table
from ltc_ir.records.vocabulary import NO_SOURCE


class Entry(NamedTuple):
    """Operations alike, each once per call path: ``Entry("dot_general", "backward", "m.net:loss", "m/net.py:9", 3)``.

    ``name`` is spelled as its level spells it (``dot_general``, ``stablehlo.while``, ``all-gather-start``). ``function`` is
    the stable key of the function it comes from, ``source`` its ``file:line``. ``results`` are the element types of its
    results in short (``("f32", "i32")``). ``operands`` (element types) and ``attributes`` (name and value as text; a custom
    call's target is ``target``) are there only in a detailed inventory. ``bytes`` are those of one such operation's results
    on one device, ``None`` where unknown. ``number`` says how many there are.
    """

    name: str
    phase: str
    function: str = NO_SOURCE
    source: str = NO_SOURCE
    number: int = 1
    results: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    bytes: int | None = None


class Constant(NamedTuple):
    """A closed-over array of more than one element: its bytes, whether the text holds them, and who uses it first."""

    bytes: int
    type: str
    phase: str
    function: str = NO_SOURCE
    source: str = NO_SOURCE


Metric = int | float | None
"""A figure; ``None`` where it could not be had, with its reason in ``reasons``."""


@dataclass(frozen=True)
class LevelInventory:
    """One level of one program.

    ``metrics`` are the figures that are no operation counts, by the names rules use: ``lines``, ``constants.bytes``,
    ``constants.embedded.bytes`` (stablehlo), ``max_depth``, ``flops``, ``bytes_accessed``, ``memory.temporary_bytes`` … (hlo).
    ``fingerprint`` hashes the structure without names, locations and the values of constants; ``None`` at hlo.
    ``loops`` tells (kind, trip count) of each loop for messages only.
    """

    level: str
    entries: tuple[Entry, ...]
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    constants: tuple[Constant, ...] = ()
    fingerprint: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All operations."""
        return sum(entry.number for entry in self.entries)


@dataclass(frozen=True)
class Inventory:
    """One program at the levels asked for.

    ``devices`` are those the program spans (1 unless it is partitioned), not those of the machine. ``detailed`` says whether
    entries have operands and attributes.
    """

    target: str
    program: str
    devices: int
    levels: Mapping[str, LevelInventory]
    detailed: bool = False


def tables_of(inventory: Inventory) -> ProgramTables:
    """The tables of an inventory."""
    levels = {}
    for name, level in inventory.levels.items():
        weights: dict[Row, int] = {}
        for e in level.entries:
            row = Row(*e[:4], results=e.results, operands=e.operands, attributes=e.attributes, bytes=e.bytes)
            weights[row] = weights.get(row, 0) + e.number
        constants = tuple(TableConstant(*constant) for constant in level.constants)
        levels[name] = Table(
            name, expanded=weights, figures=level.metrics, reasons=level.reasons, constants=constants,
            fingerprint=level.fingerprint,
        )  # fmt: skip
    return ProgramTables(inventory.target, inventory.program, inventory.devices, levels, inventory.detailed)
