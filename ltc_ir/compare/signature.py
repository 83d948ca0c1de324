"""What changed in a program's signature, in sentences: arguments, results, donations, shardings, types of operations."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ltc_ir.records.element_types import bits_of
from ltc_ir.records.figures import size
from ltc_ir.records.signature import (
    COLLECTIVE_EQUATIONS,
    CONSTRAINT,
    LOOPS,
    PRODUCTS,
    TYPED,
    Signature,
    SignatureChange,
    TypedOperation,
    Value,
)
from ltc_ir.records.vocabulary import NO_SOURCE, Level

_TYPE = re.compile(r"(?P<element>.*)\[(?P<shape>[^\[\]]*)\]")
_MOST_MOVED = 4
_JAXPR, _LOWERED = Level.JAXPR.value, Level.STABLEHLO.value
Pair = tuple[Value | None, Value | None]


def compare_signatures(before: Signature, after: Signature) -> tuple[SignatureChange, ...]:
    """The changes between two states of a program: growth first, then arguments, results, static values and operations.

    Arguments are matched by name, renamed ones by their order: a variable's name is not part of what a program does.
    """
    reused = partial(_reused, before.results, after.results, dict(_same_results(before, after)))
    changes = [
        *_values("argument", before.arguments, after.arguments, reused),
        *_values("result", before.results, after.results, reused),
        *_statics(before.statics, after.statics),
        *_operations(before.operations, after.operations),
    ]
    return tuple(sorted(changes, key=lambda change: not change.grown))


def wider(changes: Iterable[SignatureChange]) -> int:
    """How many places have a wider type: arguments, results, carries, products, convolutions and collectives."""
    return sum(change.metric == "types" for change in changes)


# --- arguments and results


def _values(
    kind: str, before: Sequence[Value], after: Sequence[Value], reused: Callable[[Value, Value], str]
) -> Iterator[SignatureChange]:
    pairs = list(_matched(before, after))
    yield from _reordered(kind, pairs, after)
    for old, new in pairs:
        if old is None and new is not None:
            yield SignatureChange(kind, _JAXPR, f"{kind} {new.name} is new: {_typed(new)}{_with_donation(new)}")
        elif new is None and old is not None:
            words = f"{kind} {old.name} is gone: it was {_typed(old)}{_with_donation(old)}"
            yield SignatureChange(kind, _JAXPR, words)
        elif old is not None and new is not None:
            yield from _retyped(kind, old, new)
            yield from _donation(old, new, reused)
            yield from _resharded(f"{kind} {new.name}", kind, old.sharding, new.sharding)


def _reordered(kind: str, pairs: Iterable[Pair], after: Sequence[Value]) -> Iterator[SignatureChange]:
    """One change where values that both sides have are in another order."""
    both = [(old.name, new.name) for old, new in pairs if old is not None and new is not None]
    places = {value.name: place for place, value in enumerate(after)}
    now = sorted((new for _, new in both), key=places.__getitem__)
    moved = [number for number, (_, new) in enumerate(both) if new != now[number]]
    if moved:
        names = ", ".join(now[number] for number in moved), ", ".join(both[number][0] for number in moved)
        shown = f": {names[0]} (was {names[1]})" if len(moved) <= _MOST_MOVED else ""
        yield SignatureChange(kind, _JAXPR, f"the {kind}s are in another order{shown}")


def _matched(before: Sequence[Value], after: Sequence[Value]) -> Iterator[Pair]:
    """The values of both sides: by place where only names differ, else those of one name and then renamed ones."""
    if [value.text for value in before] == [value.text for value in after]:
        yield from zip(before, after, strict=True)
        return
    old_names, new_names = ([value.name for value in side] for side in (before, after))
    old_places, new_places = ({name: place for place, name in enumerate(names)} for names in (old_names, new_names))
    renamed = dict(_renamed(before, after, old_places, new_places))
    taken = set(renamed.values())
    for place, value in enumerate(before):
        match = new_places.get(value.name, renamed.get(place))
        yield value, None if match is None else after[match]
    for place, value in enumerate(after):
        if value.name not in old_places and place not in taken:
            yield None, value


def _renamed(
    before: Sequence[Value], after: Sequence[Value], old_places: Mapping[str, int], new_places: Mapping[str, int]
) -> Iterator[tuple[int, int]]:
    """Values with new names: the places of both, of one shape and in order.

    First between the values whose names remain, then anywhere: leaves of a dictionary are sorted by name, so that a new name
    may move one. There the same type goes first.
    """
    left = [place for place, value in enumerate(before) if value.name not in new_places]
    right = [place for place, value in enumerate(after) if value.name not in old_places]
    anchors = sorted((old_places[name], new_places[name]) for name in old_places if name in new_places)

    def between_the_same(old: int, new: int) -> bool:
        return bounds[old][0] < new < bounds[old][1] and of_one_shape(old, new)

    def of_one_shape(old: int, new: int) -> bool:
        return _shape(before[old].type) == _shape(after[new].type)

    def of_one_type(old: int, new: int) -> bool:
        return before[old].type == after[new].type

    bounds = {
        old: (
            max((new for place, new in anchors if place < old), default=-1),
            min((new for place, new in anchors if place > old), default=len(after)),
        )
        for old in left
    }
    for rule in (between_the_same, of_one_type, of_one_shape):
        for old in tuple(left):
            new = next((place for place in right if rule(old, place)), None)
            if new is not None:
                left.remove(old)
                right.remove(new)
                yield old, new


def _retyped(kind: str, old: Value, new: Value) -> Iterator[SignatureChange]:
    if (old.type, old.weak) == (new.type, new.weak):
        return
    words = f"{kind} {new.name} became {_typed(new)} (was {_typed(old)})"
    bits = bits_of(_element(old.type)), bits_of(_element(new.type))
    if bits[1] > bits[0] > 0:
        yield SignatureChange("types", _JAXPR, words, *bits, grown=True)
    else:
        yield SignatureChange(kind, _JAXPR, words)


def _donation(old: Value, new: Value, reused: Callable[[Value, Value], str]) -> Iterator[SignatureChange]:
    if old.donated is None or new.donated is None:
        return
    name, amount = f"argument {new.name}", bytes_of(new.type)
    shown = "" if amount is None else f" ({size(amount)})"
    if old.donated and not new.donated:
        words = f"{name} is no longer donated{shown}"
        yield SignatureChange("donated.bytes", _LOWERED, words, bytes_of(old.type), 0, grown=True)
    elif new.donated and not old.donated:
        yield SignatureChange("donated.bytes", _LOWERED, f"{name} is donated{shown}", 0, amount)
    elif new.donated and reused(old, new):
        yield SignatureChange("argument", _LOWERED, f"{name} is reused for {reused(old, new)}")


def _same_results(before: Signature, after: Signature) -> Iterator[tuple[str, str]]:
    """The names of each result on both sides."""
    for old, new in _matched(before.results, after.results):
        if old is not None and new is not None:
            yield old.name, new.name


def _reused(before: Sequence[Value], after: Sequence[Value], names: Mapping[str, str], old: Value, new: Value) -> str:
    """Which result reuses the memory of an argument, where it is another than before; else nothing."""
    results = _aliased(old, before), _aliased(new, after)
    if old.aliases == new.aliases or names.get(results[0], results[0]) == results[1]:
        return ""
    was, now = (f"result {name}" if name else "a result that XLA chooses" for name in results)
    return f"{now} (was {was})"


def _aliased(value: Value, results: Sequence[Value]) -> str:
    if value.aliases is None:
        return ""
    return results[value.aliases].name if value.aliases < len(results) else str(value.aliases)


def _resharded(name: str, kind: str, old: str | None, new: str | None) -> Iterator[SignatureChange]:
    if old is None or new is None or old == new:
        return
    words = sharding_in_words(old), sharding_in_words(new)
    was, now = (old, new) if words[0] == words[1] else words
    yield SignatureChange(kind, _LOWERED, f"{name} is {now} (was {was})")


def sharding_in_words(sharding: str) -> str:
    """How a value is spread over devices: ``sharded over d``, ``replicated``."""
    if not sharding:
        return "sharded as XLA chooses"
    if sharding == "replicated":
        return sharding
    tiles = re.match(r"devices=\[([\d,]+)\]", sharding)
    if tiles:
        numbers = enumerate(map(int, tiles[1].split(",")))
        split = [f"{number} ways in dimension {dim}" for dim, number in numbers if number > 1]
        return f"sharded {' and '.join(split)}" if split else "replicated"
    dims, found, _ = sharding.removeprefix("(").partition(") ")
    if not found:
        return f"sharded as {sharding}"
    axes = [
        axis for dim in re.sub(r"\).*", "", dims).split(", ") for axis in dim.split("+") if axis not in {"-", "?", ""}
    ]
    return f"sharded over {', '.join(axes)}" if axes else "replicated"


def _typed(value: Value) -> str:
    return f"weak {value.type}" if value.weak else value.type


def _with_donation(value: Value) -> str:
    return ", donated" if value.donated else ""


def _element(kind: str) -> str:
    match = _TYPE.fullmatch(kind)
    return match["element"] if match else ""


def _shape(kind: str) -> str:
    match = _TYPE.fullmatch(kind)
    return match["shape"] if match else kind


def bytes_of(kind: str) -> int | None:
    """The bytes of a type in short, ``4096`` of ``f32[8,128]``; ``None`` where a size or a width is unknown."""
    sizes = [part for part in _shape(kind).split(",") if part]
    bits = bits_of(_element(kind))
    if not bits or not all(part.isdecimal() for part in sizes):
        return None
    return -(-math.prod(map(int, sizes)) * bits // 8)


# --- static values


def _statics(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[SignatureChange]:
    """Static values that differ; renamed ones are matched in their order."""
    gone = [name for name in before if name not in after]
    added = [name for name in after if name not in before]
    pairs = [(name, name) for name in before if name in after] + list(zip(gone, added, strict=False))
    for old, new in pairs:
        if before[old] != after[new]:
            words = f"static argument {new} is {after[new]} (was {before[old]})"
            yield SignatureChange("static", _JAXPR, words)
    for name in gone[len(added) :]:
        yield SignatureChange("static", _JAXPR, f"static argument {name} is gone: it was {before[name]}")
    for name in added[len(gone) :]:
        yield SignatureChange("static", _JAXPR, f"static argument {name} is new: {after[name]}")


# --- operations

_VERBS = (
    dict.fromkeys(LOOPS, "carries")
    | dict.fromkeys(PRODUCTS, "multiplies")
    | dict.fromkeys(COLLECTIVE_EQUATIONS, "sends")
)


def _operations(before: Iterable[TypedOperation], after: Iterable[TypedOperation]) -> Iterator[SignatureChange]:
    """Operations of one name whose types differ: first within a function, then what is left, wherever it is."""
    sides = _by_place(before), _by_place(after)
    left: defaultdict[str, tuple[list[TypedOperation], list[TypedOperation]]] = defaultdict(lambda: ([], []))
    for place in sorted({*sides[0], *sides[1]}):
        changed, rest = _paired(sides[0].get(place, []), sides[1].get(place, []))
        yield from changed
        for side, remaining in zip(left[place[1]], rest, strict=True):
            side.extend(remaining)
    for name in sorted(left):
        yield from _paired(*left[name])[0]


def _by_place(operations: Iterable[TypedOperation]) -> dict[tuple[str, str], list[TypedOperation]]:
    places: defaultdict[tuple[str, str], list[TypedOperation]] = defaultdict(list)
    for operation in operations:
        places[operation.function, operation.name].append(operation)
    return places


Rest = tuple[list[TypedOperation], list[TypedOperation]]


def _paired(before: list[TypedOperation], after: list[TypedOperation]) -> tuple[list[SignatureChange], Rest]:
    """The changes among operations of one name, and what has no counterpart."""
    counts = Counter[str](), Counter[str]()
    for counter, side in zip(counts, (before, after), strict=True):
        for operation in side:
            counter[operation.types] += operation.count
    same = counts[0] & counts[1]
    gone, added = (_without(side, same) for side in (before, after))
    changes = []
    while gone and added:
        old, new = gone[-1], added[-1]
        number = min(old.count, new.count)
        changes.append(_changed_operation(old, new, number))
        for side, operation in ((gone, old), (added, new)):
            side.pop()
            if operation.count > number:
                side.append(replace(operation, count=operation.count - number))
    return changes, (gone, added)


def _without(operations: Iterable[TypedOperation], same: Mapping[str, int]) -> list[TypedOperation]:
    """The operations except as many of each type as are on both sides, by types."""
    left = Counter(same)
    rest = []
    for operation in sorted(operations, key=lambda operation: (operation.types, operation.function)):
        kept = min(operation.count, left[operation.types])
        left[operation.types] -= kept
        if operation.count > kept:
            rest.append(replace(operation, count=operation.count - kept))
    return rest


def _changed_operation(old: TypedOperation, new: TypedOperation, number: int) -> SignatureChange:
    place = f" at {new.sources[0]}" if new.sources else f" in {new.function}" if new.function != NO_SOURCE else ""
    plural = f"{number} " if number > 1 else ""
    if new.name == CONSTRAINT:
        (change,) = _resharded(f"{plural}{new.name}{place}", "operation", old.types, new.types)
        return _placed(replace(change, level=_JAXPR), new)
    words = f"{plural}{new.name}{place} {_verb(old, new)} {_shown(old, new, new)} (was {_shown(old, new, old)})"
    bits = _widest(old, new) if new.name in TYPED else None
    if bits is None:
        return _placed(SignatureChange("operation", _JAXPR, words), new)
    return _placed(SignatureChange("types", _JAXPR, words, *bits, grown=True), new)


def _placed(change: SignatureChange, operation: TypedOperation) -> SignatureChange:
    return replace(change, function=operation.function, sources=operation.sources)


def _verb(old: TypedOperation, new: TypedOperation) -> str:
    verb = _VERBS.get(new.name, "became")
    return "gives" if _operands(old) == _operands(new) and "->" in new.types else verb


def _operands(operation: TypedOperation) -> str:
    return operation.types.partition("->")[0]


def _shown(old: TypedOperation, new: TypedOperation, which: TypedOperation) -> str:
    """The types of a side as a sentence names them: what operands or results are, once where they are all one."""
    operands, arrow, results = which.types.partition("->")
    part = results if arrow and _operands(old) == _operands(new) else operands
    types = part.split(",")
    return types[0] if arrow and len(set(types)) == 1 else part.replace(",", ", ") if arrow else part


def _widest(old: TypedOperation, new: TypedOperation) -> tuple[int, int] | None:
    """The bits of a type that became wider, before and after; ``None`` where none did."""
    before, after = (sorted(map(bits_of, _elements(operation))) for operation in (old, new))
    if len(before) != len(after):
        sides = max(before, default=0), max(after, default=0)
        return sides if 0 < sides[0] < sides[1] else None
    steps = [(narrow, wide) for narrow, wide in zip(before, after, strict=True) if wide > narrow > 0]
    return max(steps, key=lambda step: step[1] - step[0], default=None)


def _elements(operation: TypedOperation) -> list[str]:
    """All element types of an operation, each as often as it occurs."""
    elements: list[str] = []
    for word in re.split(r",\s*|->", operation.types):
        name, _, number = word.partition(" x")
        elements += [name] * (int(number) if number else 1) if name else []
    return elements
