"""What a filter that admits nothing says: a word that is nearly one of the program's is an error, any other a note.

A rule whose filter is misspelt would hold whatever the program becomes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from ltc_ir.errors import UsageError
from ltc_ir.records.op_table import ProgramTables, Row
from ltc_ir.records.vocabulary import Level
from ltc_ir.rules.grammar import Filter, Rule, Selector, names_of, plain_value
from ltc_ir.rules.names import Meaning, plain_name, selects
from ltc_ir.rules.nearness import nearest

_MOST = 4
"""Words that a note lists."""
_LONGEST = 48
_NUMBER = re.compile(r"[-+]?\d[\d_.]*(?:[eE][-+]?\d+)?", re.ASCII)
_TRUTH = frozenset({"true", "false"})
_OF_ANY_NUMBER = frozenset({
    "total", "collectives", "concatenate", "tuple", "scan", "while", "case", "cond", "if", "sort", "reduce", "reduce_window",
    "call", "custom_call", "ffi_call", "pallas_call", "composite", "return", "fusion", "all_reduce", "all_gather", "all_to_all",
    "reduce_scatter", "psum", "pmax", "pmin", "optimization_barrier", "map", "select_and_scatter", "dynamic_slice",
    "dynamic_update_slice", "scatter", "rng_bit_generator", "jit", "pjit", "closed_call", "core_call", "remat", "checkpoint",
    "custom_jvp_call", "custom_vjp_call", "shard_map", "conditional", "func", "module", "iota", "parameter", "infeed",
    "outfeed", "send", "recv", "gather", "pad", "clamp", "custom_lin", "run_state", "linear_solve", "custom_linear_solve",
})  # fmt: skip
"""Operations that take, or give, as many values as they like."""


class Unmet(NamedTuple):
    """That a filter admits nothing: in words, and the hint of what it may have meant, where something is near.

    ``certain`` says that its words stand in quotes, and so are meant as written.
    """

    words: str
    meant: str | None = None
    certain: bool = False


def unmet_filter(rule: Rule, meaning: Meaning, among: Collection[ProgramTables]) -> Unmet | None:
    """What is to be said of a rule's filter; ``None`` where it admits something, or asks for a type that nothing has.

    Args:
        rule: the rule.
        meaning: what its name means.
        among: the programs in which its words are looked for.

    Raises:
        UsageError: it could admit nothing, whatever the program becomes.
    """
    wanted = rule.selector.filter
    if wanted is None:
        return None
    everything = Selector(rule.selector.name)
    rows = [row for row in _rows(meaning.level, among) if selects(everything, meaning, row)]
    if any(wanted.admits(row) for row in rows):
        return None
    if not rows:
        return None if wanted.needs_types else _unmet_operation(rule.selector.name, wanted, among)
    if wanted.kernel is not None:
        return _unmet_name(rule, wanted, wanted.kernel, rows, among)
    if wanted.attributes:
        return _unmet_values(rule, wanted, rows, among)
    _check_number(rule.selector.name, wanted, rows)
    return None


def _unmet_operation(label: str, wanted: Filter, among: Collection[ProgramTables]) -> Unmet:
    """What is said where there is no such operation: a name may be borne by another, or at another level."""
    words = f"there is no {label} in {_named(among)}, so [{wanted.text}] met nothing"
    bearers = {
        f"{level}:{plain_name(level, row.name)}"
        for level in Level
        for row in _rows(level, among)
        if wanted.kernel in names_of(row)
    }
    return Unmet(
        f"{words}; {', '.join(sorted(bearers)[:_MOST])} is called so" if bearers else words, certain=wanted.literal
    )


def _rows(level: str, among: Iterable[ProgramTables]) -> Iterable[Row]:
    return (row for tables in among if level in tables.levels for row in tables.levels[level].weights)


def _unmet_name(
    rule: Rule, wanted: Filter, name: str, rows: Collection[Row], among: Collection[ProgramTables]
) -> Unmet:
    names = {own for row in rows for own in names_of(row)}
    label = rule.selector.name
    if not names:
        raise UsageError(
            f"{name!r} is no type, and no {label} of {_named(among)} bears a name",
            "types are bool, int8, uint8, float32, bf16, c64, key<fry> and the like, or float, int, uint, complex",
        )
    words = f"no {label} of {_named(among)} is called {name}; there {_listed(names)}"
    return Unmet(words, None if wanted.literal else _meant(name, names, f'["{name}"]'), wanted.literal)


def _unmet_values(rule: Rule, wanted: Filter, rows: Collection[Row], among: Collection[ProgramTables]) -> Unmet | None:
    """What is said of attributes that no operation has, or has with no such value."""
    label = rule.selector.name
    values: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.attributes:
            values.setdefault(key, set()).add(plain_value(value))
    for key, value in wanted.attributes:
        if key not in values:
            near = nearest(key, values)
            having = f"attributes are {', '.join(sorted(values))}" if values else "it has none"
            hint = f"did you mean {near}? {having}" if near else having
            raise UsageError(f"no {label} of {_named(among)} has an attribute {key!r}", hint)
        if value not in values[key]:
            return _unmet_value(f"no {label} of {_named(among)}", key, value, values[key], wanted.literal)
    return None  # each is there, though not together: that was looked at


def _unmet_value(none: str, key: str, value: str, values: Collection[str], literal: bool) -> Unmet:
    for kind, belongs in (("true or false", _TRUTH.__contains__), ("a number", _NUMBER.fullmatch)):
        if all(map(belongs, values)) and not belongs(value):
            raise UsageError(f"{none} has {key}={value}: it is {kind}", f"there {_listed(values)}")
    words = f"{none} has {key}={value}; there {_listed(values)}"
    if literal or _NUMBER.fullmatch(value) or value in _TRUTH:
        return Unmet(words, certain=literal)
    return Unmet(words, _meant(value, values, f'{key}="{value}"'))


def _meant(word: str, names: Collection[str], quoted: str) -> str | None:
    near = nearest(word, names)
    return f"did you mean {_cut(near)}? if it is meant as written, write {quoted}" if near else None


def _check_number(name: str, wanted: Filter, rows: Collection[Row]) -> None:
    """Refuse more or fewer types than an operation of a fixed number of operands, or results, has."""
    if name in _OF_ANY_NUMBER:
        return
    for what, types in (("operand", wanted.operands), ("result", wanted.results)):
        numbers = {len(row.operands if what == "operand" else row.results) for row in rows}
        if types is not None and len(numbers) == 1 and len(types) not in numbers:
            having = numbers.pop()
            raise UsageError(
                f"[{wanted.text}] names {_counted(len(types), what)}, and a {name} has {having}",
                "write the type of each, or of any result alone, as in [f32]",
            )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _named(among: Collection[ProgramTables]) -> str:
    names = sorted({f"{tables.target} {tables.program}" for tables in among})
    if len(names) == 1:
        return names[0]
    targets = sorted({tables.target for tables in among})
    return targets[0] if len(targets) == 1 else f"{len(names)} programs"


def _listed(words: Collection[str]) -> str:
    ordered = sorted(words)
    more = f" and {len(ordered) - _MOST} more" if len(ordered) > _MOST else ""
    return f"{'is' if len(ordered) == 1 else 'are'} {', '.join(map(_cut, ordered[:_MOST]))}{more}"


def _cut(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[:_LONGEST]}…"
