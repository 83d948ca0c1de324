"""A stored record as an inventory, so that rules can be judged on it: without types, which records do not keep."""

from __future__ import annotations

from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count, LevelCount
from ltc_ir.records.inventory import Entry, Inventory, LevelInventory, Metric
from ltc_ir.records.snapshot import LevelFacts, Snapshot


def inventory_of(snapshot: Snapshot) -> Inventory:
    """What a snapshot holds of its program."""
    levels = {name: _of_facts(name, facts) for name, facts in snapshot.levels.items()}
    if snapshot.hlo is not None:
        levels["hlo"] = _of_facts("hlo", snapshot.hlo.facts)
    return Inventory(snapshot.target, snapshot.program, snapshot.identity.devices, levels)


def _of_facts(name: str, facts: LevelFacts) -> LevelInventory:
    entries = [
        Entry(op, phase, function, number=number)
        for (phase, function), counts in facts.ops.items()
        for op, number in counts.items()
    ]
    return LevelInventory(name, tuple(entries), dict(facts.metrics), fingerprint=facts.fingerprint)


def inventory_of_count(count: Count, where: str) -> Inventory:
    """What a count of one program holds.

    Raises:
        UsageError: it is of several programs, or was narrowed when it was made.
    """
    if len(count.programs) != 1:
        raise UsageError(f"{where} holds {', '.join(count.programs) or 'no program'}", "count one with --program")
    if count.filters:
        raise UsageError(f"{where} was narrowed when it was made", "count the target again without --op and --phase")
    ((program, levels),) = count.programs.items()
    found = {name: _of_level(level) for name, level in levels.items()}
    return Inventory(count.target, program, 1, found)


def _of_level(level: LevelCount) -> LevelInventory:
    tally = level.expanded or level.tally
    entries = [Entry(op, phase, number=number) for phase, ops in tally.phases.items() for op, number in ops.items()]
    constants = level.constants or {}
    metrics: dict[str, Metric] = {
        "lines": level.lines,
        "constants.bytes": constants.get("bytes"),
        "constants.embedded.bytes": constants.get("embedded_bytes"),
        "max_depth": level.max_depth,
        "flops": level.flops,
        "bytes_accessed": level.bytes_accessed,
        **{f"memory.{name}": value for name, value in (level.memory or {}).items()},
    }
    known = {name: value for name, value in metrics.items() if value is not None}
    return LevelInventory(level.level, tuple(entries), known, reasons=level.reasons)
