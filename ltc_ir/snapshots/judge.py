"""Rules judged without a store: on the programs of a target, or on what a file holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ltc_ir.files import names_stored_file
from ltc_ir.records.check import Check, Problem, ProgramCheck, Status
from ltc_ir.records.op_table import ProgramTables
from ltc_ir.records.request import Request
from ltc_ir.rules.evaluate import judge
from ltc_ir.rules.grammar import Rule, parse_rule
from ltc_ir.rules.names import levels_of, needs_detail
from ltc_ir.snapshots.capture import capture, capture_request_here
from ltc_ir.snapshots.project import GIVEN
from ltc_ir.targets import prepare


def judge_rules(target: Any, rules: Sequence[str], request: Request) -> Check:
    """Judge rules on a target's programs, or on a stored file; there is no snapshot, so steps are errors.

    Args:
        target: a name, a stored file, or a Target.
        rules: invariants in the rule language.
        request: the programs, the options of a target found by name, the platform and the width.

    Raises:
        UsageError: a rule that cannot be read, or no such target. TargetError: the function failed.
    """
    parsed = [parse_rule(text) for text in rules]
    left_out: dict[str, str] = {}
    if isinstance(target, str) and names_stored_file(target):
        from ltc_ir.tables.from_file import tables_stored

        stored = tables_stored(target)
        programs = {stored.program: stored}
    else:
        with prepare.configured(request.x64):
            programs, left_out = _live(prepare.resolve(target, None, request.options), parsed, request)
    judgement = judge(parsed, programs, complete=request.programs is None)
    checks = [
        ProgramCheck(tables.target, tables.program, Status.MATCH, judgement.changes[name])
        for name, tables in programs.items()
    ]
    return Check(tuple(checks), judgement.problems, left_out)


def unmatched_rules(
    rules: Iterable[Rule], programs: Collection[ProgramTables], failed: Collection[ProgramCheck]
) -> tuple[Problem, ...]:
    """The rules given for this run alone that speak of none of its programs, whichever were asked for."""
    names = [(tables.target, tables.program) for tables in programs] + [
        (check.target, check.program) for check in failed
    ]
    unmet = [rule for rule in rules if rule.where == GIVEN and not any(rule.applies_to(*name) for name in names)]
    return judge(unmet, dict(enumerate(programs)), complete=True).problems


def _live(target: Any, rules: Sequence[Rule], request: Request) -> tuple[dict[str, ProgramTables], dict[str, str]]:
    """The programs of a target, and why one that nobody asked for could not be made."""
    captured = capture_request_here(request.platform, hlo="hlo" in levels_of(rules), details=needs_detail(rules))
    programs: dict[str, ProgramTables] = {}
    named = {rule.selector.program for rule in rules if rule.selector.program}
    attempts = prepare.Attempts(target, request.programs, needed=named)
    for program in attempts.names:
        with attempts.making(program):
            programs[program] = capture(target, program, captured).tables
    return programs, {f"{target.name} {program}": why for program, why in attempts.unavailable.items()}
