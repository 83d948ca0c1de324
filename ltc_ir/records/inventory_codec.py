"""An Inventory to JSON and back: what a child process that reads a file sends; entries are rows, not tables."""

from __future__ import annotations

import json
from typing import Any

from ltc_ir.records.codec import built, parsed
from ltc_ir.records.inventory import Constant, Entry, Inventory, LevelInventory


def dumps(inventory: Inventory) -> str:
    """JSON text, compact: nobody reads it."""
    levels = {
        name: {
            "entries": [list(entry) for entry in level.entries],
            "constants": [list(constant) for constant in level.constants],
            "metrics": dict(level.metrics),
            "fingerprint": level.fingerprint,
            "reasons": dict(level.reasons),
        }
        for name, level in inventory.levels.items()
    }
    head = {"target": inventory.target, "program": inventory.program, "devices": inventory.devices}
    return json.dumps(head | {"detailed": inventory.detailed, "levels": levels})


def loads(text: str, where: str = "the inventory") -> Inventory:
    """An inventory from its JSON text.

    Raises:
        UsageError: it is none.
    """
    return built(_inventory, parsed(text, where), where)


def _inventory(data: Any) -> Inventory:
    levels = {name: _level(name, made) for name, made in data["levels"].items()}
    return Inventory(str(data["target"]), str(data["program"]), int(data["devices"]), levels, bool(data["detailed"]))


def _level(name: str, made: Any) -> LevelInventory:
    return LevelInventory(
        name,
        tuple(map(_entry, made["entries"])),
        dict(made["metrics"]),
        tuple(Constant(*row) for row in made["constants"]),
        made["fingerprint"],
        dict(made["reasons"]),
    )


def _entry(row: list[Any]) -> Entry:
    name, phase, function, source, number, results, operands, attributes, size = row
    pairs = tuple((key, value) for key, value in attributes)
    return Entry(name, phase, function, source, number, tuple(results), tuple(operands), pairs, size)
