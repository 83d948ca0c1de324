"""Lays a compile by pass out as sheets: the compiling thread's tree, what took longest by itself, the others, the kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ltc_ir.records.passes import Kernel, Passes, PassTime
from ltc_ir.render.layouts.count import Cell, Sheet
from ltc_ir.render.words.passes import percent, sentence
from ltc_ir.render.words.plain import plain
from ltc_ir.render.words.timing import seconds

MOST_ROWS = 15
"""Rows of a sheet where nobody says how many."""
STEP = "· "
"""What stands before a name for each pass it lies in."""
OVERLAPS = "this thread works while the compiling one waits: its time is part of that one's, and not to be added"


def passes_sheets(passes: Passes, *, top: int | None = None) -> list[Sheet]:
    """The sheets of one compile, each with at most ``top`` rows, the longest first or in the order of the tree."""
    most = top or MOST_ROWS
    sheets = [_tree(passes, thread, most) for thread in passes.threads]
    sheets.insert(1, _own(passes, most))
    return [*sheets, _kernels(passes, most)] if passes.kernels else sheets


def _of(passes: Passes, thread: str) -> list[PassTime]:
    return [one for one in passes.times if one.thread == thread]


def _tree(passes: Passes, thread: str, most: int) -> Sheet:
    """The longest passes of a thread, each below what it lies in, which is never shorter."""
    times = _of(passes, thread)
    kept = set(sorted(range(len(times)), key=lambda number: (-times[number].inclusive_s, number))[:most])
    whole = sum(one.inclusive_s for one in times if len(one.path) == 1)
    rows: list[tuple[Cell, ...]] = [_tree_row(times[number], whole) for number in sorted(kept)]
    notes = tuple(_tree_notes(passes, thread, len(times) - len(kept)))
    title = f"{passes.program}: compile by pass, thread {thread}"
    return Sheet(plain(title), ("pass", "inclusive", "share", "exclusive", "times"), tuple(rows), notes)


def _tree_row(one: PassTime, whole: float) -> tuple[Cell, ...]:
    name = STEP * (len(one.path) - 1) + plain(one.path[-1])
    return (name, seconds(one.inclusive_s), percent(one.inclusive_s, whole), seconds(one.exclusive_s), one.count)


def _tree_notes(passes: Passes, thread: str, left: int) -> Iterator[str]:
    if thread == passes.compiling:
        yield plain(sentence(passes))
        covered = f"{min(99.9, 100 * passes.covered):.1f} %"
        yield f"the compile took {seconds(passes.compile_s)}, measured from outside; JAX's call of XLA is {covered} of it"
        whole = sum(passes.kinds.values())
        kinds = sorted(passes.kinds.items(), key=lambda item: (-item[1], item[0]))
        yield ", ".join(f"{kind} {percent(spent, whole)}" for kind, spent in kinds)
        yield from map(plain, passes.notes)
    else:
        yield OVERLAPS
    if left:
        yield f"{left:,} shorter ones are not shown"


def _own(passes: Passes, most: int) -> Sheet:
    """The passes of the compiling thread that took longest by themselves, wherever they stand in the tree."""
    own: dict[str, tuple[float, int]] = {}
    for one in _of(passes, passes.compiling):
        spent, count = own.get(one.path[-1], (0.0, 0))
        own[one.path[-1]] = (spent + one.exclusive_s, count + one.count)
    whole = sum(spent for spent, _ in own.values())
    ranked = sorted(own.items(), key=lambda item: (-item[1][0], item[0]))
    rows: list[tuple[Cell, ...]] = [
        (plain(name), seconds(spent), percent(spent, whole), count) for name, (spent, count) in ranked[:most]
    ]
    rest = sum(spent for _, (spent, _) in ranked[most:])
    if len(ranked) > most:
        rows.append((f"{len(ranked) - most:,} others", seconds(rest), percent(rest, whole), None))
    title = f"{passes.program}: longest by itself, thread {passes.compiling}"
    return Sheet(plain(title), ("pass", "exclusive", "share", "times"), tuple(rows))


def _kernels(passes: Passes, most: int) -> Sheet:
    """The kernels whose code took longest to make, then what is not to be attributed to any."""
    named = [one for one in passes.kernels if one.name is not None]
    rows = [_kernel_row(one) for one in named[:most]]
    if len(named) > most:
        rows.append((f"{len(named) - most:,} other kernels", "", "", "", ""))
    ruled = frozenset({len(rows)})
    rows += [_kernel_row(one) for one in passes.kernels if one.name is None]
    columns = ("kernel", "time", "source", "phase", "thread")
    title = plain(f"{passes.program}: making the code of {len(named):,} kernels")
    return Sheet(title, columns, tuple(rows), tuple(_kernel_notes(named)), ruled, text=True)


def _kernel_row(one: Kernel) -> tuple[Cell, ...]:
    name = "(no kernel named)" if one.name is None else plain(one.name)
    source = one.reason if one.source is None else f"{one.source} (inferred)" if one.inferred else one.source
    return (name, seconds(one.seconds), plain(source or ""), one.phase or "unattributed", one.thread)


def _kernel_notes(named: Sequence[Kernel]) -> Iterator[str]:
    placed = sum(one.source is not None for one in named)
    phased = sum(one.phase is not None for one in named)
    yield f"{placed:,} of {len(named):,} kernels have a source line, {phased:,} a phase"
    yield "threads work at the same time: their times are not to be added"
