"""Whether a snapshot fits its own fingerprint: a program of equal structure has equal counts, so others were not captured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

from ltc_ir.compare.facts import without
from ltc_ir.records.signature import ATTRIBUTION, CONSTRAINT, Signature
from ltc_ir.records.snapshot import LevelFacts, Snapshot
from ltc_ir.records.vocabulary import Level, newer_names

_MOST = 3
"""Figures that are named; of the others the number is said."""
Key = TypeVar("Key", bound=Hashable)


def damage(baseline: Snapshot, current: Snapshot) -> str | None:
    """What a snapshot says of a program that it cannot have captured; ``None`` where it may have.

    Only facts that the fingerprint decides are held against it: not the bytes of constants, which depend on their values,
    nor lines, which depend on what functions share. Phases are, where one JAX and one version of attribution told them; a
    function may be another, as it may be renamed.
    """
    if baseline is current:  # what was captured a moment ago stands for a file that is yet to be written
        return None
    if baseline.attribution != ATTRIBUTION or current.attribution != ATTRIBUTION:
        return None
    found = list(_missing(baseline, current))
    for level in sorted({*baseline.levels} & {*current.levels}):
        before, after = baseline.levels[level], current.levels[level]
        same = _equal(before.fingerprint, after.fingerprint)
        if same or _equal(before.structure, after.structure):
            unstable = {*before.unstable, *after.unstable}
            sides = without(before, unstable), without(after, unstable)
            found += _unlike(level, *sides, phases=baseline.provenance.jax == current.provenance.jax)
        if same and level == Level.JAXPR and baseline.signature is not None and current.signature is not None:
            found += _unlike_signatures(baseline.signature, current.signature)
    found += _unlike_figures(baseline, current)
    if not found:
        return None
    shown = "; ".join(dict.fromkeys(found[:_MOST]))
    return shown + (f"; and {len(found) - _MOST} more" if len(found) > _MOST else "")


def _equal(first: str | None, second: str | None) -> bool:
    return first is not None and first == second


def _missing(baseline: Snapshot, current: Snapshot) -> Iterator[str]:
    """What every capture of this version records, and no two captures disagreed on."""
    if not f"{baseline.provenance.jax}.".startswith(f"{baseline.identity.jax}."):
        yield f"it is of JAX {baseline.identity.jax}, and {baseline.provenance.jax} made it"
    if baseline.signature is None and current.signature is not None and baseline.unsigned is None:
        yield "its arguments, results and types are missing"
    if baseline.signature is None:
        return
    for level, facts in sorted(baseline.levels.items()):
        if facts.structure is None and facts.fingerprint is not None:
            yield f"its {level} has no structure"
    stored = baseline.levels.get(Level.STABLEHLO)
    if stored is not None and "donated.bytes" not in stored.metrics and "metric|donated.bytes" not in stored.unstable:
        yield "its donated.bytes are missing"


def _unlike(level: str, before: LevelFacts, after: LevelFacts, *, phases: bool) -> Iterator[str]:
    sides = [_by_name(level, facts) for facts in (before, after)]
    differing = list(_differences(*sides))
    if not differing and phases:
        differing = list(_differences(*(_by_phase(level, facts) for facts in (before, after))))
    if not differing:
        types = [_types(facts, phases=phases) for facts in (before, after)]
        differing = [(f"results of type {name}", then, now) for name, then, now in _differences(*types)]
    for name, then, now in differing:
        yield f"its {level} has {then} {name}, and a program of that fingerprint {now}"


def _by_name(level: str, facts: LevelFacts) -> Counter[str]:
    newer = newer_names(level)
    counts: Counter[str] = Counter()
    for name, number in facts.totals().items():
        counts[newer.get(name, name)] += number
    return counts


def _by_phase(level: str, facts: LevelFacts) -> Counter[str]:
    newer = newer_names(level)
    counts: Counter[str] = Counter()
    for (phase, _), ops in facts.ops.items():
        for name, number in ops.items():
            counts[f"{phase} {newer.get(name, name)}"] += number
    return counts


def _types(facts: LevelFacts, *, phases: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    for phase, types in facts.types.items():
        for name, number in types.items():
            counts[f"{name} in {phase}" if phases else name] += number
    return counts


def _differences(before: Mapping[Key, int], after: Mapping[Key, int]) -> Iterator[tuple[Key, int, int]]:
    for key in sorted({*before, *after}, key=str):
        then, now = before.get(key, 0), after.get(key, 0)
        if then != now:
            yield key, then, now


def _unlike_signatures(before: Signature, after: Signature) -> Iterator[str]:
    """Types that the fingerprint of the jaxpr decides."""
    for what in ("arguments", "results"):
        stored, live = ([value.type for value in getattr(side, what)] for side in (before, after))
        if stored != live:
            yield f"its {what} are {' '.join(stored)}, and those of a program of that fingerprint {' '.join(live)}"
    counted = [Counter[str]() for _ in range(2)]
    for counts, side in zip(counted, (before, after), strict=True):
        for one in side.operations:
            if one.name != CONSTRAINT:
                counts[f"{one.name} {one.types}"] += one.count
    for name, then, now in _differences(*counted):
        yield f"its jaxpr has {then} {name}, and a program of that fingerprint {now}"


def _unlike_figures(baseline: Snapshot, current: Snapshot) -> Iterator[str]:
    """Figures that follow from the signature, where that is the same."""
    before, after = baseline.signature, current.signature
    if before is None or after is None or before.arguments != after.arguments:
        return
    levels = [side.levels.get(Level.STABLEHLO) for side in (baseline, current)]
    then, now = (None if facts is None else facts.metrics.get("donated.bytes") for facts in levels)
    if then is not None and now is not None and then != now:
        yield f"its donated.bytes are {then}, and those of a program of its arguments {now}"
    if baseline.identity.arguments != current.identity.arguments and before.statics == after.statics:
        yield f"its identity has the arguments {baseline.identity.arguments}, and its signature others"
