"""IR texts in canonical form, anonymous where needed, and the unified diff of two of them.

The diff normalises what a printer chose (SSA names, symbol numbers, variable letters, locations, metadata, wrapping) and
counts nothing. Lines that are equal but for names match when their names correspond, so that one inserted operation is one
inserted line, although everything after it was renumbered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from ltc_ir.compare.text.align import Pairs, align
from ltc_ir.compare.text.lexers import Lexed, lex_hlo, lex_jaxpr, lex_stablehlo
from ltc_ir.errors import UsageError
from ltc_ir.escape import escape, escape_lines

_LEXERS: Mapping[str, Callable[[str], Lexed]] = {"jaxpr": lex_jaxpr, "stablehlo": lex_stablehlo, "hlo": lex_hlo}

_NAME = r"[\w.$\-]+"
_FUNCTION = re.compile(rf"^ *func\.func private @(?P<name>{_NAME})(?P<kind>)", re.M)
_RESULT = re.compile(r' \{jax\.result_info = "[^"]*"\}|(?<=[{ ])jax\.result_info = "[^"]*"(?:, )?')
_PARAMETER = re.compile(r"(?<=[( ])[A-Za-z_][\w.\-]*(?=: )")
_COMPUTATION = re.compile(rf"^(?:ENTRY )?%(?P<name>{_NAME}) \((?P<kind>)", re.M)
_INSTRUCTION = re.compile(rf"^ +(?:ROOT )?%(?P<name>{_NAME}) = .*?(?P<kind>[a-z][\w\-]*)\(", re.M)
_NAMED = re.compile(r"\bname=[^\s\]]+")

Edit = tuple[str, str]
"""A sign (space, ``-``, ``+``) and a line."""


def canonical_lines(text: str, level: str) -> list[str]:
    """The lines of an IR text in canonical form: equal for two printings of the same program.

    StableHLO: values are numbered within their function, functions by base name in order of first use and put in that order;
    locations are gone. HLO: instructions and computations are numbered by base name; metadata and header tables are gone.
    Jaxpr: one equation a line, variables lettered afresh in each nested jaxpr. The numbers of process-bound ids (callbacks,
    object addresses) are gone.

    Args:
        text: as JAX or XLA prints it, with or without debug info.
        level: ``jaxpr``, ``stablehlo`` or ``hlo``.

    Raises:
        UsageError: an unknown level.
    """
    return _lexed(text, level).lines()


def unified_diff(  # noqa: PLR0917 - the two names and the context read like those of difflib
    a: str, b: str, level: str, name_a: str = "baseline", name_b: str = "current", context: int = 3
) -> str:
    """A unified diff of two IR texts in canonical form; empty where they are the same program.

    Names of ``b`` that correspond to one of ``a`` are printed as in ``a``, others with a prime
    (``%7'``; functions only where the name is taken). Stretches too
    different to be aligned in about a second are shown as replaced; difflib would be quadratic there, and worse on IR, whose
    lines repeat.

    Raises:
        UsageError: an unknown level.
    """
    left, right = _lexed(a, level), _lexed(b, level)
    if left.shapes == right.shapes and left.lines() == right.lines():
        return ""
    edits = _edits(left, right)
    if all(sign == " " for sign, _ in edits):
        edits = _plain_edits(left.lines(), right.lines())
    head = [f"--- {escape(name_a)}", f"+++ {escape(name_b)}"]
    return escape_lines("".join(f"{line}\n" for line in [*head, *_hunks(edits, context)]))


def anonymize(text: str, level: str) -> str:
    """A text without the names that Python lent it (modules, functions, parameters, results), still readable by the lexers.

    Two programs that differ in nothing else are then the same text.
    """
    lines = [line for line in text.splitlines() if not line.startswith(("module @", "HloModule "))]
    text = "\n".join(lines)
    if level == "jaxpr":
        return _NAMED.sub("name=…", text)
    if level == "stablehlo":
        return _rename_symbols(_RESULT.sub("", text), _FUNCTION, "@", "function")
    text = _rename_symbols(_PARAMETER.sub("p", text), _COMPUTATION, "%", "computation")
    return _rename_symbols(text, _INSTRUCTION, "%", "")


def _lexed(text: str, level: str) -> Lexed:
    if level not in _LEXERS:
        raise UsageError(f"unknown level {level!r}", f"levels are {', '.join(_LEXERS)}")
    return _LEXERS[level](text)


def _edits(left: Lexed, right: Lexed) -> list[Edit]:
    """Align shapes, let names correspond along them, and keep as equal only lines whose names do."""
    pairs = align(*_numbered(left.shapes, right.shapes))
    theirs = _corresponding(left, right, pairs)
    kept = [
        (i, j) for i, j in pairs if all(theirs.get(y) == x for x, y in zip(left.names[i], right.names[j], strict=True))
    ]
    return list(_merged(left.lines(), right.lines(_words_as_in_left(left, right, theirs)), kept))


def _words_as_in_left(left: Lexed, right: Lexed, theirs: Mapping[int, int]) -> list[str]:
    """What to print for the right's names: the left's where they correspond; a prime where one would pass for another."""
    taken = set(zip(left.bases, left.shown, strict=True))
    shown = []
    for name, (base, word) in enumerate(zip(right.bases, right.shown, strict=True)):
        prime = "'" if not base or (base, word) in taken else ""
        shown.append(left.shown[theirs[name]] if name in theirs else word + prime)
    return shown


def _numbered(left: list[str], right: list[str]) -> tuple[list[int], list[int]]:
    numbers: dict[str, int] = {}
    first, second = ([numbers.setdefault(shape, len(numbers)) for shape in shapes] for shapes in (left, right))
    return first, second


def _corresponding(left: Lexed, right: Lexed, pairs: Pairs) -> dict[int, int]:
    """The right's names, each with the corresponding one of the left: first by where both are first seen, then by first use."""
    first_left, first_right = _first_seen(left), _first_seen(right)
    ours: dict[int, int] = {}
    theirs: dict[int, int] = {}
    for strict in (True, False):
        for i, j in pairs:
            for x, y in zip(left.names[i], right.names[j], strict=True):
                if x not in ours and y not in theirs and (not strict or (first_left[x] == i and first_right[y] == j)):
                    ours[x], theirs[y] = y, x
    return theirs


def _first_seen(lexed: Lexed) -> dict[int, int]:
    seen: dict[int, int] = {}
    for number, names in enumerate(lexed.names):
        for name in names:
            seen.setdefault(name, number)
    return seen


def _plain_edits(left: list[str], right: list[str]) -> list[Edit]:
    return list(_merged(left, right, align(*_numbered(left, right))))


def _merged(left: list[str], right: list[str], pairs: Pairs) -> Iterator[Edit]:
    i = j = 0
    for i_next, j_next in [*pairs, (len(left), len(right))]:
        yield from (("-", line) for line in left[i:i_next])
        yield from (("+", line) for line in right[j:j_next])
        if i_next < len(left):
            yield (" ", left[i_next])
        i, j = i_next + 1, j_next + 1


def _hunks(edits: list[Edit], context: int) -> Iterator[str]:
    """The edits as unified-diff hunks, each with its header."""
    places = [(0, 0)]
    for sign, _ in edits:
        i, j = places[-1]
        places.append((i + (sign != "+"), j + (sign != "-")))
    for start, stop in _stretches(edits, context):
        spans = (_span(places[start][side], places[stop][side]) for side in (0, 1))
        yield "@@ -{} +{} @@".format(*spans)
        yield from (sign + line for sign, line in edits[start:stop])


def _stretches(edits: list[Edit], context: int) -> list[tuple[int, int]]:
    stretches: list[tuple[int, int]] = []
    for number, (sign, _) in enumerate(edits):
        if sign == " ":
            continue
        start, stop = max(0, number - context), min(len(edits), number + context + 1)
        if stretches and start <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], stop)
        else:
            stretches.append((start, stop))
    return stretches


def _span(start: int, stop: int) -> str:
    size = stop - start
    return f"{start + (size > 0)}" if size == 1 else f"{start + (size > 0)},{size}"


def _rename_symbols(text: str, definition: re.Pattern[str], sign: str, base: str) -> str:
    """A text whose symbols are named after what they are and numbered in the order in which they are defined."""
    names: dict[str, str] = {}
    for match in definition.finditer(text):
        names.setdefault(match["name"], f"{base or match['kind']}.{len(names)}")
    return re.sub(rf"{sign}({_NAME})", lambda match: sign + names.get(match[1], match[1]), text)
