"""The jaxprs of a program, each distinct one once: which equation holds which, and the phase flags in each one's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ltc_ir import compat
from ltc_ir.compat import tracing
from ltc_ir.ir.op import FLAG_OF, REMAT, REMAT_SCOPE, callers_first

_PLAIN = frozenset({int, bool, str, float, type(None)})
"""Parameter types that cannot hold a jaxpr: most equations have no others and are skipped quickly."""
_JAXPR, _SEQUENCE = 1, 2
_SCOPES = {REMAT_SCOPE: REMAT}
REMATS = frozenset({"checkpoint", "remat", "remat2"})
"""The names of `jax.checkpoint`'s primitive in all versions."""
Corrections = Mapping[int, Mapping[int, int]]
"""The flags of equations whose names mislead, by the identity of the jaxpr that contains them and their position in it."""
Inner = list[tuple[str, Any]]
"""The jaxprs that an equation holds, each with its label."""


def nested(params: dict[str, Any], types: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """The jaxprs among an equation's parameters, with a label each: ``cond_jaxpr``, ``branches[1]``."""
    for key, value in params.items():
        if type(value) in _PLAIN:
            continue
        if isinstance(value, types):
            yield key, value
        elif isinstance(value, (tuple, list)):
            for position, item in enumerate(value):
                if isinstance(item, types):
                    yield f"{key}[{position}]", item


class Nesting:
    """The jaxprs of a program, outermost first.

    ``bodies`` are the open jaxprs, ``inner`` the jaxprs that each body's equations hold, by position, and ``flags`` those of
    each equation by its own name stack; all three by the number of the body, which ``index`` gives by identity.
    """

    def __init__(self, program: Any, types: tuple[type, ...]) -> None:
        self.types = types
        self.bodies: list[Any] = []
        self.inner: list[dict[int, Inner]] = []
        self.flags: list[bytearray] = []
        self.index: dict[int, int] = {}
        self.seen = 0
        self._stacks: dict[int, int] = {}
        self._kinds: dict[type, int] = {}
        self.number(program)
        for body in self.bodies:  # grows while it is walked
            self._read(body)

    def number(self, holder: Any) -> int:
        """The number of a (closed) jaxpr's body."""
        jaxpr = compat.open_jaxpr(holder)
        number = self.index.get(id(jaxpr))
        if number is None:
            number = self.index[id(jaxpr)] = len(self.bodies)
            self.bodies.append(jaxpr)
        return number

    def _read(self, jaxpr: Any) -> None:
        flags, inner = bytearray(), dict[int, Inner]()
        stacks, kinds = self._stacks, self._kinds
        for position, eqn in enumerate(jaxpr.eqns):
            name_stack = eqn.source_info.name_stack
            flag = stacks.get(id(name_stack))
            if flag is None:
                flag = stacks[id(name_stack)] = tracing.flags_in(name_stack, FLAG_OF, _SCOPES)
                self.seen |= flag
            flags.append(flag)
            for value in eqn.params.values():
                kind = kinds.get(type(value))
                if kind is None:
                    kind = self._kind(type(value))
                if kind and (kind == _JAXPR or any(self._kind(type(item)) == _JAXPR for item in value)):
                    held = inner[position] = list(nested(eqn.params, self.types))
                    for _, holder in held:
                        self.number(holder)
                    break
        self.flags.append(flags)
        self.inner.append(inner)

    def _kind(self, kind: type) -> int:
        """Whether values of a type are jaxprs, may contain them, or neither (0)."""
        known = self._kinds.get(kind)
        if known is None:
            known = _JAXPR if issubclass(kind, self.types) else _SEQUENCE if issubclass(kind, (tuple, list)) else 0
            self._kinds[kind] = known
        return known

    def callers_first(self) -> list[int]:
        """The numbers of the bodies, each after all that hold it."""
        return callers_first(
            {
                number: {self.number(holder) for held in inner.values() for _, holder in held}
                for number, inner in enumerate(self.inner)
            }
        )
