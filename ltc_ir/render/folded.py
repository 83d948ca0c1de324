"""Prints stacks and passes as folded stacks, the input of flame-graph tools: ``outer;inner number``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

from ltc_ir.errors import UsageError
from ltc_ir.escape import escape
from ltc_ir.records.count import Count, Tally
from ltc_ir.records.passes import Passes
from ltc_ir.records.timing import Timing
from ltc_ir.render.layouts.passes import only_passes

HINT = "add --by stack, and name one program and one level"


def stacks_to_folded(count: Count) -> str:
    """Folded stacks of one program at one level; every call path counted at StableHLO.

    Raises:
        UsageError: the count is not grouped by stack, or holds more than one program and level.
    """
    return "".join(f"{_folded(key)} {tally.total}\n" for key, tally in counted_stacks(count, "folded"))


def content_of(format: str) -> str:
    """What messages call the content of a format: ``folded stacks``, ``pprof's stacks``."""
    return "folded stacks" if format == "folded" else f"{format}'s stacks"


def refuse_without_stacks(format: str) -> NoReturn:
    """Refuse a count that is not grouped by stack."""
    raise UsageError(f"{content_of(format)} need a count by stack", HINT)


def counted_stacks(count: Count, format: str) -> Iterator[tuple[str, Tally]]:
    """The stacks of one program at one level, frames separated by ``;``.

    Raises:
        UsageError: the count is not grouped by stack, or holds more than one program and level.
    """
    if count.grouped != ("stack",):
        refuse_without_stacks(format)
    levels = [level for program in count.programs.values() for level in program.values()]
    if len(levels) != 1:
        raise UsageError(f"{content_of(format)} are of one program at one level, not of {len(levels)}", HINT)
    groups = levels[0].by if levels[0].expanded_by is None else levels[0].expanded_by
    return ((group.key, group.tally) for group in groups or ())


def passes_to_folded(passes: Passes) -> str:
    """Folded stacks: the thread, then its passes, and the microseconds that the last took by itself."""
    lines = []
    for entry in passes.times:
        spent = round(entry.exclusive_s * 1e6)
        if spent:
            path = ";".join(part.replace(";", ",") for part in (entry.thread, *entry.path))
            lines.append(f"{_folded(path)} {spent}\n")
    return "".join(lines)


def timings_to_folded(timings: Sequence[Timing]) -> str:
    """The passes of the only program that was timed.

    Raises:
        UsageError: there are several programs, or no passes.
    """
    return passes_to_folded(only_passes(timings, "folded"))


def _folded(stack: str) -> str:
    return escape(stack.replace(" ", "_"))
