"""Which growth fails: all of it, except what a step rule permits or a waiver tolerates, and the lines that follow from such."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date

from ltc_ir.compare.facts import METRICS
from ltc_ir.compare.facts_diff import Comparison
from ltc_ir.errors import UsageError
from ltc_ir.records.check import CheckChange
from ltc_ir.records.inventory import Inventory
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.rules.evaluate import holds
from ltc_ir.rules.grammar import Rule
from ltc_ir.rules.names import Meaning, plain
from ltc_ir.rules.value import stepped
from ltc_ir.rules.waivers import Waiver, apply

NO_GROWTH, DEFAULT = "no growth", "default"
"""The rule that growth breaks where nothing permits it, and where that stands."""


def held(
    changes: Iterable[CheckChange],
    found: Comparison,
    inventory: Inventory,
    baseline: Snapshot,
    *,
    rules: Collection[Rule],
    waivers: Collection[Waiver],
    today: date | None = None,
) -> list[CheckChange]:
    """The changes of one level, those that grew without permission with the rule they break.

    A step rule that names its level permits growth there; one that names none permits it at each level where the step
    holds, as one operation more in a jaxpr is one more in StableHLO too. A `total` step permits any operation's growth.
    """
    steps = [rule for rule in rules if rule.kind == "step" and rule.speaks_of(inventory.target, inventory.program)]
    made = []
    for change in changes:
        if not is_growth(change) or any(_permits(rule, change, found, inventory, baseline) for rule in steps):
            made.append(change)
        else:
            made.append(replace(change, rule=NO_GROWTH, where=DEFAULT))
    return _without_lines(apply(made, waivers, inventory.target, today=today))


def is_growth(change: CheckChange) -> bool:
    """Whether a held figure grew: operations and the figures that are kept, no types."""
    grew = change.current is not None and change.baseline is not None and change.current > change.baseline
    return grew and not change.metric.startswith("types.")


def _permits(rule: Rule, change: CheckChange, found: Comparison, inventory: Inventory, baseline: Snapshot) -> bool:
    selector = rule.selector
    if selector.level not in {None, change.level} or not _names(rule, change):
        return False
    if selector.phase is not None and not _grew_within(selector.phase, change.metric, found):
        return False
    try:
        step = stepped(selector, Meaning(change.level), inventory, baseline)
    except UsageError:
        return False
    return holds(rule, step.after + step.unplaced, step.before)


def _names(rule: Rule, change: CheckChange) -> bool:
    name = rule.selector.name
    if change.metric in METRICS:
        return name == change.metric
    return name == "total" or plain(change.level, name) == plain(change.level, change.metric)


def _grew_within(phase: str, name: str, found: Comparison) -> bool:
    """Whether an operation grew in no other phase."""
    moves: Counter[str] = Counter()
    for sign, facts in ((-1, found.before), (1, found.after)):
        for (where, _), counts in facts.ops.items():
            moves[where] += sign * counts.get(name, 0)
    return all(move <= 0 for where, move in moves.items() if where != phase)


def _without_lines(changes: Iterable[CheckChange]) -> list[CheckChange]:
    """More lines follow from more operations: where all growth of those is permitted or waived, so is theirs."""
    made = list(changes)
    grown = [change for change in made if is_growth(change) and change.metric not in METRICS]
    if not grown or any(change.fails for change in grown):
        return made
    return [
        replace(change, rule=None, where=None) if change.metric == "lines" and change.rule == NO_GROWTH else change
        for change in made
    ]
