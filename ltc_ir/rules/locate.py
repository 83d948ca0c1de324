"""Where a figure's operations are: the block that has most of them or moved most, and the live lines there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from ltc_ir.compare.facts_diff import Comparison, Sides, blocks_of
from ltc_ir.records.aliases import ALIASES
from ltc_ir.records.check import CheckChange
from ltc_ir.records.inventory import Constant, Entry, LevelInventory
from ltc_ir.records.snapshot import Block
from ltc_ir.records.vocabulary import NO_SOURCE

_MOST = 3

Key = TypeVar("Key", bound=Hashable)


class Place(NamedTuple):
    """A phase, a function, and the lines in it, largest first."""

    phase: str | None = None
    function: str | None = None
    sources: tuple[str, ...] = ()


NOWHERE = Place()


def locate_changes(found: Comparison, live: LevelInventory) -> list[CheckChange]:
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


def most_moved(before: Mapping[Block, int], after: Mapping[Block, int]) -> Block | None:
    """The block whose figure moved most in the direction of the whole; where the whole stayed, the one that gained most."""
    moves = {block: after.get(block, 0) - before.get(block, 0) for block in sorted({*before, *after})}
    whole = sum(moves.values())
    sign = -1 if whole < 0 else 1
    sizes = {block: move * sign for block, move in moves.items() if move}
    return max(sizes, key=lambda block: (sizes[block], _is_named(block))) if sizes else None


def place_of(entries: Iterable[Entry], block: Block | None = None) -> Place:
    """The place of these operations: in that block, or in the one that has most of them."""
    held = list(entries)
    if block is None:
        block = most_moved({}, blocks(held))
    if block is None:
        return NOWHERE
    lines: Counter[str] = Counter()
    for entry in held:
        if (entry.phase, entry.function) == block and entry.source != NO_SOURCE:
            lines[entry.source] += entry.number
    return Place(*block, largest(lines))


def blocks(entries: Iterable[Entry]) -> Counter[Block]:
    """How many of these operations each block has."""
    found: Counter[Block] = Counter()
    for entry in entries:
        found[entry.phase, entry.function] += entry.number
    return found


def largest(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """The three largest, ties by name."""
    return tuple(sorted(sizes, key=lambda name: (-sizes[name], name))[:_MOST])


def _is_named(block: Block) -> bool:
    return block[1] != NO_SOURCE


def most_grown(
    before: Mapping[Block, Mapping[str, int]], after: Mapping[Block, Mapping[str, int]]
) -> tuple[Block, str] | None:
    """The block and operation that grew most; ``None`` where nothing did."""
    growth = {
        (block, name): number - before.get(block, {}).get(name, 0)
        for block, counts in after.items()
        for name, number in counts.items()
    }
    largest_first = sorted(growth, key=lambda key: (-growth[key], key))
    return largest_first[0] if largest_first and growth[largest_first[0]] > 0 else None


def place_of_constants(constants: Iterable[Constant]) -> Place:
    """The block with most bytes of constants, and the lines of the largest of them."""
    held = list(constants)
    if not held:
        return NOWHERE
    block = most_moved({}, _sizes(held, lambda one: (one.phase, one.function)))
    if block is None:
        return NOWHERE
    inside = [one for one in held if (one.phase, one.function) == block and one.source != NO_SOURCE]
    return Place(*block, largest(_sizes(inside, lambda one: one.source)))


def _sizes(constants: Iterable[Constant], key: Callable[[Constant], Key]) -> Counter[Key]:
    found: Counter[Key] = Counter()
    for one in constants:
        found[key(one)] += one.bytes
    return found


def _op(found: Comparison, live: LevelInventory, name: str, sides: Sides) -> CheckChange:
    block = most_moved(blocks_of(found.before, name), blocks_of(found.after, name))
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
