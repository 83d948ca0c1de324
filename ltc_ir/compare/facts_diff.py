"""The facts of one level now against those of its snapshot: what grew, shrank, moved or changed, and in which lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ltc_ir.compare.facts import METRICS, renamed, without
from ltc_ir.records.aliases import ALIASES
from ltc_ir.records.check import CheckChange
from ltc_ir.records.inventory import Entry, LevelInventory
from ltc_ir.records.snapshot import Block, LevelFacts
from ltc_ir.rules.locate import NOWHERE, Place, blocks, most_grown, most_moved, place_of, place_of_constants

Sides = tuple[int, int]
"""A figure in the snapshot, and now."""


@dataclass(frozen=True)
class Comparison:
    """One level of one program on both sides, without what is not held and under the newer names.

    ``ops`` and ``metrics`` are the figures that differ; ``moved`` the operations whose totals stayed while their blocks
    did not; ``types`` the element types whose numbers differ in any phase.
    """

    level: str
    before: LevelFacts
    after: LevelFacts
    ops: Mapping[str, Sides]
    metrics: Mapping[str, Sides]
    moved: tuple[str, ...]
    types: Mapping[str, Sides]
    restructured: bool

    @property
    def grew(self) -> bool:
        """Whether any held figure grew."""
        return any(after > before for before, after in (*self.ops.values(), *self.metrics.values()))

    @property
    def shrank(self) -> bool:
        """Whether any held figure shrank."""
        return any(after < before for before, after in (*self.ops.values(), *self.metrics.values()))

    @property
    def totals(self) -> Sides:
        """All operations that are held."""
        return self.before.total, self.after.total


def compare(level: str, baseline: LevelFacts, current: LevelFacts) -> Comparison:
    """Set the facts of one level against its snapshot; what either side found unstable is on neither."""
    unstable = {*baseline.unstable, *current.unstable}
    before, after = (renamed(level, without(facts, unstable)) for facts in (baseline, current))
    totals = _differing(before.totals(), after.totals())
    shared = {name for name in METRICS if name in before.metrics and name in after.metrics}
    metrics = {name: (before.metrics[name], after.metrics[name]) for name in METRICS if name in shared}
    return Comparison(
        level,
        before,
        after,
        ops=totals,
        metrics={name: sides for name, sides in metrics.items() if sides[0] != sides[1]},
        moved=_moved(before, after, totals),
        types=_types(before, after),
        restructured=None not in {before.fingerprint, after.fingerprint} and before.fingerprint != after.fingerprint,
    )


def changes(found: Comparison, live: LevelInventory) -> list[CheckChange]:
    """What differs, one change per figure, with the block it is in and the live lines there; none breaks a rule yet."""
    made = [_op(found, live, name, sides) for name, sides in found.ops.items()]
    made += [_change(found, name, sides, _place_of_metric(found, live, name)) for name, sides in found.metrics.items()]
    if not found.ops:
        made += [_op(found, live, name, (found.before.totals()[name],) * 2) for name in found.moved]
    for name, sides in found.types.items():
        if not found.ops or not sides[0]:
            made.append(_change(found, f"types.{name}", sides, _place_of_type(found, live, name)))
    if found.restructured and not made:
        made.append(CheckChange("fingerprint", found.level, None, None))
    return made


def _differing(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, Sides]:
    pairs = {name: (before.get(name, 0), after.get(name, 0)) for name in sorted({*before, *after})}
    return {name: sides for name, sides in pairs.items() if sides[0] != sides[1]}


def _moved(before: LevelFacts, after: LevelFacts, differing: Mapping[str, Sides]) -> tuple[str, ...]:
    names = {*before.totals(), *after.totals()} - set(differing)
    return tuple(sorted(name for name in names if _blocks(before, name) != _blocks(after, name)))


def _blocks(facts: LevelFacts, name: str) -> dict[Block, int]:
    return {block: counts[name] for block, counts in facts.ops.items() if counts.get(name)}


def _types(before: LevelFacts, after: LevelFacts) -> dict[str, Sides]:
    sides = [Counter[str](), Counter[str]()]
    for total, facts in zip(sides, (before, after), strict=True):
        for counts in facts.types.values():
            total.update(counts)
    phases = {*before.types, *after.types}
    differing = {
        name for phase in phases for name in _differing(before.types.get(phase, {}), after.types.get(phase, {}))
    }
    return {name: (sides[0][name], sides[1][name]) for name in sorted(differing)}


def _op(found: Comparison, live: LevelInventory, name: str, sides: Sides) -> CheckChange:
    block = most_moved(_blocks(found.before, name), _blocks(found.after, name))
    return _change(found, name, sides, place_of(_named(found, live, name), block))


def _named(found: Comparison, live: LevelInventory, name: str) -> list[Entry]:
    newer = ALIASES.get(found.level, {})
    return [entry for entry in live.entries if newer.get(entry.name, entry.name) == name]


def _change(found: Comparison, metric: str, sides: Sides, place: Place) -> CheckChange:
    return CheckChange(metric, found.level, *sides, place.phase, place.function, place.sources)


def _place_of_metric(found: Comparison, live: LevelInventory, name: str) -> Place:
    if name == "lines":
        grown = most_grown(found.before.ops, found.after.ops)
        return place_of(_named(found, live, grown[1]), grown[0]) if grown else NOWHERE
    return place_of_constants(live.constants)


def _place_of_type(found: Comparison, live: LevelInventory, name: str) -> Place:
    """The phase in which the type moved most, and the function there with most results of it."""
    sides = [
        {(phase, ""): counts.get(name, 0) for phase, counts in one.types.items()} for one in (found.before, found.after)
    ]
    moved = most_moved(sides[0], sides[1])
    if moved is None:
        return NOWHERE
    entries = [entry for entry in live.entries if entry.phase == moved[0] and name in entry.results]
    block = most_moved({}, blocks(entries))
    return place_of(entries, block) if block else Place(moved[0])
