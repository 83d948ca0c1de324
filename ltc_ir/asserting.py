"""Assertions on a function's IR for any test runner: rules in one line, same as, fewer than, flat in a parameter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from typing import Any

from ltc_ir import api
from ltc_ir.compare.comparing import changes, compare
from ltc_ir.compare.judging import judge
from ltc_ir.compare.measuring import Measured, measure
from ltc_ir.compare.resolving import levels_of
from ltc_ir.compare.rules import Rule, parse_rule
from ltc_ir.errors import UsageError
from ltc_ir.guard.capturing import Asked, Captured, capture
from ltc_ir.records.check import CheckChange, ProgramCheck, Status
from ltc_ir.records.inventory import Inventory
from ltc_ir.records.vocabulary import Level, word

_FLAT_LEVELS = (Level.JAXPR, Level.STABLEHLO)
_MOST_LINES = 8
"""Lines of a text difference that a failure shows."""


class Inspection:
    """A function's IR, to be asked: ``inspect(f, (x,)).count("dot_general", phase="backward")``.

    Programs are traced when first asked for, optimised HLO is compiled when first asked for. A name is looked for at jaxpr,
    then at stablehlo, unless a level is given; it may bear a filter, as in rules (``"dot_general[int8,int8->int32]"``).
    """

    def __init__(self, target: Any, asked: Asked, level: str | None = None, clear: bool = False) -> None:
        self.target = target
        self.level = level
        self._asked = asked
        self._clear = clear
        self._taken: dict[tuple[str, bool], Captured] = {}

    @cached_property
    def name(self) -> str:
        """What messages call the function."""
        return str(self.target.name or "target")

    def captured(self, program: str, hlo: bool = False) -> Captured:
        """One program of the function, taken once; with optimised HLO where ``hlo``."""
        for key in ((program, True), (program, hlo)):
            if key in self._taken:
                return self._taken[key]
        asked = Asked(self._asked.platform, hlo, detailed=True)
        made = self._taken[program, hlo] = capture(self.target, program, asked, clear=self._clear)
        return made

    def inventory(self, program: str = "forward", *, hlo: bool = False) -> Inventory:
        """What one program holds, entry by entry."""
        return self.captured(program, hlo).inventory

    def count(
        self, name: str = "total", *, phase: str | None = None, level: str | None = None, program: str = "forward"
    ) -> int:
        """How many operations of that name there are, each once per call path; ``total`` is all of them.

        Raises:
            UsageError: no level knows the name and the program has it not.
        """
        return int(self._measured(name, phase, level, program).value)

    def bytes(self, name: str, *, phase: str | None = None, level: str | None = None, program: str = "forward") -> int:
        """The bytes of the results of the operations of that name, on one device; of ``constants`` those stored."""
        return int(self._measured(f"{name}.bytes", phase, level, program).value)

    def sources(
        self, name: str, *, phase: str | None = None, level: str | None = None, program: str = "forward"
    ) -> dict[str, int]:
        """The source lines that the operations of that name come from, each with how many, largest first."""
        found: dict[str, int] = {}
        for entry in self._measured(name, phase, level, program).entries:
            found[entry.source] = found.get(entry.source, 0) + entry.number
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def _measured(self, name: str, phase: str | None, level: str | None, program: str) -> Measured:
        text = f"{phase}.{name} = 0" if phase else f"{name} = 0"
        rule = parse_rule(text, where="inspect", level=level or self.level)
        return measure(rule.selector, self.inventory(program, hlo=Level.HLO in levels_of([rule])))


def inspect(
    fn: Any,
    args: tuple[Any, ...] | None = None,
    *,
    level: str | None = None,
    options: Any = None,
    platform: str | None = None,
    x64: bool | None = None,
) -> Inspection:
    """Look at the IR of a function with its arguments, of a Target or of a target by name.

    Args:
        fn: a function, a Target or a target's name.
        args: the example arguments of a function, arrays or ``jax.ShapeDtypeStruct``.
        level: where names are looked for; by default at jaxpr, then at stablehlo.
        options: what else is said about a target found by name.
        platform: what to lower for; this machine's where ``None``.
        x64: enable or disable 64-bit types while tracing.

    Raises:
        UsageError: bad input. TargetError: the function failed to trace or lower.
    """
    with api.configured(x64):
        made = Inspection(api.resolve(fn, args, options), Asked(platform or _here()), _level(level))
        made.inventory()
    return made


def _here() -> str:
    from ltc_ir.programs.stages import platform_here

    return platform_here()


def _level(level: str | None) -> str | None:
    return None if level is None else word(Level, level, "level").value


def assert_ir(
    fn: Any,
    args: tuple[Any, ...] | None = None,
    *rules: str,
    level: str | None = None,
    devices: int | None = None,
    same_as: Any = None,
    fewer_than: Any = None,
    options: Any = None,
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
        platform: what to lower for; this machine's where ``None``.
        x64: enable or disable 64-bit types while tracing.

    JAX's caches are used as they are; only where an assertion fails they are cleared and all is looked at again, before
    anything is said.

    Raises:
        AssertionError: a rule is broken; the message says which, by how much, in which phase and at which lines.
        UsageError: a rule that says nothing here: an unknown name, too few devices, a level that cannot show it.
        TargetError: the function failed to trace, lower or compile.
    """
    where = "assert_ir"
    parsed = [parse_rule(text, where=where, level=_level(level)) for text in rules]
    if not parsed and same_as is None and fewer_than is None:
        raise UsageError("assert_ir was given nothing to assert", 'give a rule, as in assert_ir(f, (x,), "while = 0")')
    with api.configured(x64):
        _check_devices(devices)
        failure: list[str] = []
        for clear in (False, True):
            subject = Inspection(api.resolve(fn, args, options), Asked(platform or _here()), _level(level), clear)
            failure = _failures(subject, parsed, devices)
            failure += _unlike(subject, same_as, args, options) if same_as is not None else []
            failure += _not_fewer(subject, fewer_than, args, options) if fewer_than is not None else []
            if not failure:
                return
    raise AssertionError("\n".join(failure))


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
    from ltc_ir.render.check_words import message

    if not rules:
        return []
    programs = dict.fromkeys(rule.selector.program or "forward" for rule in rules)
    hlo = Level.HLO in levels_of(rules)
    inventories = {program: subject.inventory(program, hlo=hlo) for program in programs}
    _check_span(inventories.values(), devices)
    judged = [rule if rule.selector.program else _of_forward(rule) for rule in rules]
    judgement = judge(judged, inventories, complete=True)
    for problem in judgement.problems:
        raise UsageError(problem.message, problem.hint)
    broken = {program: changes for program, changes in judgement.changes.items() if changes}
    checks = [ProgramCheck(subject.name, program, Status.MATCH, changes) for program, changes in broken.items()]
    return [line for check in checks for line in message(check)]


def _of_forward(rule: Rule) -> Rule:
    from dataclasses import replace

    return replace(rule, selector=replace(rule.selector, program="forward"))


def _check_span(inventories: Iterable[Inventory], devices: int | None) -> None:
    for inventory in inventories:
        if devices is not None and inventory.devices != devices:
            raise UsageError(
                f"{inventory.target} {inventory.program} spans {inventory.devices} devices, not {devices}",
                "give arguments that are sharded over them, or a function that shards",
            )


def _unlike(subject: Inspection, other: Any, args: Any, options: Any) -> list[str]:
    """How a program differs from another that it should be the same as; nothing where it does not."""
    from ltc_ir.compare.texts import unified

    level = subject.level or Level.STABLEHLO.value
    reference = _other(other, args, options)
    mine, theirs = (_text(target, level, subject) for target in (subject.target, reference))
    lines = unified(theirs, mine, level, reference.name or "same_as", subject.name).splitlines()
    if not lines:
        return []
    changed = [line for line in lines if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}]
    more = [f"  … and {len(changed) - _MOST_LINES} more lines"] if len(changed) > _MOST_LINES else []
    head = f"{subject.name} is not the same as {reference.name} at {level}: {len(changed)} lines differ"
    return [head, *(f"  {line[:110]}" for line in changed[:_MOST_LINES]), *more]


def _other(other: Any, args: Any, options: Any) -> Any:
    return api.resolve(other, args if callable(other) else None, options)


def _text(target: Any, level: str, subject: Inspection) -> str:
    from ltc_ir.programs.lowering import text_of

    staged = api.stage(target, "forward", subject._asked.platform, clear=subject._clear)
    text = text_of(staged, level).decode("utf-8", "replace")
    return "\n".join(line for line in text.splitlines() if not line.startswith(("module @", "HloModule ")))


def _not_fewer(subject: Inspection, other: Any, args: Any, options: Any) -> list[str]:
    """Why a program has not fewer operations than another; nothing where it has."""
    level = subject.level or Level.STABLEHLO.value
    reference = Inspection(_other(other, args, options), subject._asked, level, subject._clear)
    mine, theirs = subject.count(level=level), reference.count(level=level)
    if mine < theirs:
        return []
    head = f"{subject.name} has {mine:,} operations at {level}, {reference.name} {theirs:,}: not fewer"
    return [head, *_growth(reference.captured("forward"), subject.captured("forward"), {level})]


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
        platform: what to lower for; this machine's where ``None``.
        x64: enable or disable 64-bit types while tracing.

    Raises:
        AssertionError: the operations at jaxpr or stablehlo grow; the message shows the totals and what grew where.
        UsageError: fewer than two different numbers, or ``make`` gives something else. TargetError: a function failed.
    """
    numbers = list(dict.fromkeys(over))
    if len(numbers) < 2:
        raise UsageError(f"over={tuple(over)} is too little to see growth", "give at least two different numbers")
    with api.configured(x64):
        failure: list[str] = []
        for clear in (False, True):
            taken = [_made(make, number, platform, clear) for number in numbers]
            failure = _grown(numbers, taken)
            if not failure:
                return
    raise AssertionError("\n".join(failure))


def _made(make: Callable[[int], Any], number: int, platform: str | None, clear: bool) -> Captured:
    from ltc_ir.programs.target import Target

    made = make(number)
    if isinstance(made, tuple) and len(made) == 2 and callable(made[0]) and isinstance(made[1], tuple):
        made = api.resolve(*made)
    if not isinstance(made, Target):
        raise UsageError(
            f"make({number}) gave {type(made).__name__}, neither (fn, args) nor a Target", "return (fn, (x,))"
        )
    return capture(made, "forward", Asked(platform or _here()), clear=clear)


def _grown(numbers: Sequence[int], taken: Sequence[Captured]) -> list[str]:
    levels = [
        level
        for level in _FLAT_LEVELS
        if _totals(level, taken) and max(_totals(level, taken)) > _totals(level, taken)[0]
    ]
    if not levels:
        return []
    largest = max(taken, key=lambda one: max(one.inventory.levels[level].total for level in levels))
    shown = [
        f"  {level}: "
        + ", ".join(f"{total:,} at {number}" for number, total in zip(numbers, _totals(level, taken), strict=True))
        for level in levels
    ]
    name = taken[0].inventory.target
    return [f"{name} grows with the number it is made with", *shown, *_growth(taken[0], largest, set(levels))]


def _totals(level: Level, taken: Sequence[Captured]) -> list[int]:
    return [one.inventory.levels[level].total for one in taken]


def _growth(before: Captured, after: Captured, levels: set[Any]) -> list[str]:
    """What grew most from one program to another, and where it stands."""
    grown = [one for one in _changes(before, after) if one.level in levels and (one.change or 0) > 0]
    shown = grown[:3]
    return [f"  +{change.change:g} {change.metric}{_where(change)}" for change in shown]


def _changes(before: Captured, after: Captured) -> tuple[CheckChange, ...]:
    levels = after.inventory.levels
    found = [
        change
        for level in _FLAT_LEVELS
        for change in changes(
            compare(level, before.snapshot.levels[level], after.snapshot.levels[level]), levels[level]
        )
    ]
    return tuple(sorted(found, key=lambda change: -(change.change or 0)))


def _where(change: CheckChange) -> str:
    parts = [change.phase, f"in {change.function}" if change.function else None, ", ".join(change.sources)]
    found = [part for part in parts if part]
    return ", " + ", ".join(found) if found else ""
