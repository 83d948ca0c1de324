"""Checks a program against its snapshot and the rules: tables x Snapshot x rules -> ProgramCheck."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from ltc_ir.compare.comparability import identity_differences, version_note
from ltc_ir.compare.damage import damage
from ltc_ir.compare.diff import TableDiff
from ltc_ir.compare.facts import agreed_signature, compare_facts, stable
from ltc_ir.compare.signature import compare_signatures
from ltc_ir.records.check import Check, CheckChange, Problem, ProgramCheck, Status
from ltc_ir.records.figures import takes_steps
from ltc_ir.records.op_table import ProgramTables, Table, narrowed, table_of_facts
from ltc_ir.records.signature import ATTRIBUTION
from ltc_ir.records.snapshot import LevelFacts, Snapshot
from ltc_ir.records.vocabulary import Phase
from ltc_ir.rules.evaluate import judge, settle_notes
from ltc_ir.rules.grammar import Complete, Rule
from ltc_ir.rules.growth_policy import (
    NO_GROWTH,
    Waiver,
    apply_growth_policy,
    apply_waivers,
    find_waiver_problems,
)
from ltc_ir.rules.locate import locate_changes, stored_figures
from ltc_ir.rules.names import plain_name

Confirm = Callable[[], Snapshot]
"""Captures the program a second time; called only where something differs."""


@dataclass(frozen=True)
class Case:
    """One program to be checked.

    Args:
        tables: what it holds, for the lines of what changed.
        current: its snapshot as it would be written now.
        baseline: the stored one; ``None`` where there is none.
        file: the snapshot's path.
        accept: the command that records the present state.
        confirm: captures it again where something differs; what the second capture denies is unstable.
    """

    tables: ProgramTables
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
    failed: Collection[tuple[str, str]] = (),
) -> Check:
    """Check programs of one target or several; rules and waivers apply to all of them together.

    ``failed`` names programs, each with its target, that there are and that could not be looked at.
    """
    programs = {number: case.tables for number, case in enumerate(cases)}
    baselines = {number: comparable_baseline(case) for number, case in enumerate(cases)}
    judged = judge(rules, programs, baselines, complete=complete, failed=failed)
    checks = tuple(
        replace(
            check_program(case, rules, waivers, broken=judged.changes[number], today=today),
            unjudged=judged.unjudged.get(number, ()),
        )
        for number, case in enumerate(cases)
    )
    problems, notes = settle_notes(judged, strict=strict)
    problems += find_waiver_problems(waivers, checks, today=today, complete=complete)
    return Check(checks, problems, dict(unchecked or {}), strict, notes)


def with_judgement(
    check: ProgramCheck,
    broken: Iterable[CheckChange],
    unjudged: tuple[Problem, ...],
    waivers: Collection[Waiver],
) -> ProgramCheck:
    """A program that was checked without its broken rules, with those that are known now."""
    failing = apply_waivers(broken, waivers, check.target, today=None)
    return replace(check, changes=_ordered([*failing, *check.changes]), unjudged=unjudged)


def comparable_baseline(case: Case) -> Snapshot | None:
    """The stored snapshot of a program, where the two can be compared."""
    return None if case.baseline is None or _incomparable(case.baseline, case.current) else case.baseline


def check_program(
    case: Case,
    rules: Collection[Rule] = (),
    waivers: Collection[Waiver] = (),
    *,
    broken: Iterable[CheckChange] = (),
    today: date | None = None,
) -> ProgramCheck:
    """Check one program.

    Args:
        case: the program.
        rules: the rules whose steps permit growth.
        waivers: the growth that is tolerated for a while.
        broken: the rules it breaks, as `judge` found them.
        today: the day that decides which waivers have expired.
    """
    tables, current, baseline = case.tables, case.current, case.baseline
    failing = apply_waivers(broken, waivers, tables.target, today=today)
    check = ProgramCheck(tables.target, tables.program, Status.MISSING, failing, file=case.file, accept=case.accept)
    if baseline is None:
        return replace(check, totals=_totals({}, current.levels), reason=f"no snapshot for JAX {current.identity.jax}")
    why = _incomparable(baseline, current)
    if why:
        totals = _totals(baseline.levels, current.levels)
        return replace(check, status=Status.NOT_COMPARABLE, totals=totals, reason="; ".join(why))
    diffs = _compare_levels(baseline, current)
    signed = _compare_signatures(baseline, current)
    if case.confirm is not None and (signed or any(map(_differs, diffs.values()))):
        current = _confirmed(current, case.confirm())
        diffs, signed = _compare_levels(baseline, current), _compare_signatures(baseline, current)
    judge_growth = partial(
        apply_growth_policy, tables=tables, baseline=baseline, rules=rules, waivers=waivers, today=today
    )
    rows = judge_growth(signed, None)
    for level, diff in diffs.items():
        changes = locate_changes(diff, tables.levels[level])
        rows += judge_growth([one for one in changes if not signed or one.metric != "fingerprint"], diff)
    unstable, damaged = _newly_unstable(baseline, current), damage(baseline, current)
    if damaged:
        rows = [replace(row, rule=None, where=None, waived=None) for row in rows]
    reason = f"two captures disagreed on {_some(unstable)}" if unstable else damaged
    status = Status.UNSTABLE if unstable else Status.DAMAGED if damaged else None
    return replace(
        check,
        status=status or _status(diffs.values(), rows, bool(signed), baseline, current),
        changes=_ordered([*failing, *rows]),
        totals={name: sides for diff in diffs.values() for name, sides in _totals_of(diff.baseline, diff.current)},
        reason=reason,
        notes=tuple(_notes(baseline, current, diffs)),
        outdated=not damaged and any(_older(baseline, current)),
    )


def _incomparable(baseline: Snapshot, current: Snapshot) -> tuple[str, ...]:
    why = identity_differences(baseline, current)
    return why or (() if set(baseline.levels) & set(current.levels) else ("no level is on both sides",))


def _compare_levels(baseline: Snapshot, current: Snapshot) -> dict[str, TableDiff]:
    return {
        level: compare_facts(level, baseline.levels[level], current.levels[level], attributed=_attributed(baseline))
        for level in _levels(baseline, current, both=True)
    }


def _attributed(baseline: Snapshot) -> bool:
    """Whether the phases and functions of a snapshot can be compared with those of today."""
    return baseline.attribution == ATTRIBUTION


def _compare_signatures(baseline: Snapshot, current: Snapshot) -> list[CheckChange]:
    """What changed of arguments, results and types; nothing where a side does not have them."""
    if baseline.signature is None or current.signature is None:
        return []
    return [
        CheckChange(
            change.metric, change.level, change.baseline, change.current,
            function=change.function, sources=change.sources, words=change.words,
        )
        for change in compare_signatures(baseline.signature, current.signature)
    ]  # fmt: skip


def _levels(baseline: Snapshot, current: Snapshot, *, both: bool) -> list[str]:
    either = {*baseline.levels, *current.levels}
    return sorted(level for level in either if (level in baseline.levels and level in current.levels) == both)


def _differs(diff: TableDiff) -> bool:
    return bool(diff.ops or stored_figures(diff) or diff.types or diff.restructured)


def _stored_changes(diff: TableDiff) -> list[int]:
    """By how much each operation, and each figure that snapshots keep, grew or shrank."""
    figures = [after - before for before, after in stored_figures(diff).values()]
    return [*(op.change for op in diff.ops), *figures]


def _status(
    diffs: Collection[TableDiff], rows: Iterable[CheckChange], signed: bool, baseline: Snapshot, current: Snapshot
) -> Status:
    if any(row.rule == NO_GROWTH and row.fails for row in rows):
        return Status.GROWN if baseline.provenance == current.provenance else Status.DRIFT
    changes = [change for diff in diffs for change in _stored_changes(diff)]
    if signed or any(change > 0 for change in changes):
        return Status.CHANGED  # other types, or growth that is permitted or waived
    if any(change < 0 for change in changes):
        return Status.SHRUNK
    if any(not op.change for diff in diffs for op in diff.ops):
        return Status.MOVED
    partly = bool(_levels(baseline, current, both=False))
    return Status.CHANGED if partly or any(map(_differs, diffs)) else Status.MATCH


def _confirmed(current: Snapshot, again: Snapshot) -> Snapshot:
    levels = {
        name: stable(facts, again.levels[name]) if name in again.levels else facts
        for name, facts in current.levels.items()
    }
    return replace(current, levels=levels, signature=agreed_signature(current, again))


def _newly_unstable(baseline: Snapshot, current: Snapshot) -> list[str]:
    """Facts that are not stable now and were when the snapshot was made."""
    facts = [
        f"{level} {name}"
        for level in _levels(baseline, current, both=True)
        for name in current.levels[level].unstable
        if name not in baseline.levels[level].unstable
    ]
    lost = baseline.signature is not None and current.signature is None
    return [*facts, *(["arguments, results and types"] if lost else [])]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _totals(baseline: Mapping[str, LevelFacts], current: Mapping[str, LevelFacts]) -> dict[str, tuple[int | None, int]]:
    tables = {
        level: (table_of_facts(level, baseline[level]) if level in baseline else None, table_of_facts(level, facts))
        for level, facts in sorted(current.items())
    }
    return {name: sides for before, after in tables.values() for name, sides in _totals_of(before, after)}


def _totals_of(before: Table | None, after: Table) -> Iterator[tuple[str, tuple[int | None, int]]]:
    yield after.level, (None if before is None else before.total, after.total)
    lines = _lines(after)
    if lines is not None:
        yield f"{after.level} lines", (None if before is None else _lines(before), lines)


def _lines(table: Table) -> int | None:
    lines = table.figures.get("lines")
    return None if lines is None else int(lines)


def _ordered(rows: Iterable[CheckChange]) -> tuple[CheckChange, ...]:
    """Worst first: broken rules, growth, what is waived or permitted, the rest; sentences, then the larger change first.

    What follows from another row (StableHLO's twin of a jaxpr's operation, the functions around operations, constants and
    what spreads them, the lines of the text) comes after its like.
    """
    rows = list(rows)
    traced = {row.metric for row in rows if row.level == "jaxpr"}
    grown = any(row.grew and not takes_steps(row.metric) for row in rows)

    def key(row: CheckChange) -> tuple[int, bool, bool, float, str, str]:
        twin = row.level != "jaxpr" and _TWINS.get(bare := plain_name(row.level, row.metric), bare) in traced
        around = row.metric.startswith("func.") or (grown and row.metric == "lines")
        around |= plain_name(row.level, row.metric) in _SCAFFOLD
        follows = _rank(row) > 0 and (twin or around)
        return (_rank(row), follows, row.words is None, -_weight(row), row.level, row.metric)

    return tuple(sorted(rows, key=key))


_SCAFFOLD = frozenset(
    {"constant", "broadcast_in_dim", "broadcast", "parameter", "get_tuple_element", "tuple", "bitcast"}
)
"""What comes with other operations."""
_PAGE = 4096
"""Bytes of a constant that weigh as one operation, so that a small one does not come before what else grew."""


def _weight(row: CheckChange) -> float:
    change = abs(row.change or 0)
    return change / _PAGE if row.metric.endswith("bytes") else change


def _rank(row: CheckChange) -> int:
    if row.fails:
        return 1 if row.rule == NO_GROWTH else 0
    return 2 if row.rule is not None or row.grew else 3


_TWINS = {
    "multiply": "mul", "subtract": "sub", "divide": "div", "negate": "neg", "exponential": "exp", "maximum": "max",
    "minimum": "min", "power": "pow", "convert": "convert_element_type", "select": "select_n", "compare": "lt",
    "call": "jit", "func": "jit", "return": "jit",
}  # fmt: skip
"""What some primitives are called in StableHLO; only the order of rows depends on it."""


def _notes(baseline: Snapshot, current: Snapshot, diffs: Mapping[str, TableDiff]) -> Iterator[str]:
    for level in diffs:
        yield from _not_held(level, baseline.levels[level])
    version = version_note(baseline, current)
    if version and any(map(_differs, diffs.values())):
        yield version
    for level in _levels(baseline, current, both=False):
        yield f"{level} is {'not in the snapshot' if level in current.levels else 'in the snapshot only'}: not compared"
    yield from _older(baseline, current)
    for diff in diffs.values():
        for name in sorted({*diff.baseline.figures} ^ {*diff.current.figures}):
            if baseline.signature is not None or name != "donated.bytes":
                yield f"{name} is on one side only: not compared"
        yield from _recompute(diff)
    yield from _hlo(baseline, current)


def _not_held(level: str, facts: LevelFacts) -> Iterator[str]:
    """The facts that a file exempts from the check, with the reasons that it has for that."""
    exempt: dict[str, list[str]] = {}
    for name in facts.unstable:
        exempt.setdefault(facts.reasons.get(name, "no reason is recorded"), []).append(name)
    for reason, names in exempt.items():
        verb = "is" if len(names) == 1 else "are"
        yield f"not held: {level} {_some(names)} {verb} {UNSTABLE}: {' '.join(reason.split())}"


UNSTABLE = "marked unstable"
"""What a note says of facts that a file exempts."""


def _older(baseline: Snapshot, current: Snapshot) -> Iterator[str]:
    """What an older snapshot does not hold, or holds as an older version told it."""
    parts = []
    if baseline.attribution > ATTRIBUTION:
        yield "a newer ltc-ir recorded the phases: not compared"
    elif not _attributed(baseline):
        parts.append("phases are known better now")
    if baseline.signature is None and current.signature is not None:
        parts.append("arguments, results and types are not recorded")
    if parts:
        yield f"{', '.join(parts)}: update the snapshot"


def _recompute(diff: TableDiff) -> Iterator[str]:
    """Fewer operations, and more memory: removing `jax.checkpoint` must not read as a gain alone."""
    before, after = (_in_phase(table, Phase.RECOMPUTE) for table in (diff.baseline, diff.current))
    if before and not after:
        level = diff.current.level
        yield f"recompute gone: {before} {level} operations were recomputed, now none is (was jax.checkpoint removed?)"


def _in_phase(table: Table, phase: Phase) -> int:
    return sum(narrowed(table.weights, (), (phase,)).values())


def _hlo(baseline: Snapshot, current: Snapshot) -> Iterator[str]:
    """What differs in optimised HLO; it holds for one jaxlib and one kind of device, and gates nothing."""
    then, now = baseline.hlo, current.hlo
    if then is None or now is None:
        return
    if (then.jaxlib, then.device) != (now.jaxlib, now.device):
        yield f"hlo is not compared: recorded with jaxlib {then.jaxlib} on {then.device}, not {now.jaxlib} on {now.device}"
        return
    diff = compare_facts("hlo", then.facts, now.facts)
    largest = sorted((op for op in diff.ops if op.change), key=lambda op: (-abs(op.change), op.name))
    if largest:
        shown = _some([f"{op.name} {op.baseline} -> {op.current}" for op in largest])
        yield f"hlo (not held): total {diff.baseline.total} -> {diff.current.total}, {shown}"
