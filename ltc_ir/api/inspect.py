"""A function's IR to be asked from Python: `inspect`, and what it gives."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.op_table import ProgramTables
from ltc_ir.records.request import Options, Request
from ltc_ir.records.vocabulary import Level, word
from ltc_ir.rules.grammar import parse_rule
from ltc_ir.rules.names import levels_of
from ltc_ir.rules.value import Measured, measure
from ltc_ir.snapshots.capture import Captured, capture, capture_request_here
from ltc_ir.targets import prepare
from ltc_ir.targets.prepare import refuse_options


class Inspection:
    """A function's IR, to be asked: ``inspect(f, (x,)).count("dot_general", phase="backward")``.

    Programs are traced when first asked for, optimised HLO is compiled when first asked for. A name is looked for at jaxpr,
    then at stablehlo, unless a level is given; it may bear a filter, as in rules (``"dot_general[int8,int8->int32]"``).
    """

    def __init__(self, target: Any, request: Request, level: str | None = None, clear: bool = True):
        self.target = target
        self.level = level
        self._request = request
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
        levels = tuple(level for level in Level if level is not Level.HLO or hlo)
        request = replace(self._request, levels=levels, details=True)
        with prepare.configured(request.x64):
            captured = self._taken[program, hlo] = capture(self.target, program, request, clear=self._clear)
        return captured

    def text(self, level: str) -> str:
        """The forward program's IR as text, the values of its constants included."""
        from ltc_ir.targets.lowering import whole_text

        platform = self._request.platform_for(self.target.platform)
        with prepare.configured(self._request.x64):
            return whole_text(prepare.stage(self.target, "forward", platform, clear=self._clear), level)

    def beside(self, other: Any) -> Inspection:
        """Another function in place of this one, on the same arguments; or another target as it is."""
        own = self.target
        if callable(other):
            name = getattr(other, "__name__", type(other).__name__)
            target = replace(own, fn=other, name=name, programs={})
        else:
            target = prepare.resolve(other, None, self._request.options)
        return Inspection(target, self._request, self.level, self._clear)

    def inventory(self, program: str = "forward", *, hlo: bool = False) -> ProgramTables:
        """The tables of one program."""
        return self.captured(program, hlo).tables

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
        lines: dict[str, int] = {}
        for row, number in self._measured(name, phase, level, program).rows.items():
            lines[row.source] = lines.get(row.source, 0) + number
        return dict(sorted(lines.items(), key=lambda item: (-item[1], item[0])))

    def _measured(self, name: str, phase: str | None, level: str | None, program: str) -> Measured:
        before = max(name.partition("[")[0].rfind(sign) for sign in ":/") + 1
        text = f"{name[:before]}{phase}.{name[before:]}" if phase else name
        rule = parse_rule(f"{text} = 0", where="inspect", level=level_of(level) or self.level)
        hlo = Level.HLO in levels_of([rule])
        return measure(rule.selector, self.inventory(rule.selector.program or program, hlo=hlo))


def inspect(
    fn: Any,
    args: tuple[Any, ...] | None = None,
    *,
    level: str | None = None,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
) -> Inspection:
    """Look at the IR of a function with its arguments, of a Target or of a target by name.

    Args:
        fn: a function, a Target or a target's name.
        args: the example arguments of a function, arrays or ``jax.ShapeDtypeStruct``.
        level: where names are looked for; by default at jaxpr, then at stablehlo.
        options: what else is said about a target found by name.
        platform: what to lower for; the target's own, else this machine's, where ``None``.
        x64: enable or disable 64-bit types while tracing.

    Each program is traced from cleared caches, as when counting, so that no figure and no source line depends on the past.

    Raises:
        UsageError: bad input. TargetError: the function failed to trace or lower.
    """
    with prepare.configured(x64):
        inspection = Inspection(target_of(fn, args, options), request_here(options, platform, x64), level_of(level))
        inspection.inventory()
    return inspection


def request_here(options: Options | None, platform: str | None, x64: bool | None) -> Request:
    """What an assertion asks of a function, on this machine's platform unless another is named."""
    return replace(capture_request_here(platform), options=options, x64=x64)


def target_of(fn: Any, args: Any, options: Any) -> Any:
    """The Target that a caller means; arguments stand beside a function only, options beside a name."""
    refuse_options(fn, options)
    if args and not callable(fn):
        raise UsageError("arguments are given beside a target that has its own", "leave them out: write None for them")
    return prepare.resolve(fn, args, options)


def level_of(level: str | None) -> str | None:
    """A level's name, refused where there is no such level."""
    return None if level is None else word(Level, level, "level").value
