"""Lays a compile by pass out: the compiling thread's tree, what took longest by itself, the others, the kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ltc_ir.errors import UsageError
from ltc_ir.records.passes import Kernel, Passes, PassTime, percent
from ltc_ir.records.timing import Timing, seconds
from ltc_ir.render.sheet import Row, Sheet

COLUMNS = (
    "program", "what", "thread", "path", "inclusive_s", "exclusive_s", "count", "kind", "source", "phase", "reason",
)  # fmt: skip
ONE_PROGRAM = "name one target, and one program with --program"
MOST_ROWS = 15
"""Rows of a sheet without ``--top``."""
STEP = "· "
"""Written before a name once for each pass that contains it."""
OVERLAPS = "this thread works while the compiling one waits: its time is part of that one's, and not to be added"


def passes_sheets(passes: Passes, *, top: int | None = None) -> list[Sheet]:
    """The sheets of one compile, each with at most ``top`` rows, the longest first or in the order of the tree."""
    most = top or MOST_ROWS
    sheets = [_tree(passes, thread, most) for thread in passes.threads]
    sheets.insert(1, _own(passes, most))
    return [*sheets, _kernels(passes, most)] if passes.kernels else sheets


def only_passes(timings: Sequence[Timing], format: str) -> Passes:
    """The passes of the only program that was timed.

    Raises:
        UsageError: there are several programs, or no passes; the message names the format.
    """
    programs = [program for timing in timings for program in timing.programs.values()]
    if len(programs) != 1:
        raise UsageError(f"{format} holds the compile of one program, not of {len(programs)}", ONE_PROGRAM)
    if programs[0].passes is None:
        why = programs[0].reasons.get("passes", "it was not looked into")
        raise UsageError(f"no compile by pass: {why}", "the other formats hold what was measured")
    return programs[0].passes


def _of(passes: Passes, thread: str) -> list[PassTime]:
    return [entry for entry in passes.times if entry.thread == thread]


def _tree(passes: Passes, thread: str, most: int) -> Sheet:
    """The longest passes of a thread, each below the pass that contains it, which is never shorter."""
    times = _of(passes, thread)
    kept = set(sorted(range(len(times)), key=lambda number: (-times[number].inclusive_s, number))[:most])
    whole = sum(entry.inclusive_s for entry in times if len(entry.path) == 1)
    rows: list[Row] = [_tree_row(times[number], whole) for number in sorted(kept)]
    notes = tuple(_tree_notes(passes, thread, len(times) - len(kept)))
    title = f"{passes.program}: compile by pass, thread {thread}"
    return Sheet(title, ("pass", "inclusive", "share", "exclusive", "times"), tuple(rows), notes)


def _tree_row(entry: PassTime, whole: float) -> Row:
    name = STEP * (len(entry.path) - 1) + entry.path[-1]
    share = percent(entry.inclusive_s, whole)
    return (name, seconds(entry.inclusive_s), share, seconds(entry.exclusive_s), entry.count)


def _tree_notes(passes: Passes, thread: str, left: int) -> Iterator[str]:
    if thread == passes.compiling:
        yield passes.sentence
        covered = f"{min(99.9, 100 * passes.covered):.1f} %"
        yield f"the compile took {seconds(passes.compile_s)}, measured from outside; JAX's call of XLA is {covered} of it"
        whole = sum(passes.kinds.values())
        kinds = sorted(passes.kinds.items(), key=lambda item: (-item[1], item[0]))
        yield ", ".join(f"{kind} {percent(spent, whole)}" for kind, spent in kinds)
        yield from passes.notes
    else:
        yield OVERLAPS
    if left:
        yield f"{left:,} shorter ones are not shown"


def _own(passes: Passes, most: int) -> Sheet:
    """The passes of the compiling thread that took longest by themselves, wherever they stand in the tree."""
    own: dict[str, tuple[float, int]] = {}
    for entry in _of(passes, passes.compiling):
        spent, count = own.get(entry.path[-1], (0.0, 0))
        own[entry.path[-1]] = (spent + entry.exclusive_s, count + entry.count)
    whole = sum(spent for spent, _ in own.values())
    ranked = sorted(own.items(), key=lambda item: (-item[1][0], item[0]))
    rows: list[Row] = [(name, seconds(spent), percent(spent, whole), count) for name, (spent, count) in ranked[:most]]
    rest = sum(spent for _, (spent, _) in ranked[most:])
    if len(ranked) > most:
        rows.append((f"{len(ranked) - most:,} others", seconds(rest), percent(rest, whole), None))
    title = f"{passes.program}: longest by itself, thread {passes.compiling}"
    return Sheet(title, ("pass", "exclusive", "share", "times"), tuple(rows))


def _kernels(passes: Passes, most: int) -> Sheet:
    """The kernels whose code took longest to make, then what is not to be attributed to any."""
    named = [kernel for kernel in passes.kernels if kernel.name is not None]
    rows = [_kernel_row(kernel) for kernel in named[:most]]
    if len(named) > most:
        rows.append((f"{len(named) - most:,} other kernels", "", "", "", ""))
    ruled = frozenset({len(rows)})
    rows += [_kernel_row(kernel) for kernel in passes.kernels if kernel.name is None]
    columns = ("kernel", "time", "source", "phase", "thread")
    title = f"{passes.program}: making the code of {len(named):,} kernels"
    return Sheet(title, columns, tuple(rows), tuple(_kernel_notes(named)), ruled, text_columns=None)


def _kernel_row(kernel: Kernel) -> Row:
    name = "(no kernel named)" if kernel.name is None else kernel.name
    source = f"{kernel.source} (inferred)" if kernel.inferred else kernel.source
    place = kernel.reason if kernel.source is None else source
    return (name, seconds(kernel.seconds), place or "", kernel.phase or "unattributed", kernel.thread)


def _kernel_notes(named: Sequence[Kernel]) -> Iterator[str]:
    placed = sum(kernel.source is not None for kernel in named)
    phased = sum(kernel.phase is not None for kernel in named)
    yield f"{placed:,} of {len(named):,} kernels have a source line, {phased:,} a phase"
    yield "threads work at the same time: their times are not to be added"


def passes_rows(passes: Passes) -> Iterator[Row]:
    """CSV: a row per node of the tree, then a row per kernel; the seconds of different threads overlap."""
    yield COLUMNS
    for entry in passes.times:
        figures = (entry.inclusive_s, entry.exclusive_s, entry.count, entry.kind)
        yield (passes.program, "pass", entry.thread, ";".join(entry.path), *figures, None, None, None)
    for kernel in passes.kernels:
        figures_of_kernel = (kernel.seconds, None, kernel.count, None)
        place = (kernel.source, kernel.phase, kernel.reason)
        yield (passes.program, "kernel", kernel.thread, kernel.name, *figures_of_kernel, *place)
