"""Tells what a checkpointed function runs again from the derivative in the same equation, by what depends on cotangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ltc_ir import compat
from ltc_ir.compat import tracing
from ltc_ir.ir.jaxpr.nesting import REMATS, Nesting
from ltc_ir.ir.op import JVP, REMAT, REMAT_SCOPE, TRANSPOSE


def correct(
    nesting: Nesting, order: Sequence[int], contexts: Sequence[int], corrected: dict[int, dict[int, int]]
) -> None:
    """Add the corrections of equations in what is rematerialised.

    Args:
        nesting: the program.
        order: its bodies, callers first.
        contexts: the sets of flags under which each body is reached, one bit each.
        corrected: the corrections so far, by body and position.
    """
    if nesting.seen & REMAT and nesting.seen & TRANSPOSE:
        _Recomputing(nesting, contexts, corrected).run(order)


_TRANSPOSED = sum(1 << flags for flags in range(8) if flags & TRANSPOSE)
"""The contexts that a transposition is around."""
_INHERITED = ("inherited",)
"""The key of a cotangent that the equation around the body passes in."""


_OF_DERIVATIVES = frozenset({"one_minus_square"})
"""Primitives that only rules of derivatives make: the factor of a tanh from JAX 0.12 on. Older ones spell it as a product
and a difference, which cannot be told from those of the function that is run again, and count as run again."""


class _Recomputing:
    """The cotangents among the arguments of each body, by their positions."""

    def __init__(self, nesting: Nesting, contexts: Sequence[int], corrected: dict[int, dict[int, int]]) -> None:
        self.nesting = nesting
        self.corrected = corrected
        self.transposed = [bool(context & _TRANSPOSED) for context in contexts]
        self.cotangents: list[set[int]] = [set() for _ in nesting.bodies]
        self.rematerialised: set[int] = set()

    def run(self, order: Sequence[int]) -> None:
        """Visit every body that holds something rematerialised, callers first."""
        concerned = self._concerned(order)
        for number in order:
            if number in concerned:
                self._visit(number, concerned)

    def _concerned(self, order: Sequence[int]) -> set[int]:
        """The bodies with an equation named as recomputation in them, however deep."""
        concerned: set[int] = set()
        for number in reversed(order):
            held = (self.nesting.number(holder) for inner in self.nesting.inner[number].values() for _, holder in inner)
            if any(map(REMAT.__and__, self.nesting.flags[number])) or not concerned.isdisjoint(held):
                concerned.add(number)
        return concerned

    def _visit(self, number: int, concerned: set[int]) -> None:
        body, own, inner = self.nesting.bodies[number], self.nesting.flags[number], self.nesting.inner[number]
        runs_again = number in self.rematerialised and self.transposed[number]
        flow = _Flow(body, own, self.cotangents[number])
        derivative = _derivative_named(body, own) if runs_again else frozenset()
        changed = dict[int, int]()
        for position, (eqn, flags) in enumerate(zip(body.eqns, own, strict=True)):
            cotangents = flow.cotangents_of(eqn, flags)
            if flags & REMAT and (cotangents or position in derivative or eqn.primitive.name in _OF_DERIVATIVES):
                changed[position] = flags & ~REMAT
            flow.pass_on(eqn, changed.get(position, flags), bool(cotangents))
            for _, holder in inner.get(position, ()):
                child = self.nesting.number(holder)
                if child in concerned:
                    self._enter(child, eqn, cotangents)
        if runs_again:
            changed |= _unnamed(own, changed, flow)
        if changed:
            self.corrected.setdefault(number, {}).update(changed)

    def _enter(self, child: int, eqn: Any, cotangents: set[int]) -> None:
        """Note which arguments of an equation's jaxpr are cotangents, those that a loop carries included."""
        if eqn.primitive.name in REMATS and eqn.params.get("differentiated"):
            self.rematerialised.add(child)
        inside = self.cotangents[child]
        operands = _operands(eqn, self.nesting.bodies[child])
        inside |= {place for place, operand in enumerate(operands) if operand in cotangents}
        if eqn.primitive.name == "scan" and inside:
            self._carry(child, compat.scan_sizes(eqn), inside)

    def _carry(self, child: int, sizes: tuple[int, int], inside: set[int]) -> None:
        """Add the carried values that become cotangents in the course of a loop."""
        body = self.nesting.bodies[child]
        constants, carried = sizes
        while True:
            values = {id(body.invars[place]) for place in inside}
            for eqn in body.eqns:
                if any(id(operand) in values for operand in eqn.invars):
                    values.update(map(id, eqn.outvars))
            reached = {constants + place for place in range(carried) if id(body.outvars[place]) in values}
            if reached <= inside:
                return
            inside |= reached


def _operands(eqn: Any, body: Any) -> Sequence[int]:
    """The operands of an equation that are the arguments of its jaxpr, by position; all of them where that is not known."""
    count, given = len(body.invars), len(eqn.invars)
    if count == given:
        return range(count)
    if eqn.primitive.name == "cond" and count == given - 1:
        return range(1, given)
    if eqn.primitive.name == "while":
        conditions = eqn.params["cond_nconsts"]
        return range(conditions, conditions + count)
    return ()


def _derivative_named(body: Any, own: bytearray) -> frozenset[int]:
    """The equations of a rematerialised derivative that belong to it though named as what it runs again, by their positions.

    Where a rematerialised derivative was differentiated and is rematerialised in turn, what runs the function again is
    named so twice in a row; what is named once is the first derivative. A constant that nothing uses is a zero of the
    derivative: what is run again has no dead code.
    """
    times = [tracing.leading_scopes(eqn.source_info.name_stack, REMAT_SCOPE) for eqn in body.eqns]
    twice = any(count > 1 for count in times)
    used = {id(value) for eqn in body.eqns for value in eqn.invars} | {id(value) for value in body.outvars}
    return frozenset(
        place
        for place, (eqn, flags) in enumerate(zip(body.eqns, own, strict=True))
        if (twice and times[place] == 1)
        or (flags & REMAT and _is_constant(eqn) and used.isdisjoint(map(id, eqn.outvars)))
    )


def _is_constant(eqn: Any) -> bool:
    return all(hasattr(operand, "val") for operand in eqn.invars)


def _unnamed(own: bytearray, changed: dict[int, int], flow: _Flow) -> dict[int, int]:
    """The unnamed equations among those that run a function again: the derivative comes after all of them.

    JAX 0.6 moves what does not depend on the carry out of a loop that is run again, without a name.
    """
    again = [place for place, flags in enumerate(own) if changed.get(place, flags) & REMAT]
    unnamed = [place for place in range(again[-1] if again else 0) if not own[place]]
    return {place: REMAT for place in unnamed if place not in flow.dependent}


class _Flow:
    """Which values of a body are cotangents, and of which transposition: the outermost one that made them.

    Values that a forward equation uses are none: the gradient of a gradient is differentiated, its own cotangents are values.
    """

    def __init__(self, body: Any, own: bytearray, arguments: set[int]) -> None:
        self.made: dict[int, Any] = {id(body.invars[place]): _INHERITED for place in arguments}
        self.dependent: set[int] = set()
        self.forward = {
            id(operand)
            for eqn, flags in zip(body.eqns, own, strict=True)
            if flags & JVP and not flags & TRANSPOSE
            for operand in eqn.invars
        }
        self.place = 0

    def cotangents_of(self, eqn: Any, flags: int) -> set[int]:
        """The positions of the operands that are cotangents to an equation."""
        if not self.made:
            return set()
        key = tracing.outermost_transposition(eqn.source_info.name_stack) if flags & TRANSPOSE else _INHERITED
        return {
            place
            for place, operand in enumerate(eqn.invars)
            if (maker := self.made.get(id(operand))) is not None
            and (maker is _INHERITED or (maker == key and id(operand) not in self.forward))
        }

    def pass_on(self, eqn: Any, flags: int, depends: bool) -> None:
        """Note the results of an equation that are cotangents in turn; equations are visited in order."""
        if depends:
            self.dependent.add(self.place)
        self.place += 1
        if flags & TRANSPOSE and not flags & REMAT:
            key = tracing.outermost_transposition(eqn.source_info.name_stack)
        elif depends:
            key = _INHERITED
        else:
            return
        self.made.update((id(result), key) for result in eqn.outvars)
