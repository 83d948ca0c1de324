"""The rule language: one line that bounds one figure of a program, the same in pyproject, on the command line and in Python."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ltc_ir.errors import UsageError
from ltc_ir.records.element_types import is_of_type, looks_like_type, near_type, parse_element_type
from ltc_ir.records.figures import FIGURES, figure_of, takes_steps
from ltc_ir.records.op_table import Row
from ltc_ir.records.vocabulary import COLLECTIVES, Level, Phase, meant

Kind = Literal["invariant", "step"]

Complete = bool | Collection[str]
"""Whether all existing programs were read, or the targets whose programs all were."""

COUNTED: Mapping[str, tuple[str, ...]] = {"total": ("jaxpr", "stablehlo", "hlo"), "collectives": ("hlo",)}
"""Figures that count operations, so that they have phases, filters and bytes; each with the levels that have it."""
_PHASES = tuple(phase.value for phase in Phase if phase is not Phase.SHARED)
_DIALECTS = frozenset({"stablehlo", "chlo", "mhlo", "func", "builtin", "sdy", "shape", "arith", "tensor"})
_UNITS = {"B": 1} | {f"{unit}B": 1000**n for n, unit in enumerate("kMGT", 1)}
_UNITS |= {f"{unit}iB": 1024**n for n, unit in enumerate("KMGT", 1)}

_RULE = re.compile(
    r"(?P<head>[^\[\]=!<>+]*)(?:\[(?P<filter>.*)\](?P<tail>[^\]=!<>+]*))?(?P<op>[=!<>+]+)(?P<value>.*)", re.S
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", re.ASCII)
_INTEGER = re.compile(r"\d+(?:_\d+)*", re.ASCII)
_NUMBER = re.compile(r"\d+(?:_\d+)*(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_NAME = re.compile(r"[\w$]+(?:\.[\w$]+)*", re.ASCII)
_LONGEST = 24
_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_BOUND = "write an absolute bound, or record a snapshot: ltc-ir snapshot update"
_SHAPE = (
    "write [level:][program/][phase.]name[[filter]][.bytes] OP value, e.g. 'backward.dot_general <= 6' or 'total +5%'"
)


TARGETS = frozenset({"target", "kernel_name"})
"""Attributes that name what a custom call calls."""
_NAMES = TARGETS | {"name"}
"""Those, and the name that a kernel or an inner jit was given."""


@dataclass(frozen=True)
class Filter:
    """Which of the operations of a name are meant, e.g. ``Filter("f32->f64", operands=("f32",), results=("f64",))``.

    ``some`` is a type that any result has; ``attributes`` are names with values; ``kernel`` a custom call's target.
    ``literal`` says that the name, or the value, stands in quotes: it is meant as written, whatever it is like.
    """

    text: str
    some: str | None = None
    operands: tuple[str, ...] | None = None
    results: tuple[str, ...] | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    kernel: str | None = None
    literal: bool = False

    @property
    def needs_types(self) -> bool:
        """Whether it asks for the types of results or operands."""
        return self.kernel is None and not self.attributes

    @property
    def needs_detail(self) -> bool:
        """Whether it asks for what only detailed rows have."""
        return self.operands is not None or bool(self.attributes) or self.kernel is not None

    def admits(self, row: Row) -> bool:
        """Whether the operations of a row are meant."""
        if self.kernel is not None:
            return any(name in _NAMES and value == self.kernel for name, value in row.attributes)
        if self.attributes:
            attributes = {(name, plain_value(value)) for name, value in row.attributes}
            return all(pair in attributes for pair in self.attributes)
        if self.some is not None:
            return any(is_of_type(result, self.some) for result in row.results)
        return _have_types(row.operands, self.operands) and _have_types(row.results, self.results)


def plain_value(text: str) -> str:
    """An attribute's value as it is compared: without quotes and MLIR's type behind it, truth in one spelling."""
    bare = re.sub(r"\s+:\s+\w+$", "", text.strip()).strip("\"'")
    return bare.lower() if bare.lower() in {"true", "false"} else bare


def names_of(row: Row) -> list[str]:
    """The names that these operations bear and a filter could ask for."""
    return [value for name, value in row.attributes if name in _NAMES]


def calls(row: Row, kernel: str) -> bool:
    """Whether these operations are calls of that kernel, ``-`` as ``_``."""
    return any(name in TARGETS and value.replace("-", "_") == kernel for name, value in row.attributes)


@dataclass(frozen=True)
class Selector:
    """Which figure of a program is meant, e.g. ``Selector("dot_general", phase="backward")``.

    ``level`` and ``program`` are ``None`` where the rule names none. ``name`` has no dialect, and ``_`` for ``-``.
    ``bytes`` asks for the bytes of the results instead of their number.
    """

    name: str
    level: str | None = None
    program: str | None = None
    phase: str | None = None
    filter: Filter | None = None
    bytes: bool = False

    @property
    def label(self) -> str:
        """The figure as a rule names it, without level, program and phase."""
        return self.name + (f"[{self.filter.text}]" if self.filter else "") + (".bytes" if self.bytes else "")

    @property
    def is_metric(self) -> bool:
        """Whether it is a figure and no operation's name."""
        return bool(levels_of_figure(self.name))


@dataclass(frozen=True)
class Rule:
    """A bound on one figure: an invariant (absolute), or a step (relative to the stored snapshot).

    ``op`` is one of ``= != <= >= < >``, or ``+`` for a step. ``text`` and ``where`` are as written; ``targets`` are those
    it applies to, all where it is empty.
    """

    text: str
    where: str
    selector: Selector
    op: str
    value: float
    kind: Kind = "invariant"
    percent: bool = False
    targets: tuple[str, ...] = ()

    def applies_to(self, target: str, program: str) -> bool:
        """Whether the rule is judged for that program."""
        return (not self.targets or target in self.targets) and self.selector.program in {None, program}

    @property
    def is_relative(self) -> bool:
        """Whether it bounds a figure that only a comparison has."""
        figure = FIGURES.get(self.selector.name)
        return figure is not None and figure.relative

    @property
    def falls(self) -> bool:
        """Whether less of its figure is growth."""
        figure = FIGURES.get(self.selector.name)
        return figure is not None and figure.falls

    @property
    def bounds_above(self) -> bool:
        """Whether finding more could break it."""
        return self.op not in {">=", ">"}


def levels_of_figure(name: str) -> tuple[str, ...]:
    """The levels that have a figure, the first meant where a rule names none; none where the name is an operation's."""
    if name in COUNTED:
        return COUNTED[name]
    figure = figure_of(name)
    return figure.levels if figure is not None and figure.bounded and figure.name != f"{name}.*" else ()


def holds(rule: Rule, value: float, baseline: float | None = None) -> bool:
    """Whether a figure satisfies a rule; a step is relative to ``baseline``, and says by how much it may become worse.

    A percentage of a baseline of 0 permits nothing: all growth is new.

    Raises:
        UsageError: a step without a baseline.
    """
    if rule.kind == "invariant":
        return _HOLDS[rule.op](value, rule.value)
    if baseline is None:
        raise UsageError(f"{rule.where}: rule {rule.text!r} is a step, and there is no snapshot to step from", _BOUND)
    growth = baseline - value if rule.falls else value - baseline
    if not rule.percent:
        return growth <= rule.value
    return growth <= 0 or (baseline > 0 and Fraction(growth) * 100 <= Fraction(str(rule.value)) * Fraction(baseline))


def covers(complete: Complete, targets: Collection[str]) -> bool:
    """Whether all programs of these targets were read; of every target where none is named."""
    if isinstance(complete, bool):
        return complete
    return bool(targets) and set(targets) <= set(complete)


class _WrongError(Exception):
    """What is wrong with a rule, and how it is written instead."""

    def __init__(self, what: str, hint: str = _SHAPE) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def parse_rule(text: str, *, where: str = "--rule", level: str | None = None, targets: Sequence[str] = ()) -> Rule:
    """The rule of one line.

    Args:
        text: e.g. ``"grad/backward.dot_general <= 6"``.
        where: where it is written, for messages.
        level: the level it is judged at where it names none.
        targets: the targets it applies to; all where there are none.

    Raises:
        UsageError: it is no rule, or asks for what no level could tell.
    """
    try:
        return _parse(text, where, level, tuple(targets))
    except _WrongError as wrong:
        raise UsageError(f"{where}: rule {' '.join(text.split())!r} {wrong.what}", wrong.hint) from None


def _parse(text: str, where: str, level: str | None, targets: tuple[str, ...]) -> Rule:
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise _WrongError("has no operator")
    written, step = match["op"], match["op"] == "+"
    op = "=" if written == "==" else written
    if not step and op not in _HOLDS:
        raise _WrongError(f"has the unknown operator {written!r}", f"operators are {', '.join(sorted(_HOLDS))} and +")
    selector = _selector(match["head"].strip(), match["filter"], (match["tail"] or "").strip(), level)
    value, percent = _value(match["value"].strip(), selector, step)
    if step:
        _check_step(selector)
    if op == ">=" and not value:
        raise _WrongError("cannot be broken: no figure is less than 0", "demand at least 1, or leave the rule out")
    kind: Kind = "step" if step else "invariant"
    rule = Rule(" ".join(text.split()), where, selector, op, value, kind, percent, targets)
    if rule.is_relative and not step:
        what = f"bounds {selector.name}, which is how many became wider than in the snapshot"
        raise _WrongError(what, f"write a step: {selector.name} +0")
    return rule


def _selector(head: str, inner: str | None, tail: str, default: str | None) -> Selector:
    if tail not in {"", ".bytes"}:
        raise _WrongError(f"has {tail!r} behind its filter", "only .bytes may stand there")
    front, colon, rest = head.rpartition(":")
    program, slash, rest = rest.rpartition("/")
    level = _level(front.strip()) if colon else default
    if slash and not _NAME.fullmatch(program.strip()):
        raise _WrongError(
            f"has {program.strip()!r} where a program belongs", "programs are forward, loss, grad, train_step"
        )
    phase, name, sized = _dotted(rest.strip().replace("-", "_"), inner is not None)
    selector = Selector(
        name, level, program.strip() or None, phase, _filter(inner), sized or tail == ".bytes"
    )  # fmt: skip
    _check_metric(selector)
    if name == "collectives" and selector.filter is not None and selector.filter.kernel is not None:
        kind = selector.filter.kernel
        near = meant(kind, COLLECTIVES).removeprefix("did you mean ").removesuffix("? ") or kind
        raise _WrongError(f"names {kind!r}: collectives bear no names", f"write hlo:{near.replace('-', '_')}")
    return selector


def _level(text: str) -> str:
    if text not in set(Level):
        raise _WrongError(f"has the unknown level {text!r}", f"{meant(text, Level)}levels are {', '.join(Level)}")
    return text


def _filter(inner: str | None) -> Filter | None:
    if inner is None:
        return None
    try:
        return parse_filter(inner)
    except ValueError as error:
        raise _WrongError(*error.args) from None


def _dotted(text: str, filtered: bool) -> tuple[str | None, str, bool]:
    """Phase, name and whether bytes are meant, of ``backward.all_reduce.bytes``."""
    if not _NAME.fullmatch(text):
        raise _WrongError(f"has {text!r} where a name belongs" if text else "has no name")
    first, dot, rest = text.partition(".")
    phase, name = (first, rest) if dot and first in _PHASES else (None, text)
    if levels_of_figure(name):
        return phase, name, False
    sized = not filtered and name.endswith(".bytes")
    name = name.removesuffix(".bytes") if sized else name
    if "." in name:
        raise _wrong_dots(name)
    return phase, name, sized


def _wrong_dots(name: str) -> _WrongError:
    first, _, rest = name.partition(".")
    if first in _DIALECTS:
        return _WrongError(f"names {name!r} with its dialect", f"names stand without dialect: write stablehlo:{rest}")
    if first in {"constants", "collectives", "memory"}:
        return _WrongError(
            f"has the unknown figure {name!r}",
            f"{meant(name, _figure_names())}figures are {', '.join(_figure_names())}, memory.temporary_bytes",
        )
    return _WrongError(f"has the unknown phase {first!r}", f"{meant(first, _PHASES)}phases are {', '.join(_PHASES)}")


def _figure_names() -> list[str]:
    """The figures that a rule can bound, families apart."""
    return sorted([*COUNTED, *(name for name, figure in FIGURES.items() if figure.bounded and not name.endswith(".*"))])


def _check_metric(selector: Selector) -> None:
    """Refuse what no level could tell of a figure."""
    name, having = selector.name, levels_of_figure(selector.name)
    if not having:
        return
    if selector.level is not None and selector.level not in having:
        if name == "collectives":
            what = (
                f"cannot be judged at {selector.level}: collectives of automatic sharding exist only in optimised HLO"
            )
            raise _WrongError(what, "write hlo:collectives")
        raise _WrongError(f"asks for {name} at {selector.level}, which does not have it", f"write {having[0]}:{name}")
    if name not in COUNTED and (selector.phase or selector.filter or selector.bytes):
        raise _WrongError(f"asks for a part of {name}, which is one figure", f"write {name} alone")


def _check_step(selector: Selector) -> None:
    """Refuse a step in what a snapshot does not keep."""
    instead = "write an absolute bound, such as <= 10"
    if "hlo" in {selector.level, *levels_of_figure(selector.name)[:1]}:
        raise _WrongError("is a step at hlo, which a snapshot does not hold", instead)
    if (
        selector.filter
        or selector.bytes
        or (selector.is_metric and selector.name != "total" and not takes_steps(selector.name))
    ):
        raise _WrongError(f"is a step in {selector.label}, which a snapshot does not keep", instead)


def _value(text: str, selector: Selector, step: bool) -> tuple[float, bool]:
    """The bound, and whether it is a percentage."""
    if len(text) > _LONGEST:
        raise _WrongError("has a value that is too long", "a bound has at most 15 digits")
    if text.endswith("%"):
        number = text[:-1].strip()
        if not step or not _NUMBER.fullmatch(number):
            raise _WrongError(f"has the percentage {text!r}", "a percentage is a step: write total +5%")
        return _number(number), True
    size = _SIZE.fullmatch(text)
    if size and not _NUMBER.fullmatch(text):
        return _size(size, selector), False
    if _INTEGER.fullmatch(text):
        return int(text), False
    if _NUMBER.fullmatch(text) and selector.name in {"flops", "bytes_accessed"}:
        return _number(text), False
    if not text:
        raise _WrongError("has no value")
    raise _WrongError(f"has the value {text!r}", "write a whole number, 1_000, a size such as 1MiB, or for a step +5%")


def _number(text: str) -> float:
    value = float(text.replace("_", ""))
    if not math.isfinite(value):
        raise _WrongError(f"has the value {text!r}, which is no number", "a bound is finite")
    return int(value) if value == int(value) else value


def _size(match: re.Match[str], selector: Selector) -> float:
    number, unit = match.groups()
    if unit not in _UNITS:
        raise _WrongError(f"has the unknown unit {unit!r}", f"units are {', '.join(_UNITS)}")
    if not (selector.bytes or selector.name.endswith("bytes") or selector.name == "bytes_accessed"):
        raise _WrongError(f"bounds {selector.label} by a size", f"write {selector.label}.bytes, or a number")
    return _number(str(float(number) * _UNITS[unit]))


def parse_filter(text: str) -> Filter:
    """The filter between the brackets of a rule.

    Raises:
        ValueError: it is not a filter; its arguments are what is wrong with it, and a hint.
    """
    inner = text.strip()
    if not inner:
        raise ValueError("has nothing in its brackets", _FILTERS)
    if _is_quoted(inner):
        return Filter(inner, kernel=inner[1:-1], literal=True)
    if "=" in inner:
        literal = any(_is_quoted(part.partition("=")[2].strip()) for part in inner.split(","))
        return Filter(inner, attributes=tuple(_attribute(part) for part in inner.split(",")), literal=literal)
    if "->" in inner:
        before, _, after = inner.partition("->")
        operands, results = _types(before), _types(after)
        if not operands and not results:
            raise ValueError("names no type beside its arrow", _FILTERS)
        return Filter(inner, operands=operands or None, results=results or None)
    if "," in inner:
        return Filter(inner, operands=_types(inner))
    element_type = parse_element_type(inner)
    if element_type is not None:
        return Filter(inner, some=element_type)
    if looks_like_type(inner):
        raise _no_type(inner, f', or ["{inner}"] if it is a name' if "[" not in inner else "")
    return Filter(inner, kernel=inner)


_FILTERS = "write types a,b->c, attribute=value, or a kernel's name"
_TYPES = "bool, int8, uint8, float32, bf16, c64, key<fry> and the like, or float, int, uint, complex"


def _is_quoted(text: str) -> bool:
    return len(text) > 2 and text[0] == text[-1] and text[0] in "\"'"


def _no_type(word: str, more: str = "") -> ValueError:
    near = near_type(word)
    first = f"did you mean {near}? " if near else ""
    shape = "a filter takes element types and no shapes; " if "[" in word else ""
    return ValueError(f"has a filter in which {word!r} is no type", f"{first}{shape}types are {_TYPES}{more}")


def _types(text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    types = []
    for word in re.sub(r"(\[[^\]]*\]?)", lambda shape: shape[1].replace(",", ";"), text).split(","):
        spelled = parse_element_type(word)
        if spelled is None:
            raise _no_type(word.strip().replace(";", ","))
        types.append(spelled)
    return tuple(types)


def _attribute(part: str) -> tuple[str, str]:
    name, equals, value = (piece.strip() for piece in part.partition("="))
    if not (name and equals and value):
        raise ValueError(f"has {part.strip()!r} where an attribute and its value belong", _FILTERS)
    return name, plain_value(value)


def _have_types(types: tuple[str, ...], wanted: tuple[str, ...] | None) -> bool:
    if wanted is None:
        return True
    return len(types) == len(wanted) and all(map(is_of_type, types, wanted))
