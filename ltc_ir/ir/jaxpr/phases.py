"""Corrects the phase flags of equations whose name stack does not tell the truth, by what the program does.

A name stack tells the phase of nearly every equation. It does not in these cases:

- Partial evaluation moves what a differentiated loop computes without its carry out of the loop, with an empty name stack.
- The machinery of a derivative makes zeros, bases and slices without a name.
- Recomputation is named where the function that is run again was differentiated itself (see `recompute`).
- A linear solve carries the programs of its transposed solve along, which do not run there.

What is made by a derivative has frames of JAX's differentiation in its traceback. What was moved out of a loop has a
traceback that begins in the function of the loop's body, not in that of the jaxpr that it is now in. What is neither is
primal, unless the whole program is a gradient: in it nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cached_property
from types import CodeType
from typing import Any

from ltc_ir import compat
from ltc_ir.compat import tracing
from ltc_ir.ir.jaxpr import recompute
from ltc_ir.ir.jaxpr.nesting import Corrections, Nesting
from ltc_ir.ir.op import JVP, TRANSPOSE, UNKNOWN

_DIFFERENTIATED = JVP | TRANSPOSE


def corrected_flags(nesting: Nesting, whole: bool = False) -> Corrections:
    """The flags of the equations whose own name stack misleads, relative to the jaxpr that contains them.

    Args:
        nesting: the program.
        whole: whether all of the program is one gradient, so that nothing in it is primal.
    """
    if not whole and not nesting.seen & _DIFFERENTIATED:
        return {}
    return _Correcting(nesting, whole).corrections()


def transferred_flags(program: Any, live: Any, whole: bool = False) -> Corrections:
    """The corrected flags of a program's equations in a copy of it without dead code, which keeps their source information.

    Dead code tells where equations come from, too: found again in the copy, some flags would be others.
    """
    types = compat.jaxpr_types(program)
    original = Nesting(program, types)
    flags_by_source: dict[int, int] = {}
    corrected = corrected_flags(original, whole)
    for body in original.bodies:
        for position, flags in corrected.get(id(body), {}).items():
            flags_by_source[id(body.eqns[position].source_info)] = flags
    if not flags_by_source:
        return {}
    found: dict[int, dict[int, int]] = {}
    for body in Nesting(live, types).bodies:
        sources = ((position, flags_by_source.get(id(eqn.source_info))) for position, eqn in enumerate(body.eqns))
        found[id(body)] = {position: flags for position, flags in sources if flags is not None}
    return found


class _Correcting:
    """The state of one correction: flags by body and position, and the flags under which each body is reached."""

    def __init__(self, nesting: Nesting, whole: bool) -> None:
        self.nesting = nesting
        self.whole = whole
        self.order = nesting.callers_first()
        self.corrected: dict[int, dict[int, int]] = {}
        self.contexts = [0] * len(nesting.bodies)

    def corrections(self) -> Corrections:
        """All corrections."""
        self.contexts[0] = 1
        for number in self.order:
            if self.contexts[number] & 1:
                flags = _Derivatives(self.nesting, number, self.whole).flags()
                if flags:
                    self.corrected[number] = flags
            self._reach(number)
        self._clear_carried()
        recompute.correct(self.nesting, self.order, self.contexts, self.corrected)
        bodies = self.nesting.bodies
        return {id(bodies[number]): flags for number, flags in self.corrected.items() if flags}

    def _reach(self, number: int) -> None:
        """Note under which flags the bodies in a body are reached; a set of flags is one bit of a context."""
        context, flags, changed = self.contexts[number], self.nesting.flags[number], self.corrected.get(number, {})
        for position, held in self.nesting.inner[number].items():
            own = changed.get(position, flags[position]) & 7
            reached = sum(1 << combined for combined in {outer | own for outer in range(8) if context >> outer & 1})
            for _, holder in held:
                self.contexts[self.nesting.number(holder)] |= reached

    def _clear_carried(self) -> None:
        """Take the transforms off what linear solves only carry along: it counts with the equation that carries it."""
        carried: set[int] = set()
        running: set[int] = {0}
        for number in self.order:
            for position, held in self.nesting.inner[number].items():
                solves = self.nesting.bodies[number].eqns[position].primitive.name == "custom_linear_solve"
                plain = any(self.contexts[number] >> outer & 1 for outer in range(8) if not outer & TRANSPOSE)
                plain = plain and not self.nesting.flags[number][position] & TRANSPOSE
                for label, holder in held:
                    child = self.nesting.number(holder)
                    if not solves:
                        running |= {child} & ({child} if number in running else set())
                        carried |= {child} if number in carried else set()
                    elif label == _SOLVE and plain and number in running:
                        running.add(child)
                    else:
                        carried.add(child)
        for number in carried - running:
            flags = self.nesting.flags[number]
            cleared = {place: flag & ~_DIFFERENTIATED for place, flag in enumerate(flags) if flag & _DIFFERENTIATED}
            if cleared:
                self.corrected.setdefault(number, {}).update(cleared)


_SOLVE = "jaxprs[2]"
"""The label of the only jaxpr of a ``custom_linear_solve`` that runs; the others are for its derivatives."""


_STARTS_OF_PULLBACKS = re.compile(rb"[\x01\x05](?=[\x00\x04]*[\x02\x03\x06\x07])")
"""In the flags of a body: a forward equation that a backward one is the next named one after."""


class _Derivatives:
    """The unnamed equations of one body outside all differentiation: which of them belong to a derivative, and to what part."""

    def __init__(self, nesting: Nesting, number: int, whole: bool) -> None:
        self.nesting = nesting
        self.whole = whole
        self.eqns = nesting.bodies[number].eqns
        self.own = nesting.flags[number]
        self.inner = nesting.inner[number]
        self.found: dict[int, int] = {}
        self.undecided: dict[int, int] = {}
        self.doubtful: set[int] = set()
        self._loops: Iterator[CodeType | None] = self._roots_in_loops()
        self._loop_roots: set[CodeType | None] = set()

    def flags(self) -> dict[int, int]:
        """The flags of those that belong to a derivative."""
        if not self.whole and not any(flags & _DIFFERENTIATED for flags in self.own):
            return {}
        self._find_constants_of_pullbacks()
        if any(not flags & _DIFFERENTIATED for flags in self.own):
            self._find_unnamed()
        return self.found

    def _find_constants_of_pullbacks(self) -> None:
        """Constants of the linear part are named as forward equations, and made where a backward pass begins.

        What depends on a value there is not moved: a function that applies a linear part itself does so as it runs forward.
        """
        for start in _STARTS_OF_PULLBACKS.finditer(self.own):
            made: set[int] = set()
            for position in reversed(list(self._linear_before(start.start()))):
                eqn = self.eqns[position]
                if all(hasattr(operand, "val") or id(operand) in made for operand in eqn.invars):
                    made.update(map(id, eqn.outvars))
                    self.found[position] = self.own[position] | TRANSPOSE

    def _linear_before(self, last: int) -> Iterator[int]:
        """The positions of the named equations of a linear part up to this one, the last first."""
        for position in range(last, -1, -1):
            if self.own[position] & _DIFFERENTIATED:
                if self.own[position] & TRANSPOSE or not self._tracing(position)[1] & tracing.LINEAR:
                    return
                yield position

    def _find_unnamed(self) -> None:
        following: int | None = None
        for position in range(len(self.own) - 1, -1, -1):
            if self.own[position] & _DIFFERENTIATED:
                following = position
            elif not self._is_derivative(position, following):
                following = None
        if self.undecided or self.doubtful:
            self._decide()

    def _is_derivative(self, position: int, following: int | None) -> bool:
        """Whether an unnamed equation belongs to a derivative, whose next named equation is ``following``."""
        root, maker = self._tracing(position)
        if maker & tracing.DERIVATIVE or (self.whole and following is None):
            self.undecided[position] = maker
            return True
        if following is None:
            return False
        direct = root is self._direct_root
        if self.whole or (root and not direct and self._is_in_loops(root)):
            self._hoist(position, following)
            return True
        if self.eqns[following].primitive.name != "scan" or self._direct_root is None:
            return False
        if root and direct and not self._is_in_loops(root):
            return False
        self.doubtful.add(position)
        return True

    def _hoist(self, position: int, following: int) -> None:
        """An equation moved out of a loop has the flags of that loop; where dead code is gone, data flow tells."""
        if self.eqns[following].primitive.name == "scan":
            self.found[position] = self.own[following] & _DIFFERENTIATED
        else:
            self.undecided[position] = tracing.DERIVATIVE

    def _is_in_loops(self, root: CodeType | None) -> bool:
        """Whether tracing began with this function in the body of a differentiated loop."""
        while root not in self._loop_roots:
            try:
                self._loop_roots.add(next(self._loops))
            except StopIteration:
                return False
        return True

    @cached_property
    def _direct_root(self) -> CodeType | None:
        """The function that this body was traced from: it is below the frames of the derivative, ``None`` where there are none.

        The last equation of a derivative was not moved out of a loop: that happens in forward passes, before the loop.
        """
        named = (position for position in range(len(self.own) - 1, -1, -1) if self.own[position] & _DIFFERENTIATED)
        return next((root for root, maker in map(self._tracing, named) if root and maker & tracing.DERIVATIVE), None)

    def _tracing(self, position: int) -> tuple[CodeType | None, int]:
        return tracing.tracing_of(self.eqns[position].source_info.traceback)

    def _roots_in_loops(self) -> Iterator[CodeType | None]:
        """The functions that tracing began with in the bodies of this body's differentiated loops."""
        visited: set[int] = set()
        for position, held in self.inner.items():
            if self.own[position] & _DIFFERENTIATED and self.eqns[position].primitive.name == "scan":
                pending = [self.nesting.number(holder) for _, holder in held]
                while pending:
                    number = pending.pop()
                    if number in visited:
                        continue
                    visited.add(number)
                    for eqn in self.nesting.bodies[number].eqns:
                        root, maker = tracing.tracing_of(eqn.source_info.traceback)
                        if not maker & tracing.DERIVATIVE:
                            yield root
                    held_inside = self.nesting.inner[number].values()
                    pending += [self.nesting.number(holder) for inside in held_inside for _, holder in inside]

    def _decide(self) -> None:
        """Tell forward from backward by data flow: backward is what uses a cotangent, or what backward equations alone use."""
        backward: set[int] = set()
        users = self._users(self.undecided.keys() | self.doubtful)
        for position, eqn in enumerate(self.eqns):
            if position in self.undecided and any(id(operand) in backward for operand in eqn.invars):
                self.found[position] = TRANSPOSE
            if self._final(position) & TRANSPOSE:
                backward.update(map(id, eqn.outvars))
        for position in sorted(self.doubtful | self.undecided.keys() - self.found.keys(), reverse=True):
            uses = [self._final(user) for user in users[position]]
            if position in self.undecided:
                self.found[position] = self._by_uses(uses, self.undecided[position])
            elif uses and all(uses):
                self.found[position] = UNKNOWN

    def _users(self, positions: Collection[int]) -> dict[int, list[int]]:
        """The equations that use the results of each of some equations."""
        users: dict[int, list[int]] = {position: [] for position in positions}
        makers = {id(result): position for position in positions for result in self.eqns[position].outvars}
        for position, eqn in enumerate(self.eqns):
            for operand in eqn.invars:
                maker = makers.get(id(operand))
                if maker is not None:
                    users[maker].append(position)
        return users

    def _by_uses(self, uses: list[int], maker: int) -> int:
        differentiated = [flags for flags in uses if flags & _DIFFERENTIATED]
        if differentiated:
            return TRANSPOSE if all(flags & TRANSPOSE for flags in uses) else JVP
        return TRANSPOSE if maker & tracing.PULLBACK else JVP if maker else UNKNOWN

    def _final(self, position: int) -> int:
        return self.found.get(position, self.own[position])
