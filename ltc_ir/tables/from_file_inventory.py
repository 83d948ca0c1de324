"""The inventory of a stored file's IR, for rules that are judged on a file: what `taking` does for a live program."""

from __future__ import annotations

import re
from typing import Any

from ltc_ir.ir.hlo.module import HloModule
from ltc_ir.ir.name_evidence import Evidence
from ltc_ir.ir.op import Details
from ltc_ir.ir.stablehlo import reader as stablehlo
from ltc_ir.records.inventory import Inventory, LevelInventory, Metric
from ltc_ir.records.vocabulary import By, Level
from ltc_ir.tables.taking import devices_of, entries
from ltc_ir.tables.unfolding import RecursiveCallsError, flat, unfold

_WANTS = frozenset({By.SOURCE})
_SPANS = re.compile(r"\b(?:num_partitions|replica_count)=(\d+)")
_NOT_SAID = "a file does not say; judge the program itself"


def of_mlir(module: Any, evidence: Evidence, target: str, lines: int) -> Inventory:
    """The inventory of an MLIR module."""
    stream = stablehlo.read(module, _WANTS, evidence=evidence, details=Details.ALL)
    try:
        ops = unfold(stream, module=False).expanded
    except RecursiveCallsError:
        ops = flat(stream).module
    metrics: dict[str, Metric] = {
        "lines": lines,
        "constants.bytes": None,
        "constants.embedded.bytes": stream.facts["constants"].embedded_bytes,
        "max_depth": max(body.depth for body in stream.bodies),
        "private_functions": stream.facts["private_functions"],
    }
    reasons = {"constants.bytes": "a file does not say which of its arguments were constants"}
    level = LevelInventory(Level.STABLEHLO.value, entries(ops), metrics, reasons=reasons)
    return Inventory(target, "file", devices_of(module), {level.level: level}, detailed=True)


def of_hlo(module: HloModule, target: str) -> Inventory:
    """The inventory of an HLO module's text."""
    from ltc_ir.ir.hlo import reader as hlo

    stream = hlo.read(module, _WANTS, details=Details.ALL)
    metrics: dict[str, Metric] = {
        "max_depth": stream.facts.get("max_depth"),
        **dict.fromkeys(("flops", "bytes_accessed"), None),
    }
    reasons = dict.fromkeys(("flops", "bytes_accessed"), _NOT_SAID)
    level = LevelInventory(Level.HLO.value, entries(flat(stream).module), metrics, reasons=reasons)
    devices = 1
    for size in _SPANS.findall(module.attributes):
        devices *= int(size)
    return Inventory(target, "file", devices, {level.level: level}, detailed=True)
