"""The figure a rule speaks of, in an inventory and in a snapshot; what is not known is an error and never a number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from ltc_ir.compare.facts import facts_of, renamed, without
from ltc_ir.errors import UsageError
from ltc_ir.records.inventory import Entry, Inventory, LevelInventory
from ltc_ir.records.snapshot import Block, LevelFacts, Snapshot
from ltc_ir.records.vocabulary import Phase
from ltc_ir.rules.grammar import COUNTED, Selector
from ltc_ir.rules.names import Meaning, admits, plain, resolve


class Measured(NamedTuple):
    """A figure of one program: its value, the operations it counts, and where it was looked for.

    ``unplaced`` is what would be added if every operation whose phase the IR does not tell were of the phase asked for.
    """

    value: float
    entries: tuple[Entry, ...]
    meaning: Meaning
    unplaced: float = 0


class Stepped(NamedTuple):
    """A figure on both sides of a step, block by block where it counts operations, and by how much what is unplaced grew."""

    before: float
    after: float
    blocks_before: Counter[Block]
    blocks_after: Counter[Block]
    unplaced: float = 0


def measure(selector: Selector, inventory: Inventory, among: Collection[Inventory] = ()) -> Measured:
    """The figure a selector speaks of.

    Args:
        selector: which figure.
        inventory: the program.
        among: the programs that say what a name stands for; this one alone where there are none.

    Raises:
        UsageError: no level knows the name, the level was not read, or the figure is not known.
    """
    meaning = resolve(selector, among or (inventory,))
    level = level_of(inventory, meaning.level)
    if selector.is_metric and selector.name not in COUNTED:
        return Measured(_metric(selector.name, level, inventory), (), meaning)
    if selector.filter is not None and selector.filter.needs_detail and not inventory.detailed:
        raise UsageError(f"the types and attributes behind {selector.label} were not read", "take a detailed inventory")
    found = [entry for entry in level.entries if admits(selector, meaning, entry)]
    if selector.phase is None:
        return Measured(_sum(found, selector), tuple(found), meaning)
    held = [entry for entry in found if entry.phase == selector.phase]
    unknown = [entry for entry in found if entry.phase == Phase.UNATTRIBUTED and entry.phase != selector.phase]
    return Measured(_sum(held, selector), tuple(held), meaning, _sum(unknown, selector))


def stepped(selector: Selector, meaning: Meaning, inventory: Inventory, baseline: Snapshot) -> Stepped:
    """A figure in the snapshot and now; what the snapshot does not hold for unstable counts on neither side.

    Raises:
        UsageError: the snapshot does not have it.
    """
    stored = baseline.levels.get(meaning.level)
    if stored is None:
        raise UsageError(f"the snapshot of {inventory.program} has no {meaning.level}", "record it anew")
    if meaning.is_kernel:
        raise UsageError(f"a snapshot does not keep which kernel is called, so {selector.name} has no step", "bound it")
    then = renamed(meaning.level, stored)
    now = renamed(meaning.level, without(facts_of(level_of(inventory, meaning.level)), stored.unstable))
    if selector.is_metric and selector.name not in COUNTED:
        return Stepped(_kept(selector.name, then, stored), _kept(selector.name, now, stored), Counter(), Counter())
    before, after = (_blocks(selector, meaning, facts, selector.phase) for facts in (then, now))
    unknown = [_blocks(selector, meaning, facts, Phase.UNATTRIBUTED.value).total() for facts in (then, now)]
    doubt = 0 if selector.phase in {None, Phase.UNATTRIBUTED.value} else max(0, unknown[1] - unknown[0])
    return Stepped(before.total(), after.total(), before, after, doubt)


def level_of(inventory: Inventory, level: str) -> LevelInventory:
    """One level of a program.

    Raises:
        UsageError: it was not read.
    """
    found = inventory.levels.get(level)
    if found is None:
        raise UsageError(
            f"{inventory.target} {inventory.program} was not read at {level}", f"ask for the level {level}"
        )
    return found


def _metric(name: str, level: LevelInventory, inventory: Inventory) -> float:
    value = level.metrics.get(name)
    if value is None or not math.isfinite(value):
        said = (level.reasons[key] for key in (name, name.partition(".")[0]) if key in level.reasons)
        who = f"{inventory.target} {inventory.program}"
        why = next(said, "its text does not tell")
        raise UsageError(f"{name} of {who} is not known at {level.level}: {why}", "leave the rule out")
    return value


def _kept(name: str, facts: LevelFacts, stored: LevelFacts) -> float:
    if name not in facts.metrics:
        why = "two captures disagreed on it" if f"metric|{name}" in stored.unstable else "a side does not have it"
        raise UsageError(f"{name} cannot be held against the snapshot: {why}", "record it anew, or write a bound")
    return facts.metrics[name]


def _sum(entries: Collection[Entry], selector: Selector) -> int:
    if not selector.bytes:
        return sum(entry.number for entry in entries)
    total = 0
    for entry in entries:
        if entry.bytes is None:
            raise UsageError(f"the bytes of {entry.name} are not known, so {selector.label} is not", "bound its number")
        total += entry.bytes * entry.number
    return total


def _blocks(selector: Selector, meaning: Meaning, facts: LevelFacts, phase: str | None) -> Counter[Block]:
    wanted = plain(meaning.level, selector.name)
    found: Counter[Block] = Counter()
    for block, counts in facts.ops.items():
        if phase is None or block[0] == phase:
            for name, number in counts.items():
                if selector.name == "total" or plain(meaning.level, name) == wanted:
                    found[block] += number
    return found
