"""Each test program counted once per session: staged by the tool, read at every level it has, kept for all tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import ltc_ir
from ltc_ir.records.count import LevelCount, Tally
from ltc_ir.records.request import parse_request
from ltc_ir.tables.live import count_program
from ltc_ir.targets import prepare
from ltc_ir.targets.stages import Staged
from ltc_ir.targets.target import Target
from tests.catalogue import get

LEVELS = ("jaxpr", "stablehlo", "hlo")
GROUPINGS = ("source", "function", "scope", "region", "stack", "transforms")


@cache
def staged(name: str) -> Staged:
    """A test program as the tool stages it, traced and lowered in its own session."""
    program = get(name)
    platform = None if program.lowers_on_cpu else program.platform
    with program.session():
        function, arguments = program.make()
        staged = prepare.stage(Target(function, arguments, name=name), "forward", platform)
        staged.module()
    return staged


def levels_of(name: str) -> tuple[str, ...]:
    """The levels a test program has on this machine."""
    return LEVELS if get(name).compiles else LEVELS[:2]


@cache
def counted(name: str, by: tuple[str, ...] = ()) -> Mapping[str, LevelCount]:
    """The counts of a test program at all its levels."""
    with get(name).session():
        return read(staged(name), levels_of(name), by)


def read(program: Staged, levels: Collection[str], by: Collection[str] = ()) -> Mapping[str, LevelCount]:
    """The counts of a staged program."""
    request = parse_request(by=by, levels=levels)
    ownership = prepare.ownership_of(Target(program.program.fn))
    return count_program(program, request, ownership)


def count(
    function: Callable[..., Any], *arguments: Any, levels: Collection[str] = LEVELS, **asked: Any
) -> Mapping[str, LevelCount]:
    """The levels of one function on example arguments, counted through the public verb."""
    found = ltc_ir.count(function, programs=("forward",), args=arguments, levels=levels, **asked)
    return found.programs["forward"]


def by_phase(tally: Tally, *names: str) -> dict[str, int]:
    """How many of some operations (all of them where none is named) each phase has; no zeros.

    A name stands for the operation so called in any dialect.
    """
    wanted = {plain(name) for name in names}
    found: Counter[str] = Counter()
    for phase, ops in tally.phases.items():
        found[phase] += sum(number for op, number in ops.items() if not wanted or plain(op) in wanted)
    return {phase: number for phase, number in found.items() if number}


def plain(op: str) -> str:
    """An operation without its dialect, in underscores: ``stablehlo.dot_general`` is ``dot_general``."""
    return op.rpartition(".")[2].replace("-", "_")


def tallies(count: LevelCount) -> dict[str, Tally]:
    """The tallies of a level: as it stands, and expanded where it has that."""
    return {"module": count.tally} | ({} if count.expanded is None else {"expanded": count.expanded})
