"""Where a figure's operations are: the block that has most of them or moved most, and the live lines there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from ltc_ir.compare.diff import Difference, TableDiff
from ltc_ir.compare.facts import NO_BLOCK
from ltc_ir.records.check import CheckChange
from ltc_ir.records.figures import compared_names
from ltc_ir.records.op_table import Constant, Table, Weights
from ltc_ir.records.snapshot import Block
from ltc_ir.records.vocabulary import NO_SOURCE, newer_names

_MOST = 3

Key = TypeVar("Key", bound=Hashable)


class Place(NamedTuple):
    """A phase, a function, and the lines in it, largest first."""

    phase: str | None = None
    function: str | None = None
    sources: tuple[str, ...] = ()


NOWHERE = Place()


def stored_figures(diff: TableDiff) -> dict[str, tuple[int, int]]:
    """The figures that differ between two sides that both have them, and whose difference is a change by itself."""
    figures: dict[str, tuple[int, int]] = {}
    for name in compared_names():
        before, after = (table.figures.get(name) for table in (diff.baseline, diff.current))
        if before is not None and after is not None and before != after:
            figures[name] = int(before), int(after)
    return figures


def locate_changes(diff: TableDiff, live: Table) -> list[CheckChange]:
    """What differs from a snapshot, one change per figure, with its block and the live lines there; none breaks a rule yet."""
    resized = [op for op in diff.ops if op.change]
    moved = [op for op in diff.ops if not op.change]
    figures = stored_figures(diff)
    changes = [_locate_op(diff, live, op) for op in resized]
    changes += [_change(diff, name, sides, _place_of_figure(diff, live, name)) for name, sides in figures.items()]
    if not resized:
        changes += [_locate_op(diff, live, op) for op in moved]
    for results in diff.types:
        if not resized or not results.baseline:
            sides, place = (results.baseline, results.current), _place_of_results(live, results)
            change = _change(diff, f"types.{results.name}", sides, place)
            changes.append(replace(change, words=_retyped(diff, live, results, place)))
    if diff.restructured and not changes:
        changes.append(CheckChange("fingerprint", live.level, None, None))
    return changes


def most_moved(moves: Mapping[Block, int]) -> Block | None:
    """The block whose number moved most in the direction of the whole; where the whole stayed, the one that gained most.

    ``None`` where nothing moved, or phases and functions are not compared.
    """
    if set(moves) == {NO_BLOCK}:
        return None
    sign = -1 if sum(moves.values()) < 0 else 1
    sizes = {block: move * sign for block, move in sorted(moves.items()) if move}
    return max(sizes, key=lambda block: (sizes[block], block[1] != NO_SOURCE)) if sizes else None


def most_grown(ops: Iterable[Difference], phase: str | None = None) -> tuple[Block, str] | None:
    """The block and operation that grew most, in one phase where one is named; ``None`` where nothing did."""
    growth = {
        (block, op.name): move
        for op in ops
        for block, move in op.moves.items()
        if move > 0 and phase in {None, block[0]}
    }
    return min(growth, key=lambda key: (-growth[key], key)) if growth else None


def place_of(rows: Weights, block: Block | None = None) -> Place:
    """The place of these operations: in that block, or in the one that has most of them."""
    if block is None:
        block = most_moved(count_blocks(rows))
    if block is None:
        return NOWHERE
    lines: Counter[str] = Counter()
    for row, number in rows.items():
        if (row.phase, row.function) == block and row.source != NO_SOURCE:
            lines[row.source] += number
    return Place(*block, largest(lines))


def place_of_growth(live: Table, ops: Iterable[Difference], phase: str | None = None) -> Place:
    """The place of the operation that grew most, in one phase where one is named."""
    grown = most_grown(ops, phase)
    if grown is None:
        return NOWHERE
    return place_of(rows_named(live, grown[1]), None if grown[0] == NO_BLOCK else grown[0])


def place_of_constants(constants: Iterable[Constant]) -> Place:
    """The block with most bytes of constants, and the lines of the largest of them."""
    listed = list(constants)
    block = most_moved(_sizes(listed, lambda constant: (constant.phase, constant.function)))
    if block is None:
        return NOWHERE
    inside = [
        constant for constant in listed if (constant.phase, constant.function) == block and constant.source != NO_SOURCE
    ]
    return Place(*block, largest(_sizes(inside, lambda constant: constant.source)))


def rows_named(table: Table, name: str) -> Weights:
    """The rows of an operation under this name or an older one."""
    newer = newer_names(table.level)
    return {row: number for row, number in table.weights.items() if newer.get(row.name, row.name) == name}


def count_blocks(rows: Weights) -> Counter[Block]:
    """How many of these operations each block has."""
    blocks: Counter[Block] = Counter()
    for row, number in rows.items():
        blocks[row.phase, row.function] += number
    return blocks


def largest(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """The three largest, ties by name."""
    return tuple(sorted(sizes, key=lambda name: (-sizes[name], name))[:_MOST])


def _locate_op(diff: TableDiff, live: Table, op: Difference) -> CheckChange:
    place = place_of(rows_named(live, op.name), most_moved(op.moves))
    return _change(diff, op.name, (op.baseline, op.current), place)


def _change(diff: TableDiff, metric: str, sides: tuple[int, int], place: Place) -> CheckChange:
    return CheckChange(metric, diff.current.level, *sides, place.phase, place.function, place.sources)


def _place_of_figure(diff: TableDiff, live: Table, name: str) -> Place:
    return place_of_growth(live, diff.ops) if name == "lines" else place_of_constants(live.constants)


def _place_of_results(live: Table, results: Difference) -> Place:
    """The phase in which the type moved most, and the function there with most results of it."""
    moved = most_moved(results.moves)
    rows = {
        row: number
        for row, number in live.weights.items()
        if results.name in row.results and (moved is None or row.phase == moved[0])
    }
    block = most_moved(count_blocks(rows))
    return place_of(rows, block) if block else NOWHERE if moved is None else Place(moved[0])


def _retyped(diff: TableDiff, live: Table, results: Difference, place: Place) -> str | None:
    """Which results became of a type, and of which type they were, where all that became so were of one."""
    lost = [other.name for other in diff.types if other.change < 0]
    if results.change <= 0 or len(lost) != 1 or sum(other.change for other in diff.types) != 0:
        return None
    names = {row.name for row in live.weights if results.name in row.results and (row.phase, row.function) == place[:2]}
    line = f" at {place.sources[0]}" if len(place.sources) == 1 else ""
    if not results.baseline and len(names) == 1:
        number = f"{results.change} " if results.change > 1 else ""
        return f"{number}{names.pop()}{line} became {results.name} (was {lost[0]})"
    noun = "result" if results.change == 1 else "results"
    return f"{results.change} {diff.current.level} {noun}{line} became {results.name} (was {lost[0]})"


def _sizes(constants: Iterable[Constant], key: Callable[[Constant], Key]) -> Counter[Key]:
    sizes: Counter[Key] = Counter()
    for constant in constants:
        sizes[key(constant)] += constant.bytes
    return sizes
