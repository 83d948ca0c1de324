"""Judges rules on programs: what is broken and where; a rule that could not have been broken is an error, never a pass."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar

from ltc_ir.compare.diff import compare_rows
from ltc_ir.errors import LtcIrError, NotComparableError, UsageError
from ltc_ir.records.check import CheckChange, Problem
from ltc_ir.records.op_table import ProgramTables, table_of_facts
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.records.vocabulary import Level, Phase, meant, newer_names
from ltc_ir.rules.filters import Unmet, unmet_filter
from ltc_ir.rules.grammar import Complete, Rule, Selector, covers, holds, levels_of_figure
from ltc_ir.rules.locate import Place, most_moved, place_of, place_of_constants, place_of_growth
from ltc_ir.rules.names import Meaning, is_collective, resolve_name
from ltc_ir.rules.value import Measured, Stepped, level_of, measure, measure_step

Key = TypeVar("Key", bound=Hashable)


class Verdict(NamedTuple):
    """One rule on one program: whether it holds, the figure it judged, and for a step both sides of it."""

    holds: bool
    measured: Measured
    step: Stepped | None = None


@dataclass(frozen=True)
class Judgement(Generic[Key]):
    """The outcome of judging rules: per program what breaks a rule, and the problems of the rules themselves.

    ``notes`` are what a reader must know of rules that hold; those with a code are problems where a check is strict.
    ``unjudged`` are the
    problems that arose on one program, on which the rule was not judged.
    """

    changes: Mapping[Key, tuple[CheckChange, ...]]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    unjudged: Mapping[Key, tuple[Problem, ...]] = field(default_factory=dict)


def judge(
    rules: Iterable[Rule],
    programs: Mapping[Key, ProgramTables],
    baselines: Mapping[Key, Snapshot | None] | None = None,
    *,
    complete: Complete = True,
    failed: Collection[tuple[str, str]] = (),
) -> Judgement[Key]:
    """Judge rules on programs.

    Args:
        rules: the rules; one that names targets or a program is judged on those only.
        programs: the programs by any key, of one target or of several.
        baselines: their snapshots by the same key, ``None`` where one is missing or not comparable: steps are not judged
            there. For a program without an entry there is no store, and a step is an error.
        complete: whether these are all programs (of these targets, where some are named), so that a rule that matches
            none of them is an error.
        failed: the programs, each with its target, that there are and could not be looked at.
    """
    judging = _Judging(programs, baselines or {}, complete, failed)
    for rule in rules:
        judging.judge(rule)
    return judging.judgement()


@dataclass
class _Judging(Generic[Key]):
    """What is learnt while rules are judged."""

    programs: Mapping[Key, ProgramTables]
    baselines: Mapping[Key, Snapshot | None]
    complete: Complete
    failed: Collection[tuple[str, str]] = ()
    changes: dict[Key, list[CheckChange]] = field(default_factory=dict)
    unjudged: dict[Key, list[Problem]] = field(default_factory=dict)
    problems: dict[Problem, None] = field(default_factory=dict)
    notes: dict[Problem, None] = field(default_factory=dict)

    def judgement(self) -> Judgement[Key]:
        """The outcome."""
        return Judgement(
            {key: tuple(self.changes.get(key, ())) for key in self.programs},
            tuple(self.problems),
            tuple(self.notes),
            {key: tuple(found) for key, found in self.unjudged.items()},
        )

    def judge(self, rule: Rule) -> None:
        """Judge one rule on every program it applies to."""
        programs = self.programs
        keys = [key for key, tables in programs.items() if rule.applies_to(tables.target, tables.program)]
        among = [tables for tables in programs.values() if not rule.targets or tables.target in rule.targets]
        covered = covers(self.complete, rule.targets)
        if not keys:
            if covered and not any(rule.applies_to(*name) for name in self.failed):
                self.problems[_unmatched(rule, programs.values())] = None
            return
        try:
            unmet = _unmet(rule, among)
        except UsageError as error:
            self.refuse(problem_of(rule, error), keys)
            return
        if unmet is not None and unmet.meant is not None and (covered or rule.where != PYPROJECT):
            self.refuse(problem_of(rule, UsageError(unmet.words, unmet.meant)), keys)
            return
        if not self.holds(rule, keys, among):
            return
        if unmet is not None:
            note = problem_of(rule, UsageError(unmet.words, unmet.meant or _MET_NOTHING))
            self.notes[replace(note, code=0) if unmet.certain else note] = None
        if rule.selector.program or covered:
            self.problems |= dict.fromkeys(_unbreakable(rule, [programs[key] for key in keys]))

    def refuse(self, problem: Problem, keys: Iterable[Key]) -> None:
        """Remember that a rule was not judged on these programs."""
        self.problems[problem] = None
        for key in keys:
            self.unjudged.setdefault(key, []).append(problem)

    def holds(self, rule: Rule, keys: Iterable[Key], among: Collection[ProgramTables]) -> bool:
        """Whether a rule holds on all these programs; what breaks it, and where it cannot be judged, is remembered."""
        all_hold = True
        for key in keys:
            try:
                broken = _judge_program(rule, self.programs[key], key, self.baselines, among)
            except (UsageError, NotComparableError) as error:
                self.refuse(problem_of(rule, error), [key])
                all_hold = False
            else:
                self.changes.setdefault(key, []).extend(broken)
                all_hold = all_hold and not broken
        return all_hold


PYPROJECT = "pyproject.toml"
"""Where a rule stands that is the project's, of whatever targets one check looks at."""
_MET_NOTHING = "is it spelled so? in quotes it is meant as written"


def _unmet(rule: Rule, among: Iterable[ProgramTables]) -> Unmet | None:
    """What a rule's filter did not meet in the programs whose types and attributes were read."""
    wanted = rule.selector.filter
    if wanted is None:
        return None
    read = [tables for tables in among if (tables.detailed or not wanted.needs_detail) and tables.typed]
    meaning = resolve_name(rule.selector, read)
    read = [tables for tables in read if meaning.level in tables.levels]
    return unmet_filter(rule, meaning, read) if read else None


def settle_notes(judged: Judgement[Key], *, strict: bool) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """The problems and the notes of a judgement; where a check is strict, a note that has a code is a problem."""
    grave = tuple(note for note in judged.notes if strict and note.code)
    return judged.problems + grave, tuple(note for note in judged.notes if note not in grave)


def judge_rule(
    rule: Rule, tables: ProgramTables, baseline: Snapshot | None = None, among: Collection[ProgramTables] = ()
) -> Verdict:
    """Whether a rule holds for one program.

    Raises:
        UsageError: the figure is unknown, or this program could not show the rule broken.
    """
    if rule.is_relative:
        return _judge_relative(rule, tables, baseline)
    measured = measure(rule.selector, tables, among)
    if rule.kind == "invariant":
        verdict = Verdict(holds(rule, measured.value), measured)
    elif baseline is None:
        return Verdict(holds(rule, measured.value), measured)  # raises: there is nothing to step from
    else:
        step = measure_step(rule.selector, measured.meaning, tables, baseline)
        verdict = Verdict(holds(rule, step.after, step.before), measured, step)
    if verdict.holds:
        _check_shown(rule, verdict, tables)
    return verdict


def _judge_relative(rule: Rule, tables: ProgramTables, baseline: Snapshot | None) -> Verdict:
    """A step in a figure that only a comparison has."""
    measured = Measured(0, {}, Meaning(levels_of_figure(rule.selector.name)[0]))
    if baseline is None:
        return Verdict(holds(rule, 0), measured)  # raises: there is nothing to step from
    step = measure_step(rule.selector, measured.meaning, tables, baseline)
    return Verdict(holds(rule, step.after, step.before), measured, step)


def problem_of(rule: Rule, error: LtcIrError) -> Problem:
    """A rule that cannot be judged, as a problem of the whole check."""
    named = f"{rule.where}: rule {rule.text!r}"
    message = error.message if error.message.startswith(named) else f"{named}: {error.message}"
    return Problem(message, error.hint or "", error.exit_code)


def _unmatched(rule: Rule, programs: Collection[ProgramTables]) -> Problem:
    names = sorted({_name(tables) for tables in programs})
    hint = f"programs are {', '.join(names)}" if names else "there is no program"
    near = meant(rule.selector.program or "", {tables.program for tables in programs})
    hint = f"{near}{hint}"
    return Problem(f"{rule.where}: rule {rule.text!r} matches no program", hint, UsageError.exit_code)


_DIFFERENTIATED = frozenset({Phase.FORWARD, Phase.BACKWARD, Phase.RECOMPUTE})


def _unbreakable(rule: Rule, programs: Collection[ProgramTables]) -> list[Problem]:
    """That a rule bounds a phase of differentiation where no program is differentiated: it would hold whatever they become."""
    phase = rule.selector.phase
    if phase not in _DIFFERENTIATED or any(map(_is_differentiated, programs)):
        return []
    named = [_name(tables) for tables in programs]
    are = f"{named[0]} is" if len(named) == 1 else f"{', '.join(named[:3])} are"
    what = f"{rule.where}: rule {rule.text!r} cannot be broken: {are} not differentiated, so nothing is {phase}"
    hint = f"name a program that is, as in grad/{phase}.{rule.selector.label}, or leave the phase out"
    return [Problem(what, hint, UsageError.exit_code)]


def _is_differentiated(tables: ProgramTables) -> bool:
    return any(
        row.phase in {*_DIFFERENTIATED, Phase.MIXED} for table in tables.levels.values() for row in table.weights
    )


def _name(tables: ProgramTables) -> str:
    return f"{tables.target} {tables.program}"


def _judge_program(
    rule: Rule,
    tables: ProgramTables,
    key: Key,
    baselines: Mapping[Key, Snapshot | None],
    among: Collection[ProgramTables],
) -> list[CheckChange]:
    baseline = baselines.get(key)
    if rule.kind == "step" and key in baselines and baseline is None:
        resolve_name(rule.selector, among)  # a name that nothing knows is wrong with and without a snapshot
        return []
    verdict = judge_rule(rule, tables, baseline, among)
    return [] if verdict.holds else [_broken(rule, verdict, tables, baseline)]


def _check_shown(rule: Rule, verdict: Verdict, tables: ProgramTables) -> None:
    """Refuse a rule that holds only because this program, or this level, could not have shown it broken."""
    selector, measured = rule.selector, verdict.measured
    if selector.phase == Phase.MIXED and measured.meaning.level != Level.HLO:
        raise UsageError(
            f"{measured.meaning.level} has no phase mixed: only XLA merges operations",
            f"write hlo:mixed.{selector.label}",
        )
    if rule.bounds_above and is_collective(selector.name):
        _check_collectives(selector, measured, tables)
    unplaced = measured.unplaced if verdict.step is None else verdict.step.unplaced
    if unplaced and _could_break(rule, verdict, unplaced):
        level = measured.meaning.level
        raise UsageError(
            f"{_name(tables)} cannot show it: {level} does not tell the phase of {unplaced:g} more {selector.label}",
            f"write {selector.name} without a phase, or judge it at jaxpr",
        )


def _check_collectives(selector: Selector, measured: Measured, tables: ProgramTables) -> None:
    level = measured.meaning.level
    if level != Level.HLO and not measured.value:
        raise UsageError(
            f"{level} cannot show it: collectives of automatic sharding exist only in optimised HLO",
            f"write hlo:{selector.label}",
        )
    if level == Level.HLO and tables.devices <= 1 and not measured.value:
        raise UsageError(
            f"{_name(tables)} cannot show it: it runs on one device, where there are no collectives",
            "shard its arguments over several devices, and demand them with devices=N",
        )


def _could_break(rule: Rule, verdict: Verdict, unplaced: float) -> bool:
    """Whether the rule would not hold if some of what has no phase were counted."""
    value, before = verdict.measured.value, None
    if verdict.step is not None:
        value, before = verdict.step.after, verdict.step.before
    if rule.op == "!=":
        return value < rule.value <= value + unplaced
    return not holds(rule, value + unplaced, before)


def _broken(rule: Rule, verdict: Verdict, tables: ProgramTables, baseline: Snapshot | None) -> CheckChange:
    step = verdict.step or _stored(rule.selector, verdict, tables, baseline)
    place = _place(rule, verdict, tables, baseline)
    return CheckChange(
        metric=_metric(rule.selector, verdict.measured),
        level=verdict.measured.meaning.level,
        baseline=None if step is None else step.before,
        current=verdict.measured.value if verdict.step is None else verdict.step.after,
        phase=place.phase or rule.selector.phase,
        function=place.function,
        sources=place.sources,
        rule=rule.text,
        where=rule.where,
    )


def _stored(selector: Selector, verdict: Verdict, tables: ProgramTables, baseline: Snapshot | None) -> Stepped | None:
    """An invariant's figure in the snapshot, where that has it, so that a reader sees what it was."""
    if baseline is None or selector.filter is not None or selector.bytes:
        return None
    try:
        return measure_step(selector, verdict.measured.meaning, tables, baseline)
    except (UsageError, NotComparableError):
        return None


def _place(rule: Rule, verdict: Verdict, tables: ProgramTables, baseline: Snapshot | None) -> Place:
    measured, table = verdict.measured, level_of(tables, verdict.measured.meaning.level)
    if rule.selector.name.startswith("constants."):
        return place_of_constants(table.constants)
    stored = None if baseline is None else baseline.levels.get(table.level)
    if stored is None or verdict.step is None:
        return place_of(measured.rows)
    if rule.selector.name in {"total", "lines"}:
        before = table_of_facts(table.level, stored).weights
        ops = compare_rows(before, table.weights, newer_names(table.level))
        return place_of_growth(table, ops, rule.selector.phase)
    return place_of(measured.rows, most_moved(verdict.step.moves))


def _metric(selector: Selector, measured: Measured) -> str:
    """The figure's name: an operation's as its level spells it."""
    spelled = {row.name for row in measured.rows}
    name = spelled.pop() if len(spelled) == 1 and not selector.is_metric else selector.name
    return name + (".bytes" if selector.bytes else "")
