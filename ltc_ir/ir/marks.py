"""Marks in the name stacks of a program's copy, by which the operations that it is lowered to name their equations.

A name stack is lost on the way from a jaxpr to a module in many ways: helper functions are shared, hoisted equations have
none, a compiler merges operations. A mark survives where any name does, and refers to an equation whose origin was read in
the jaxpr. So the origin of an operation is looked up, not guessed again at each level.

A mark is a scope such as ``ltcir1m17_``, with a random word of the process in it. Equations of one origin in one body have the
same mark: JAX then makes as few locations as for the unmarked program. Nested marks spell the path of calls and loops:
``jit(f)/ltcir1m13_/jvp()/while/body/ltcir1m14_/add`` is equation 14 in the body of the loop 13. A mark comes before the last
part of a name stack, because XLA makes the names of some instructions of the last parts of a name.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import count, pairwise

from ltc_ir.ir.op import NOWHERE, Origin, Stream, callers_first

Path = tuple[int, ...]
"""The marks in a name, outermost first; empty in a name without any."""
_UNKNOWN = Origin(complete=False)


class Marks:
    """The marks of one program, and the origin of each.

    Args:
        stream: the jaxpr as it was read.
        prefix: what a mark begins with; no name of the program contains a word like it.
        each: whether each equation has a separate mark; otherwise one for each distinct origin in a body.
        joined: whether ``;`` in a name comes from XLA, which joins names with it, and from no scope of the program.

    ``numbers`` holds the mark of each equation, by body and position; ``holders`` the body of each mark.
    """

    def __init__(self, stream: Stream, prefix: str, *, each: bool = False, joined: bool = True) -> None:
        self.stream = stream
        self.prefix = prefix
        self.each = each
        self.joined = joined
        self.origins: list[Origin] = []
        self.holders: list[int] = []
        self.numbers: list[list[int]] = [self._number(index, each) for index in range(len(stream.bodies))]
        self._pattern = re.compile(rf"(?<!\w){re.escape(prefix)}(\d+)_(?!\w)")
        self._inner = self._inner_bodies()
        self._contexts: dict[int, list[Path] | None] = {}
        self._origin_of: dict[Path, Origin] = {(): NOWHERE}

    def _number(self, index: int, each: bool) -> list[int]:
        """The marks of a body's equations, in order."""
        codes, ops, first = self.stream.bodies[index].codes, self.stream.ops, len(self.origins)
        if each:
            self.origins += [ops[code].origin for code in codes]
            self.holders += [index] * len(codes)
            return list(range(first, len(self.origins)))
        numbers: dict[Origin, int] = {}
        of_code = {code: numbers.setdefault(ops[code].origin, first + len(numbers)) for code in dict.fromkeys(codes)}
        self.origins += numbers
        self.holders += [index] * len(numbers)
        return [of_code[code] for code in codes]

    def _inner_bodies(self) -> dict[int, set[int]]:
        """The bodies that the equations of each mark run."""
        inner: dict[int, set[int]] = defaultdict(set)
        for index, body in enumerate(self.stream.bodies):
            by_code: dict[int, set[int]] = defaultdict(set)
            for edge in body.edges:
                by_code[edge.code].add(edge.child)
            for code, mark in zip(body.codes, self.numbers[index], strict=True) if by_code else ():
                if code in by_code:
                    inner[mark] |= by_code[code]
        return dict(inner)

    def path(self, name: str | None) -> Path:
        """The marks in a name; of several that XLA joined, those in the first."""
        return next(self.paths(name), ())

    def paths(self, name: str | None) -> Iterator[Path]:
        """The marks in each of the names that XLA joined into one."""
        for part in () if not name else name.split(";") if self.joined else (name,):
            numbers = map(int, self._pattern.findall(part))
            yield tuple(number for number in numbers if number < len(self.origins))

    def spelling(self, number: int) -> str:
        """The scope of a mark."""
        return f"{self.prefix}{number}_"

    def is_absolute(self, path: Path) -> bool:
        """Whether a path begins in the program itself, not in a function that it calls."""
        return bool(path) and self.holders[path[0]] in self.stream.roots

    def below(self, holder: Path, path: Path) -> Path:
        """The path of an operation in a region of one with the path ``holder``, whether or not its own begins there.

        Names that begin again in a region go on in the regions inside it, so any equation of ``holder`` may be where.
        """
        if not path:
            return holder
        begins = self.holders[path[0]]
        depths = range(len(holder), 0, -1)
        return next((holder[:depth] + path for depth in depths if begins in self._inner_of(holder[depth - 1])), path)

    def _inner_of(self, mark: int) -> Collection[int]:
        return self._inner.get(mark, ())

    def relative_origin(self, path: Path) -> Origin:
        """The origin of a path's last equation, seen from where the path begins; unknown where the path has a gap."""
        origin = self._origin_of.get(path)
        start = 0 if origin is None else len(path)
        for end in range(start + 1, len(path) + 1):
            part, outer, inner = path[:end], path[: end - 1], path[end - 1]
            origin = self._origin_of.get(part)
            if origin is None:
                connected = not outer or self.holders[inner] in self._inner_of(outer[-1])
                origin = self.origins[inner].within(self._origin_of[outer]) if connected else _UNKNOWN
                self._origin_of[part] = origin
        return origin or NOWHERE

    def origin(self, path: Path) -> Origin | None:
        """The origin of a path's last equation, seen from the whole program; ``None`` where the path does not tell it.

        A path with a gap is completed where the last equation's body is reached in one way only.
        """
        whole = self.completed(path)
        return None if whole is None else self.relative_origin(whole)

    def completed(self, path: Path) -> Path | None:
        """The path from the program's own equations to the last one of ``path``; ``None`` where there are several."""
        if not path:
            return None
        if self.is_absolute(path) and self._is_connected(path):
            return path
        contexts = self.contexts(self.holders[path[-1]])
        candidates = [outer for outer in contexts or () if _holds(outer, path[:-1])]
        return (*candidates[0], path[-1]) if len(candidates) == 1 else None

    def _is_connected(self, path: Path) -> bool:
        return all(self.holders[inner] in self._inner_of(outer) for outer, inner in pairwise(path))

    def contexts(self, index: int) -> list[Path] | None:
        """The paths that lead to a body; ``None`` where there are more than `MOST_CONTEXTS`."""
        if not self._contexts:
            self._contexts = self._all_contexts()
        return self._contexts.get(index, [])

    def _all_contexts(self) -> dict[int, list[Path] | None]:
        contexts: dict[int, list[Path] | None] = {root: [()] for root in self.stream.roots}
        order = callers_first(
            {index: {edge.child for edge in body.edges} for index, body in enumerate(self.stream.bodies)}
        )
        marks: dict[int, list[int]] = defaultdict(list)
        for mark in self._inner:
            marks[self.holders[mark]].append(mark)
        for index in order:
            outers = contexts.get(index, [])
            for mark in marks[index]:
                for child in self._inner[mark]:
                    known = contexts.get(child, [])
                    few = known is not None and outers is not None and len(known) + len(outers) <= MOST_CONTEXTS
                    contexts[child] = [*(known or ()), *((*outer, mark) for outer in outers or ())] if few else None
        return contexts


MOST_CONTEXTS = 64
"""Paths to one body that are told apart."""


def _holds(outer: Path, part: Path) -> bool:
    """Whether ``outer`` has the marks of ``part``, in this order."""
    marks = iter(outer)
    return all(mark in marks for mark in part)


WORD = f"ltcir{os.urandom(4).hex()}"
"""What every mark of this process begins with: no name that a user writes can be spelled so."""
_MARKINGS = count(1)
"""Numbers the markings of this process: a mark of another marking, from whatever cache, does not count as one."""


def unused_prefix(names: Collection[str]) -> str:
    """A prefix for the marks of one marking that no name of the program contains."""
    prefix = f"{WORD}x{next(_MARKINGS)}m"
    while any(prefix in name for name in names):
        prefix += "m"
    return prefix
