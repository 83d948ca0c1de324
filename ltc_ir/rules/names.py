"""Resolves the name in a rule against programs: a figure, an operation at one level, or the calls of a kernel."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ltc_ir.errors import UsageError
from ltc_ir.records.op_table import ProgramTables, Row
from ltc_ir.records.vocabulary import COLLECTIVES, Level, newer_names
from ltc_ir.rules.grammar import Rule, Selector, calls, levels_of_figure

LEVELS = ("jaxpr", "stablehlo")
"""Where a name without a level is searched, in this order."""

AT_STABLEHLO = frozenset({"while", "custom_call"})
"""Judged there though the jaxpr knows the word: a fully unrolled scan is still a scan in a jaxpr, and a jaxpr's custom calls
are named otherwise (``custom_call`` is a word of Pallas)."""

_OF_HLO = frozenset({"fusion"})
"""Known to an older dialect too, which no lowering of JAX's uses: there it could not be broken."""
_COLLECTIVES = frozenset(name.replace("-", "_") for name in COLLECTIVES)
_ASYNC = frozenset(f"{name}_done" for name in _COLLECTIVES)


class Meaning(NamedTuple):
    """The meaning of a name: its level, and whether it names a kernel that is called."""

    level: str
    is_kernel: bool = False


@cache
def vocabulary(level: str) -> frozenset[str]:
    """The operation names a level has on any JAX, without dialect and ``-`` as ``_``; none for an unknown level.

    They tell a rule about an absent operation from a misspelt one.
    """
    return frozenset(_vocabularies().get(level, ()))


@cache
def _vocabularies() -> dict[str, list[str]]:
    text = files("ltc_ir.rules").joinpath("vocabularies.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def plain_name(level: str, name: str) -> str:
    """An operation's name as rules spell it: without dialect, ``-`` as ``_``, and the newer of two names."""
    bare = name.replace("-", "_")
    bare = bare.rpartition(".")[2] if level == Level.STABLEHLO else bare
    return newer_names(level).get(bare, bare)


def is_collective(name: str) -> bool:
    """Whether a rule's name is that of HLO collectives, or all of them."""
    return name.partition(".")[0] == "collectives" or name in _COLLECTIVES


def selects(selector: Selector, meaning: Meaning, row: Row) -> bool:
    """Whether a selector means the operations of a row, whatever their phase."""
    if selector.filter is not None and not selector.filter.admits(row):
        return False
    if meaning.is_kernel:
        return calls(row, selector.name)
    if selector.name == "total":
        return True
    name = plain_name(meaning.level, row.name)
    if meaning.level == Level.HLO and name in _ASYNC:
        name = name.removesuffix("_done")  # its start has another name, so that a pair counts once
    if selector.name == "collectives":
        return name in _COLLECTIVES
    return name == plain_name(meaning.level, selector.name)


def resolve_name(selector: Selector, programs: Collection[ProgramTables]) -> Meaning:
    """The meaning of a selector's name in these programs.

    Raises:
        UsageError: no level knows the name and no program has it, or only another level does.
    """
    if selector.is_metric:
        return Meaning(selector.level or levels_of_figure(selector.name)[0])
    if selector.level is None and selector.name in _OF_HLO:
        raise UsageError(f"{selector.name} is what XLA makes, so only hlo has it", f"write hlo:{selector.name}")
    for level in _candidates(selector):
        if _known(selector.name, level) or _present(selector.name, level, programs):
            return Meaning(level)
    for level in _candidates(selector):
        if _called(selector.name, level, programs):
            return Meaning(level, is_kernel=True)
    raise _unknown(selector, programs)


def needs_detail(rules: Iterable[Rule]) -> bool:
    """Whether judging these needs operand types or attributes: a filter asks for them, or a name may be a kernel's."""
    return any(_needs_detail(rule.selector) for rule in rules)


def levels_of(rules: Iterable[Rule]) -> frozenset[str]:
    """The levels that must be read to judge these rules."""
    return frozenset(level for rule in rules for level in _levels(rule.selector))


def _needs_detail(selector: Selector) -> bool:
    if selector.is_metric or any(_known(selector.name, level) for level in Level):
        return selector.bytes or (selector.filter is not None and selector.filter.needs_detail)
    return True


def _levels(selector: Selector) -> tuple[str, ...]:
    if selector.level is not None:
        return (selector.level,)
    if selector.is_metric:
        return levels_of_figure(selector.name)[:1]
    candidates = _candidates(selector)
    return candidates[:1] if _known(selector.name, candidates[0]) else candidates


def _candidates(selector: Selector) -> tuple[str, ...]:
    if selector.level is not None:
        return (selector.level,)
    return ("stablehlo",) if selector.name in AT_STABLEHLO else LEVELS


def _known(name: str, level: str) -> bool:
    return name in vocabulary(level) or plain_name(level, name) in vocabulary(level)


def _present(name: str, level: str, programs: Iterable[ProgramTables]) -> bool:
    wanted = plain_name(level, name)
    return any(plain_name(level, row.name) == wanted for row in _rows(level, programs))


def _called(name: str, level: str, programs: Iterable[ProgramTables]) -> bool:
    return any(calls(row, name) for row in _rows(level, programs))


def _rows(level: str, programs: Iterable[ProgramTables]) -> Iterable[Row]:
    return (row for program in programs if level in program.levels for row in program.levels[level].weights)


def _unknown(selector: Selector, programs: Collection[ProgramTables]) -> UsageError:
    name = selector.name
    elsewhere = [level for level in Level if _known(name, level) or _present(name, level, programs)]
    if elsewhere:
        at = f"at {selector.level}" if selector.level else "without a level"
        return UsageError(
            f"{name} is no operation {at}, only at {', '.join(elsewhere)}", f"write {elsewhere[0]}:{name}"
        )
    levels = _candidates(selector)
    known = {word for level in levels for word in vocabulary(level)}
    known |= {plain_name(level, row.name) for level in levels for row in _rows(level, programs)}
    near = difflib.get_close_matches(name, sorted(known), 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return UsageError(
        f"no level knows an operation {name!r}, and the program calls no kernel of that name",
        f"{meant}names are those that `ltc-ir count` prints, without dialect",
    )
