"""Assertions on a function's IR for any test runner: rules in one line, same as, fewer than, flat in a parameter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ltc_ir.api.inspect import Inspection, level_of, request_here, target_of
from ltc_ir.compare.diff import compare_rows
from ltc_ir.errors import RuleWarning, UsageError
from ltc_ir.records.check import ProgramCheck, Status
from ltc_ir.records.op_table import ProgramTables, Table
from ltc_ir.records.request import Options, Request
from ltc_ir.records.vocabulary import NO_SOURCE, Level
from ltc_ir.rules.evaluate import judge
from ltc_ir.rules.grammar import Rule, parse_rule
from ltc_ir.rules.locate import place_of
from ltc_ir.rules.names import levels_of
from ltc_ir.snapshots.capture import capture
from ltc_ir.targets import prepare

_FLAT_LEVELS = (Level.JAXPR, Level.STABLEHLO)
_MOST = 12
"""Lines of a failure at most."""
_MOST_CHANGED = 8
"""Lines of a text difference that a failure shows."""
_WIDTH = 110


def assert_ir(
    fn: Any,
    args: tuple[Any, ...] | None = None,
    *rules: str,
    level: str | None = None,
    devices: int | None = None,
    same_as: Any = None,
    fewer_than: Any = None,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
) -> None:
    """Assert rules on a function's IR: ``assert_ir(f, (x,), "while = 0", "backward.dot_general <= 6")``.

    Args:
        fn: a function, a Target or a target's name.
        args: the example arguments of a function, arrays or ``jax.ShapeDtypeStruct``.
        rules: invariants in the rule language; of the forward program unless they name another.
        level: where rules without a level are judged, and the level ``same_as`` and ``fewer_than`` compare (stablehlo).
        devices: how many devices there must be and the program must span; none is created.
        same_as: a function of the same arguments whose program must be the same, names and locations apart.
        fewer_than: a function of the same arguments that must have more operations.
        options: what else is said about a target found by name.
        platform: what to lower for; the target's own, else this machine's, where ``None``.
        x64: enable or disable 64-bit types while tracing.

    JAX's caches are used as they are; only where an assertion fails they are cleared and all is looked at again, before
    anything is said.

    Raises:
        AssertionError: a rule is broken; the message says which, by how much, in which phase and at which lines.
        UsageError: a rule that says nothing here: an unknown name, too few devices, a level that cannot show it.
        TargetError: the function failed to trace, lower or compile.
    """
    __tracebackhide__ = True
    if isinstance(args, str):
        arguments = f'"{fn}", None' if isinstance(fn, str) else f"{getattr(fn, '__name__', 'f')}, (x,)"
        raise UsageError(f"args is the rule {args!r}", f'rules come third: assert_ir({arguments}, "{args}")')
    others = same_as, fewer_than
    own_options = None if any(isinstance(other, str) for other in others) and not isinstance(fn, str) else options
    parsed = [_rule(text, level) for text in rules]
    if not parsed and same_as is None and fewer_than is None:
        raise UsageError("assert_ir was given nothing to assert", 'give a rule, as in assert_ir(f, (x,), "while = 0")')

    def failure(clear: bool) -> list[str]:
        target = target_of(fn, args, own_options)
        subject = Inspection(target, request_here(options, platform, x64), level_of(level), clear)
        lines = _failures(subject, parsed, devices)
        lines += _unlike(subject, subject.beside(same_as)) if same_as is not None else []
        return lines + (_not_fewer(subject, subject.beside(fewer_than)) if fewer_than is not None else [])

    with prepare.configured(x64):
        _check_devices(devices)
        _assert_none(failure)


def _rule(text: Any, level: str | None) -> Rule:
    if not isinstance(text, str):
        raise UsageError(f"a rule is text, not {type(text).__name__}", 'write assert_ir(f, (x,), "while = 0")')
    return parse_rule(text, where="assert_ir", level=level_of(level))


def _assert_none(failure: Callable[[bool], list[str]]) -> None:
    """Raise what fails, but only where it does so from cleared caches too: what was traced before can colour a program."""
    __tracebackhide__ = True
    try:
        lines = failure(False)
    except UsageError:
        lines = [""]
    if not lines:
        return
    lines = failure(True)
    if len(lines) > _MOST:
        lines = [*lines[: _MOST - 1], f"  … and {len(lines) - _MOST + 1} more lines"]
    if lines:
        raise AssertionError("\n".join(lines))


def _check_devices(devices: int | None) -> None:
    if devices is None:
        return
    import jax

    if jax.device_count() < devices:
        raise UsageError(
            f"devices={devices} are asked for, and this process has {jax.device_count()}",
            f"for virtual ones set XLA_FLAGS=--xla_force_host_platform_device_count={devices} before JAX starts",
        )


def _failures(subject: Inspection, rules: Sequence[Rule], devices: int | None) -> list[str]:
    from ltc_ir.render.words.check import message

    if not rules and devices is None:
        return []
    programs = dict.fromkeys([rule.selector.program or "forward" for rule in rules] or ["forward"])
    hlo = Level.HLO in levels_of(rules)
    tables = {program: subject.inventory(program, hlo=hlo) for program in programs}
    _check_span(tables.values(), devices)
    judged = [rule if rule.selector.program else _of_forward(rule) for rule in rules]
    judgement = judge(judged, tables, complete=True)
    for problem in judgement.problems:
        raise UsageError(problem.message, problem.hint)
    for note in judgement.notes:
        warnings.warn(f"{note.message} ({note.hint})", RuleWarning, stacklevel=4)
    broken = {program: changes for program, changes in judgement.changes.items() if changes}
    checks = [ProgramCheck(subject.name, program, Status.MATCH, changes) for program, changes in broken.items()]
    return [line for check in checks for line in message(check)]


def _of_forward(rule: Rule) -> Rule:
    return replace(rule, selector=replace(rule.selector, program="forward"))


def _check_span(programs: Iterable[ProgramTables], devices: int | None) -> None:
    for tables in programs:
        if devices is not None and tables.devices != devices:
            raise UsageError(
                f"{tables.target} {tables.program} spans {_devices(tables.devices)}, not {devices}",
                "give arguments that are sharded over them, or a function that shards",
            )


def _devices(number: int) -> str:
    return f"{number} device" + "s" * (number != 1)


def _unlike(subject: Inspection, reference: Inspection) -> list[str]:
    """How a program differs from another that it should be the same as; nothing where it does not."""
    from ltc_ir.compare.text.canonical import anonymize, unified_diff

    level = subject.level or Level.STABLEHLO.value
    mine, theirs = (anonymize(inspection.text(level), level) for inspection in (subject, reference))
    lines = unified_diff(theirs, mine, level).splitlines()[2:]
    if not lines:
        return []
    changed = [line for line in lines if line[:1] in {"+", "-"}]
    more = [f"  … and {len(changed) - _MOST_CHANGED} more lines"] if len(changed) > _MOST_CHANGED else []
    differ = "1 line differs" if len(changed) == 1 else f"{len(changed)} lines differ"
    sides = f"- is {reference.name}, + is {subject.name}"
    head = f"{subject.name} is not the same as {reference.name} at {level}: {differ} ({sides})"
    return [head, *(f"  {line[:_WIDTH]}" for line in changed[:_MOST_CHANGED]), *more]


def _not_fewer(subject: Inspection, reference: Inspection) -> list[str]:
    """Why a program has not fewer operations than another; nothing where it has."""
    level = subject.level or Level.STABLEHLO.value
    after, before = (inspection.inventory(hlo=level == Level.HLO).levels[level] for inspection in (subject, reference))
    if after.total < before.total:
        return []
    head = f"{subject.name} has {after.total:,} operations at {level}, {reference.name} {before.total:,}: not fewer"
    return [head, *_growth(before, after)]


def assert_ir_flat(
    make: Callable[[int], Any],
    *,
    over: Collection[int],
    platform: str | None = None,
    x64: bool | None = None,
) -> None:
    """Assert that a program does not grow with a number: ``assert_ir_flat(lambda n: solve(n), over=(12, 60, 300))``.

    Args:
        make: makes of a number ``(fn, args)`` or a Target.
        over: at least two numbers; the program of the first is what the others are held against.
        platform: what to lower for; the target's own, else this machine's, where ``None``.
        x64: enable or disable 64-bit types while tracing.

    Raises:
        AssertionError: the operations at jaxpr or stablehlo grow; the message shows the totals and what grew where.
        UsageError: fewer than two different numbers, or ``make`` gives something else. TargetError: a function failed.
    """
    __tracebackhide__ = True
    numbers = _numbers(make, over)

    request = request_here(None, platform, x64)

    def failure(clear: bool) -> list[str]:
        return _grown({number: _made(make, number, request, clear) for number in numbers})

    with prepare.configured(x64):
        _assert_none(failure)


def _numbers(make: Any, over: Any) -> list[int]:
    """The numbers to try, ascending, so that the first is the smallest whatever the order they were given in."""
    if not callable(make):
        raise UsageError(f"make is of type {type(make).__name__}, not a function", "write lambda n: (solve(n), (x,))")
    if isinstance(over, str) or not isinstance(over, Iterable):
        raise UsageError(f"over={over!r} is no collection of numbers", "write over=(12, 60, 300)")
    numbers = list(over)
    if not all(isinstance(number, int | float) for number in numbers):
        raise UsageError(f"over={tuple(numbers)!r} holds what is no number", "write over=(12, 60, 300)")
    if len(set(numbers)) < 2:
        raise UsageError(f"over={tuple(numbers)} is too little to see growth", "give at least two different numbers")
    return sorted(set(numbers))


def _made(make: Callable[[int], Any], number: int, request: Request, clear: bool) -> ProgramTables:
    from ltc_ir.targets.target import Target

    subject = make(number)
    if (
        isinstance(subject, tuple)
        and len(subject) == 2
        and callable(subject[0])
        and isinstance(subject[1], tuple | list)
    ):
        subject = prepare.resolve(*subject)
    if not isinstance(subject, Target):
        raise UsageError(
            f"make({number}) gave {type(subject).__name__}, neither (fn, args) nor a Target", "return (fn, (x,))"
        )
    return capture(subject, "forward", request, clear=clear).tables


def _grown(inventories: Mapping[int, ProgramTables]) -> list[str]:
    """How a program grows with a number; nothing where it does not."""
    numbers = list(inventories)
    totals_by_level: list[str] = []
    grown: list[str] = []
    for level in _FLAT_LEVELS:
        at = {number: tables.levels[level] for number, tables in inventories.items()}
        largest = max(numbers, key=lambda number: at[number].total)
        if at[largest].total > at[numbers[0]].total:
            totals = ", ".join(f"{at[number].total:,} at {number}" for number in numbers)
            totals_by_level.append(f"  {level}: {totals}"[:_WIDTH])
            grown += _growth(at[numbers[0]], at[largest])
    if not totals_by_level:
        return []
    return [f"{inventories[numbers[0]].target} grows with the number it is made with", *totals_by_level, *grown]


def _growth(before: Table, after: Table) -> list[str]:
    """What grew most from one program to another, and at which lines."""
    growth = {
        (op.name, *block): move
        for op in compare_rows(before.weights, after.weights, {})
        for block, move in op.moves.items()
        if move > 0
    }
    lines = []
    for name, phase, function in sorted(growth, key=lambda key: (-growth[key], key))[:3]:
        rows = {row: number for row, number in after.weights.items() if row.name == name}
        within = [f"in {function}"] if function != NO_SOURCE else []
        places = [phase, *within, *place_of(rows, (phase, function)).sources]
        lines.append(f"  +{growth[name, phase, function]:,} {name}, {', '.join(places)}")
    return lines
