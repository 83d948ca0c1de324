"""Holds a program against its snapshot and the rules: Inventory x Snapshot x rules -> ProgramCheck."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from ltc_ir.compare.comparability import identity_differences, version_note
from ltc_ir.compare.facts import METRICS, renamed, stable
from ltc_ir.compare.facts_diff import Comparison, compare
from ltc_ir.records.check import Check, CheckChange, ProgramCheck, Status
from ltc_ir.records.inventory import Inventory
from ltc_ir.records.snapshot import LevelFacts, Snapshot
from ltc_ir.records.vocabulary import Phase
from ltc_ir.rules.evaluate import Complete, judge
from ltc_ir.rules.grammar import Rule
from ltc_ir.rules.growth_policy import NO_GROWTH, Waiver, apply_waivers, find_waiver_problems, held, is_growth
from ltc_ir.rules.locate import locate_changes
from ltc_ir.rules.names import plain

Confirm = Callable[[], Snapshot]
"""Captures the program a second time; asked only where something differs."""


@dataclass(frozen=True)
class Case:
    """One program to be checked: what it holds, the snapshot that would be written now, and the one that is stored."""

    inventory: Inventory
    current: Snapshot
    baseline: Snapshot | None = None
    file: str | None = None
    accept: str | None = None
    confirm: Confirm | None = None


def check_all(
    cases: Sequence[Case],
    rules: Collection[Rule] = (),
    waivers: Collection[Waiver] = (),
    *,
    complete: Complete = True,
    strict: bool = False,
    today: date | None = None,
    unchecked: Mapping[str, str] | None = None,
) -> Check:
    """Check programs of one target or several; rules and waivers are held against all of them together."""
    inventories = {number: case.inventory for number, case in enumerate(cases)}
    baselines = {number: _comparable(case) for number, case in enumerate(cases)}
    judged = judge(rules, inventories, baselines, complete=complete)
    checks = tuple(
        check_program(
            case.inventory, case.current, case.baseline, rules, waivers,
            broken=judged.changes[number], file=case.file, accept=case.accept, confirm=case.confirm, today=today,
        )
        for number, case in enumerate(cases)
    )  # fmt: skip
    problems = judged.problems + find_waiver_problems(waivers, checks, today=today, complete=complete)
    return Check(checks, problems, dict(unchecked or {}), strict)


def check_program(
    inventory: Inventory,
    current: Snapshot,
    baseline: Snapshot | None,
    rules: Collection[Rule] = (),
    waivers: Collection[Waiver] = (),
    *,
    broken: Iterable[CheckChange] = (),
    file: str | None = None,
    accept: str | None = None,
    confirm: Confirm | None = None,
    today: date | None = None,
) -> ProgramCheck:
    """Check one program.

    Args:
        inventory: what it holds, for the lines of what changed.
        current: its snapshot as it would be written now.
        baseline: the stored one; ``None`` where there is none.
        rules: those whose steps permit growth.
        waivers: what is tolerated for a while.
        broken: the rules it breaks, as `judge` found them.
        file: the snapshot's path.
        accept: the command that records the present state.
        confirm: captures it again where something differs; what the second capture denies is unstable.
        today: the day that waivers are held against.
    """
    failing = apply_waivers(broken, waivers, inventory.target, today=today)
    made = ProgramCheck(inventory.target, inventory.program, Status.MISSING, failing, file=file, accept=accept)
    if baseline is None:
        return replace(made, totals=_totals({}, current.levels), reason=f"no snapshot for JAX {current.identity.jax}")
    why = _incomparable(baseline, current)
    if why:
        totals = _totals(baseline.levels, current.levels)
        return replace(made, status=Status.NOT_COMPARABLE, totals=totals, reason="; ".join(why))
    found = _compared(baseline, current)
    if confirm is not None and any(map(_differs, found)):
        current = _confirmed(current, confirm())
        found = _compared(baseline, current)
    rows: list[CheckChange] = []
    for one in found:
        differing = locate_changes(one, inventory.levels[one.level])
        rows += held(differing, one, inventory, baseline, rules=rules, waivers=waivers, today=today)
    shaken = _newly_unstable(baseline, current)
    return replace(
        made,
        status=Status.UNSTABLE if shaken else _status(found, rows, baseline, current),
        changes=_ordered([*failing, *rows]),
        totals={name: sides for one in found for name, sides in _totals_of(one.level, one.before, one.after)},
        reason=f"two captures disagreed on {_some(shaken)}" if shaken else None,
        notes=tuple(_notes(baseline, current, found)),
    )


def _incomparable(baseline: Snapshot, current: Snapshot) -> tuple[str, ...]:
    why = identity_differences(baseline.identity, current.identity)
    return why or (() if set(baseline.levels) & set(current.levels) else ("no level is on both sides",))


def _comparable(case: Case) -> Snapshot | None:
    return None if case.baseline is None or _incomparable(case.baseline, case.current) else case.baseline


def _compared(baseline: Snapshot, current: Snapshot) -> list[Comparison]:
    return [
        compare(level, baseline.levels[level], current.levels[level]) for level in _levels(baseline, current, both=True)
    ]


def _levels(baseline: Snapshot, current: Snapshot, *, both: bool) -> list[str]:
    either = {*baseline.levels, *current.levels}
    return sorted(level for level in either if (level in baseline.levels and level in current.levels) == both)


def _differs(one: Comparison) -> bool:
    return bool(one.ops or one.metrics or one.moved or one.types or one.restructured)


def _status(found: Sequence[Comparison], rows: Iterable[CheckChange], baseline: Snapshot, current: Snapshot) -> Status:
    if any(row.rule == NO_GROWTH and row.fails for row in rows):
        return Status.GROWN if baseline.provenance == current.provenance else Status.DRIFT
    if any(one.grew for one in found):
        return Status.CHANGED  # permitted or waived
    if any(one.shrank for one in found):
        return Status.SHRUNK
    if any(one.moved for one in found):
        return Status.MOVED
    partly = bool(_levels(baseline, current, both=False))
    return Status.CHANGED if partly or any(map(_differs, found)) else Status.MATCH


def _confirmed(current: Snapshot, again: Snapshot) -> Snapshot:
    levels = {
        name: stable(facts, again.levels[name]) if name in again.levels else facts
        for name, facts in current.levels.items()
    }
    return replace(current, levels=levels)


def _newly_unstable(baseline: Snapshot, current: Snapshot) -> list[str]:
    """Facts that are not stable now and were when the snapshot was made."""
    return [
        f"{level} {name}"
        for level in _levels(baseline, current, both=True)
        for name in current.levels[level].unstable
        if name not in baseline.levels[level].unstable
    ]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _totals(baseline: Mapping[str, LevelFacts], current: Mapping[str, LevelFacts]) -> dict[str, tuple[int | None, int]]:
    return {
        name: sides
        for level in sorted(current)
        for name, sides in _totals_of(level, baseline.get(level), current[level])
    }


def _totals_of(
    level: str, before: LevelFacts | None, after: LevelFacts
) -> Iterator[tuple[str, tuple[int | None, int]]]:
    yield level, (None if before is None else before.total, after.total)
    if "lines" in after.metrics:
        yield f"{level} lines", (None if before is None else before.metrics.get("lines"), after.metrics["lines"])


def _ordered(rows: Iterable[CheckChange]) -> tuple[CheckChange, ...]:
    """Worst first: broken rules, growth, what is waived or permitted, the rest; the larger change first.

    What follows from another row (StableHLO's twin of a jaxpr's operation, the functions around operations, constants and
    what spreads them, the lines of the text) stands behind its like.
    """
    made = list(rows)
    traced = {row.metric for row in made if row.level == "jaxpr"}
    grown = any(is_growth(row) and row.metric not in METRICS for row in made)

    def key(row: CheckChange) -> tuple[int, bool, float, str, str]:
        twin = row.level != "jaxpr" and _TWINS.get(bare := plain(row.level, row.metric), bare) in traced
        around = row.metric.startswith("func.") or (grown and row.metric == "lines")
        around |= plain(row.level, row.metric) in _SCAFFOLD
        follows = _rank(row) > 0 and (twin or around)
        return (_rank(row), follows, -_weight(row), row.level, row.metric)

    return tuple(sorted(made, key=key))


_SCAFFOLD = frozenset(
    {"constant", "broadcast_in_dim", "broadcast", "parameter", "get_tuple_element", "tuple", "bitcast"}
)
"""What comes with other operations."""
_PAGE = 4096
"""Bytes of a constant that weigh as one operation, so that a small one does not stand before what else grew."""


def _weight(row: CheckChange) -> float:
    change = abs(row.change or 0)
    return change / _PAGE if row.metric.endswith("bytes") else change


def _rank(row: CheckChange) -> int:
    if row.fails:
        return 1 if row.rule == NO_GROWTH else 0
    return 2 if row.rule is not None or is_growth(row) else 3


_TWINS = {
    "multiply": "mul", "subtract": "sub", "divide": "div", "negate": "neg", "exponential": "exp", "maximum": "max",
    "minimum": "min", "power": "pow", "convert": "convert_element_type", "select": "select_n", "compare": "lt",
    "call": "jit", "func": "jit", "return": "jit",
}  # fmt: skip
"""What some primitives are called in StableHLO; only the order of rows depends on it."""


def _notes(baseline: Snapshot, current: Snapshot, found: Sequence[Comparison]) -> Iterator[str]:
    version = version_note(baseline, current)
    if version and any(map(_differs, found)):
        yield version
    for level in _levels(baseline, current, both=False):
        yield f"{level} is {'not in the snapshot' if level in current.levels else 'in the snapshot only'}: not compared"
    for one in found:
        unstable = baseline.levels[one.level].unstable
        if unstable:
            yield f"not held, as two captures disagreed on them: {one.level} {_some(unstable)}"
        for name in sorted({*one.before.metrics} ^ {*one.after.metrics}):
            yield f"{name} is on one side only: not compared"
        yield from _recompute(one)
    yield from _hlo(baseline, current)


def _recompute(one: Comparison) -> Iterator[str]:
    """Fewer operations, and more memory: removing `jax.checkpoint` must not read as a gain alone."""
    before, after = (_in_phase(facts, Phase.RECOMPUTE.value) for facts in (one.before, one.after))
    if before and not after:
        yield f"recompute gone: {before} {one.level} operations were recomputed, now none is (was jax.checkpoint removed?)"


def _in_phase(facts: LevelFacts, phase: str) -> int:
    return sum(sum(counts.values()) for (where, _), counts in facts.ops.items() if where == phase)


def _hlo(baseline: Snapshot, current: Snapshot) -> Iterator[str]:
    """What differs in optimised HLO; it holds for one jaxlib and one kind of device, and gates nothing."""
    then, now = baseline.hlo, current.hlo
    if then is None or now is None:
        return
    if (then.jaxlib, then.device) != (now.jaxlib, now.device):
        yield f"hlo is not compared: recorded with jaxlib {then.jaxlib} on {then.device}, not {now.jaxlib} on {now.device}"
        return
    one = compare("hlo", renamed("hlo", then.facts), now.facts)
    if one.ops:
        largest = sorted(one.ops.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))
        shown = _some([f"{name} {before} -> {after}" for name, (before, after) in largest])
        yield f"hlo (not held): total {one.totals[0]} -> {one.totals[1]}, {shown}"
