"""What a rule's name stands for in the programs at hand: a figure, an operation at one level, or the calls of a kernel."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ltc_ir.errors import UsageError
from ltc_ir.records.aliases import ALIASES
from ltc_ir.records.inventory import Entry, Inventory
from ltc_ir.records.vocabulary import COLLECTIVES, Level
from ltc_ir.rules.grammar import Rule, Selector, calls, homes

LEVELS = ("jaxpr", "stablehlo")
"""Where a name without level is looked for, in this order."""

AT_STABLEHLO = frozenset({"while", "custom_call"})
"""Judged there though the jaxpr knows the word: a fully unrolled scan is still a scan in a jaxpr, and a jaxpr's custom calls
are named otherwise (``custom_call`` is a word of Pallas)."""

_OF_HLO = frozenset({"fusion"})
"""Known to an older dialect too, which no lowering of JAX's uses: there it could not be broken."""
_COLLECTIVES = frozenset(name.replace("-", "_") for name in COLLECTIVES)
_ASYNC = frozenset(f"{name}_done" for name in _COLLECTIVES)


class Meaning(NamedTuple):
    """What a name stands for: its level, and whether it is a figure, an operation or a kernel that is called."""

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


def plain(level: str, name: str) -> str:
    """An operation's name as rules spell it: without dialect, ``-`` as ``_``, and the newer of two names."""
    bare = name.replace("-", "_")
    bare = bare.rpartition(".")[2] if level == Level.STABLEHLO else bare
    return ALIASES.get(level, {}).get(bare, bare)


def is_collective(name: str) -> bool:
    """Whether a rule's name is that of HLO collectives, or all of them."""
    return name == "collectives" or name in _COLLECTIVES


def admits(selector: Selector, meaning: Meaning, entry: Entry) -> bool:
    """Whether a selector speaks of these operations, whatever their phase."""
    if selector.filter is not None and not selector.filter.admits(entry):
        return False
    if meaning.is_kernel:
        return calls(entry, selector.name)
    if selector.name == "total":
        return True
    name = plain(meaning.level, entry.name)
    if meaning.level == Level.HLO and name in _ASYNC:
        name = name.removesuffix("_done")  # its start has another name, so that a pair counts once
    if selector.name == "collectives":
        return name in _COLLECTIVES
    return name == plain(meaning.level, selector.name)


def resolve(selector: Selector, inventories: Collection[Inventory]) -> Meaning:
    """What a selector's name stands for in these programs.

    Raises:
        UsageError: no level knows the name and no program has it, or only another level does.
    """
    if selector.is_metric:
        return Meaning(selector.level or homes(selector.name)[0])
    if selector.level is None and selector.name in _OF_HLO:
        raise UsageError(f"{selector.name} is what XLA makes, so only hlo has it", f"write hlo:{selector.name}")
    for level in _candidates(selector):
        if _known(selector.name, level) or _present(selector.name, level, inventories):
            return Meaning(level)
    for level in _candidates(selector):
        if _called(selector.name, level, inventories):
            return Meaning(level, is_kernel=True)
    raise _unknown(selector, inventories)


def needs_detail(rules: Iterable[Rule]) -> bool:
    """Whether judging these takes operand types or attributes: a filter asks for them, or a name may be a kernel's."""
    return any(_needs_detail(rule.selector) for rule in rules)


def levels_of(rules: Iterable[Rule]) -> frozenset[str]:
    """The levels that judging these takes."""
    return frozenset(level for rule in rules for level in _levels(rule.selector))


def _needs_detail(selector: Selector) -> bool:
    if selector.is_metric or any(_known(selector.name, level) for level in Level):
        return selector.bytes or (selector.filter is not None and selector.filter.needs_detail)
    return True


def _levels(selector: Selector) -> tuple[str, ...]:
    if selector.level is not None:
        return (selector.level,)
    if selector.is_metric:
        return homes(selector.name)[:1]
    candidates = _candidates(selector)
    return candidates[:1] if _known(selector.name, candidates[0]) else candidates


def _candidates(selector: Selector) -> tuple[str, ...]:
    if selector.level is not None:
        return (selector.level,)
    return ("stablehlo",) if selector.name in AT_STABLEHLO else LEVELS


def _known(name: str, level: str) -> bool:
    return name in vocabulary(level) or plain(level, name) in vocabulary(level)


def _present(name: str, level: str, inventories: Iterable[Inventory]) -> bool:
    wanted = plain(level, name)
    return any(plain(level, entry.name) == wanted for entry in _entries(level, inventories))


def _called(name: str, level: str, inventories: Iterable[Inventory]) -> bool:
    return any(calls(entry, name) for entry in _entries(level, inventories))


def _entries(level: str, inventories: Iterable[Inventory]) -> Iterable[Entry]:
    return (entry for one in inventories if level in one.levels for entry in one.levels[level].entries)


def _unknown(selector: Selector, inventories: Collection[Inventory]) -> UsageError:
    name = selector.name
    elsewhere = [level for level in Level if _known(name, level) or _present(name, level, inventories)]
    if elsewhere:
        at = f"at {selector.level}" if selector.level else "without a level"
        return UsageError(
            f"{name} is no operation {at}, only at {', '.join(elsewhere)}", f"write {elsewhere[0]}:{name}"
        )
    levels = _candidates(selector)
    known = {word for level in levels for word in vocabulary(level)}
    known |= {plain(level, entry.name) for level in levels for entry in _entries(level, inventories)}
    near = difflib.get_close_matches(name, sorted(known), 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return UsageError(
        f"no level knows an operation {name!r}, and the program calls no kernel of that name",
        f"{meant}names are those that `ltc-ir count` prints, without dialect",
    )
