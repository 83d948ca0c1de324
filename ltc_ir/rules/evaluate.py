"""Judges rules on programs: what is broken and where; a rule that could not have been broken is an error, never a pass."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, NamedTuple, TypeVar

from ltc_ir.compare.facts import facts_of, renamed
from ltc_ir.errors import UsageError
from ltc_ir.records.check import CheckChange, Problem
from ltc_ir.records.inventory import Inventory
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.records.vocabulary import Level, Phase
from ltc_ir.rules.grammar import Filter, Rule, Selector, is_named
from ltc_ir.rules.locate import Place, most_grown, most_moved, place_of, place_of_constants
from ltc_ir.rules.names import admits, is_collective, resolve
from ltc_ir.rules.value import Measured, Stepped, level_of, measure, stepped

Key = TypeVar("Key", bound=Hashable)

Complete = bool | Collection[str]
"""Whether all programs there are were looked at, or the targets of which all were."""

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip


class Verdict(NamedTuple):
    """One rule on one program: whether it holds, the figure it judged, and for a step both sides of it."""

    holds: bool
    measured: Measured
    step: Stepped | None = None


@dataclass(frozen=True)
class Judgement(Generic[Key]):
    """What rules say of programs: per program what breaks a rule, and what is wrong with the rules themselves."""

    changes: Mapping[Key, tuple[CheckChange, ...]]
    problems: tuple[Problem, ...] = ()


def judge(
    rules: Iterable[Rule],
    inventories: Mapping[Key, Inventory],
    baselines: Mapping[Key, Snapshot | None] | None = None,
    *,
    complete: Complete = True,
) -> Judgement[Key]:
    """Judge rules on programs.

    Args:
        rules: the rules; one that names targets or a program is judged on those only.
        inventories: the programs by any key, of one target or of several.
        baselines: their snapshots by the same key, ``None`` where one is missing or not comparable: steps are not judged
            there. A program without an entry has no store at all, and a step is an error.
        complete: whether these are all programs there are (of these targets, where some are named), so that a rule that
            matches none of them is wrong.
    """
    changes: dict[Key, list[CheckChange]] = {key: [] for key in inventories}
    problems: dict[Problem, None] = {}
    for rule in rules:
        keys = [key for key, one in inventories.items() if rule.speaks_of(one.target, one.program)]
        among = [one for one in inventories.values() if not rule.targets or one.target in rule.targets]
        if not keys and covers(complete, rule.targets):
            problems[_unmatched(rule, inventories.values())] = None
        held = bool(keys)
        for key in keys:
            try:
                found = _judge_one(rule, inventories[key], key, baselines or {}, among)
            except UsageError as error:
                problems[problem_of(rule, error)] = None
                held = False
            else:
                changes[key] += found
                held = held and not found
        if held and (rule.selector.program or covers(complete, rule.targets)):
            problems |= dict.fromkeys(_unbreakable(rule, [inventories[key] for key in keys]))
    return Judgement({key: tuple(found) for key, found in changes.items()}, tuple(problems))


def holds(rule: Rule, value: float, baseline: float | None = None) -> bool:
    """Whether a figure holds a rule; a step is relative to ``baseline``, of which 0 has no percentage: all growth is new."""
    if rule.kind == "invariant":
        return _HOLDS[rule.op](value, rule.value)
    if baseline is None:
        raise UsageError(f"{rule.where}: rule {rule.text!r} is a step, and there is no snapshot to step from", _BOUND)
    growth = value - baseline
    if not rule.percent:
        return growth <= rule.value
    return growth <= 0 or (baseline > 0 and Fraction(growth) * 100 <= Fraction(str(rule.value)) * Fraction(baseline))


def covers(complete: Complete, targets: Collection[str]) -> bool:
    """Whether all programs of these targets were looked at, of every target where none is named."""
    if isinstance(complete, bool):
        return complete
    return bool(targets) and set(targets) <= set(complete)


def verdict(
    rule: Rule, inventory: Inventory, baseline: Snapshot | None = None, among: Collection[Inventory] = ()
) -> Verdict:
    """Whether a rule holds for one program.

    Raises:
        UsageError: it cannot be told, or this program could not show the rule broken.
    """
    measured = measure(rule.selector, inventory, among)
    if rule.kind == "invariant":
        found = Verdict(holds(rule, measured.value), measured)
    elif baseline is None:
        return Verdict(holds(rule, measured.value), measured)  # says that there is nothing to step from
    else:
        step = stepped(rule.selector, measured.meaning, inventory, baseline)
        found = Verdict(holds(rule, step.after, step.before), measured, step)
    if found.holds:
        _check_shown(rule, found, inventory)
    return found


def problem_of(rule: Rule, error: UsageError) -> Problem:
    """A rule that cannot be judged, as a problem of the whole check."""
    named = f"{rule.where}: rule {rule.text!r}"
    message = error.message if error.message.startswith(named) else f"{named}: {error.message}"
    return Problem(message, error.hint or "", error.exit_code)


_BOUND = "write an absolute bound, or record a snapshot: ltc-ir snapshot update"


def _unmatched(rule: Rule, inventories: Iterable[Inventory]) -> Problem:
    there = sorted({f"{one.target} {one.program}" for one in inventories})
    hint = f"programs are {', '.join(there)}" if there else "there is no program"
    return Problem(f"{rule.where}: rule {rule.text!r} matches no program", hint, UsageError.exit_code)


_DIFFERENTIATED = frozenset({Phase.FORWARD, Phase.BACKWARD, Phase.RECOMPUTE})


def _unbreakable(rule: Rule, inventories: Collection[Inventory]) -> list[Problem]:
    """That a rule bounds a phase of differentiation where no program is differentiated: it would hold whatever they become."""
    phase = rule.selector.phase
    if phase not in _DIFFERENTIATED or any(map(_is_differentiated, inventories)):
        return []
    named = [f"{one.target} {one.program}" for one in inventories]
    are = f"{named[0]} is" if len(named) == 1 else f"{', '.join(named[:3])} are"
    what = f"{rule.where}: rule {rule.text!r} cannot be broken: {are} not differentiated, so nothing is {phase}"
    hint = f"name a program that is, as in grad/{phase}.{rule.selector.label}, or leave the phase out"
    return [Problem(what, hint, UsageError.exit_code)]


def _is_differentiated(inventory: Inventory) -> bool:
    return any(entry.phase in _DIFFERENTIATED for level in inventory.levels.values() for entry in level.entries)


def _judge_one(
    rule: Rule, inventory: Inventory, key: Key, baselines: Mapping[Key, Snapshot | None], among: Collection[Inventory]
) -> list[CheckChange]:
    baseline = baselines.get(key)
    if rule.kind == "step" and key in baselines and baseline is None:
        resolve(rule.selector, among)  # a name that nothing knows is wrong with and without a snapshot
        return []
    found = verdict(rule, inventory, baseline, among)
    return [] if found.holds else [_broken(rule, found, inventory, baseline)]


def _check_shown(rule: Rule, found: Verdict, inventory: Inventory) -> None:
    """Refuse a rule that holds only because this program, or this level, could not have shown it broken."""
    who, selector = f"{inventory.target} {inventory.program}", rule.selector
    if rule.bounds_above and is_collective(selector.name):
        _check_collectives(selector, found.measured, inventory)
    unplaced = found.measured.unplaced if found.step is None else found.step.unplaced
    if unplaced and _could_break(rule, found, unplaced):
        level = found.measured.meaning.level
        raise UsageError(
            f"{who} cannot show it: {level} does not tell the phase of {unplaced:g} more {selector.label}",
            f"write {selector.name} without a phase, or judge it at jaxpr",
        )
    if selector.filter is not None and selector.filter.attributes and not found.measured.value:
        _check_attributes(selector, selector.filter, found.measured, inventory)
    if selector.filter is not None and selector.filter.kernel is not None and not found.measured.value:
        _check_kernel(selector, selector.filter.kernel, found.measured, inventory)


def _check_collectives(selector: Selector, measured: Measured, inventory: Inventory) -> None:
    level, who = measured.meaning.level, f"{inventory.target} {inventory.program}"
    if level != Level.HLO and not measured.value:
        raise UsageError(
            f"{level} cannot show it: collectives of automatic sharding exist only in optimised HLO",
            f"write hlo:{selector.label}",
        )
    if level == Level.HLO and inventory.devices <= 1:
        raise UsageError(
            f"{who} cannot show it: it runs on one device, where there are no collectives",
            "shard its arguments over several devices, and demand them with devices=N",
        )


def _could_break(rule: Rule, found: Verdict, unplaced: float) -> bool:
    """Whether the rule would not hold if some of what has no phase were counted."""
    value, before = found.measured.value, None
    if found.step is not None:
        value, before = found.step.after, found.step.before
    if rule.op == "!=":
        return value < rule.value <= value + unplaced
    return not holds(rule, value + unplaced, before)


def _check_kernel(selector: Selector, kernel: str, measured: Measured, inventory: Inventory) -> None:
    """Refuse a kernel's name of operations that bear none: a misspelt type is taken for one, and would always be absent."""
    bare = Selector(selector.name)
    there = [one for one in level_of(inventory, measured.meaning.level).entries if admits(bare, measured.meaning, one)]
    if there and not any(map(is_named, there)):
        raise UsageError(
            f"{kernel!r} is no type, and no {selector.name} of {inventory.program} bears a name",
            "types are bool, int8, uint8, float32, bf16, c64, key<fry> and the like, or float, int, uint, complex",
        )


def _check_attributes(selector: Selector, asked: Filter, measured: Measured, inventory: Inventory) -> None:
    """Refuse an attribute that none of the operations has: a misspelt one would always be absent."""
    bare = Selector(selector.name)
    there = [one for one in level_of(inventory, measured.meaning.level).entries if admits(bare, measured.meaning, one)]
    known = {name for entry in there for name, _ in entry.attributes}
    missing = [name for name, _ in asked.attributes if name not in known]
    if there and missing:
        having = f"attributes are {', '.join(sorted(known))}" if known else "it has none"
        raise UsageError(f"no {selector.name} of {inventory.program} has an attribute {missing[0]!r}", having)


def _broken(rule: Rule, found: Verdict, inventory: Inventory, baseline: Snapshot | None) -> CheckChange:
    step = found.step or _stored(rule.selector, found, inventory, baseline)
    place = _place(rule, found, inventory, baseline)
    return CheckChange(
        metric=_metric(rule.selector, found.measured),
        level=found.measured.meaning.level,
        baseline=None if step is None else step.before,
        current=found.measured.value if found.step is None else found.step.after,
        phase=place.phase or rule.selector.phase,
        function=place.function,
        sources=place.sources,
        rule=rule.text,
        where=rule.where,
    )


def _stored(selector: Selector, found: Verdict, inventory: Inventory, baseline: Snapshot | None) -> Stepped | None:
    """What the snapshot says of an invariant's figure, where it says anything: a reader asks what it was."""
    if baseline is None or selector.filter is not None or selector.bytes:
        return None
    try:
        return stepped(selector, found.measured.meaning, inventory, baseline)
    except UsageError:
        return None


def _place(rule: Rule, found: Verdict, inventory: Inventory, baseline: Snapshot | None) -> Place:
    measured, level = found.measured, found.measured.meaning.level
    if rule.selector.name.startswith("constants."):
        return place_of_constants(level_of(inventory, level).constants)
    stored = None if baseline is None else baseline.levels.get(level)
    if stored is None or found.step is None:
        return place_of(measured.entries)
    if rule.selector.name in {"total", "lines"}:
        then, now = (renamed(level, facts) for facts in (stored, facts_of(level_of(inventory, level))))
        phase = rule.selector.phase
        grown = most_grown(then.ops, {key: ops for key, ops in now.ops.items() if phase in {None, key[0]}})
        entries = [one for one in level_of(inventory, level).entries if grown and one.name == grown[1]]
        return place_of(entries, grown[0] if grown else None)
    return place_of(measured.entries, most_moved(found.step.blocks_before, found.step.blocks_after))


def _metric(selector: Selector, measured: Measured) -> str:
    """The figure's name: an operation's as its level spells it."""
    spelled = {entry.name for entry in measured.entries}
    name = spelled.pop() if len(spelled) == 1 and not selector.is_metric else selector.name
    return name + (".bytes" if selector.bytes else "")
