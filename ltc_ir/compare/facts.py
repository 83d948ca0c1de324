"""From what a program holds to the facts that are kept of it, and what two captures of one program agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from ltc_ir.records.aliases import ALIASES
from ltc_ir.records.inventory import Inventory, LevelInventory
from ltc_ir.records.snapshot import TWICE, Block, HloFacts, Identity, LevelFacts, Provenance, Snapshot

METRICS = ("lines", "constants.bytes", "constants.embedded.bytes")
"""The figures that are kept beside the operations."""

Key = TypeVar("Key", bound=Hashable)


def facts_of(level: LevelInventory) -> LevelFacts:
    """The facts of one level, without the lines they come from."""
    ops: dict[Block, Counter[str]] = {}
    types: dict[str, Counter[str]] = {}
    for entry in level.entries:
        if not entry.number:
            continue
        ops.setdefault((entry.phase, entry.function), Counter())[entry.name] += entry.number
        for kind in entry.results:
            types.setdefault(entry.phase, Counter())[kind] += entry.number
    kept = {name: level.metrics.get(name) for name in METRICS}
    return LevelFacts(
        ops={block: dict(counts) for block, counts in ops.items()},
        types={phase: dict(counts) for phase, counts in types.items()},
        metrics={name: int(value) for name, value in kept.items() if value is not None},
        fingerprint=level.fingerprint,
    )


def snapshot_of(
    inventory: Inventory,
    identity: Identity,
    provenance: Provenance,
    captured: str = TWICE,
    *,
    device: str | None = None,
) -> Snapshot:
    """The snapshot of a program; HLO is kept only where the kind of device it was compiled for is given."""
    levels = {name: facts_of(level) for name, level in inventory.levels.items() if name != "hlo"}
    hlo = inventory.levels.get("hlo")
    kept = None if hlo is None or device is None else HloFacts(provenance.jaxlib, device, facts_of(hlo))
    return Snapshot(inventory.target, inventory.program, identity, provenance, levels, hlo=kept, captured=captured)


def stable(first: LevelFacts, second: LevelFacts) -> LevelFacts:
    """What two captures agree on; the rest is named and not held."""
    unstable = {*first.unstable, *second.unstable}
    unstable |= {op_name(block, name) for block, name in _differing(first.ops, second.ops)}
    unstable |= {type_name(phase, name) for phase, name in _differing(first.types, second.types)}
    unstable |= {metric_name(name) for _, name in _differing({"": first.metrics}, {"": second.metrics})}
    if first.fingerprint != second.fingerprint:
        unstable.add("fingerprint")
    return without(replace(first, unstable=tuple(sorted(unstable))), unstable)


def without(facts: LevelFacts, names: Iterable[str]) -> LevelFacts:
    """The facts but those that are named so."""
    left_out = frozenset(names)
    if not left_out:
        return facts
    return replace(
        facts,
        ops=_but(facts.ops, {key for key in _keys(facts.ops) if op_name(*key) in left_out}),
        types=_but(facts.types, {key for key in _keys(facts.types) if type_name(*key) in left_out}),
        metrics={name: value for name, value in facts.metrics.items() if metric_name(name) not in left_out},
        fingerprint=None if "fingerprint" in left_out else facts.fingerprint,
    )


def renamed(level: str, facts: LevelFacts) -> LevelFacts:
    """The facts under the newer names of operations that JAX renamed."""
    names = ALIASES.get(level, {})
    ops: dict[Block, Counter[str]] = {}
    for block, counts in facts.ops.items():
        into = ops.setdefault(block, Counter())
        for name, number in counts.items():
            into[names.get(name, name)] += number
    return replace(facts, ops=ops)


def op_name(block: Block, name: str) -> str:
    """How an operation count is named among the unstable facts."""
    return f"op|{block[0]}|{block[1]}|{name}"


def type_name(phase: str, name: str) -> str:
    """How a type count is named among the unstable facts."""
    return f"type|{phase}|{name}"


def metric_name(name: str) -> str:
    """How a figure is named among the unstable facts."""
    return f"metric|{name}"


Table = Mapping[Key, Mapping[str, int]]


def _keys(table: Table[Key]) -> set[tuple[Key, str]]:
    return {(key, name) for key, counts in table.items() for name in counts}


def _differing(first: Table[Key], second: Table[Key]) -> set[tuple[Key, str]]:
    return {
        (key, name)
        for key, name in _keys(first) | _keys(second)
        if first.get(key, {}).get(name) != second.get(key, {}).get(name)
    }


def _but(table: Table[Key], left_out: set[tuple[Key, str]]) -> dict[Key, dict[str, int]]:
    kept = {
        key: {name: number for name, number in counts.items() if (key, name) not in left_out}
        for key, counts in table.items()
    }
    return {key: counts for key, counts in kept.items() if counts}
