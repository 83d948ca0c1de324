"""The structure of a jaxpr: how its equations are connected, whatever their order."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from ltc_ir import compat
from ltc_ir.ir.fingerprint import NAMES, digest, equation_texts, literal_text, parameter_text, type_text
from ltc_ir.ir.jaxpr.nesting import REMATS, nested
from ltc_ir.ir.structure import Body, Kind, Operation, Structure, TooLargeError

MOST_BYTES = 1 << 22
"""Bytes of an array from which on its values are not read."""
_CALLS = REMATS | {
    "jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "shard_map",
    "run_state", "custom_lin",
}  # fmt: skip
"""The primitives whose jaxpr takes their operands and gives their results."""
_EACH = frozenset({"optimization_barrier"})
_COMMUTATIVE = frozenset({"add_any"})
"""The sums that a gradient makes of its parts, in an order that lines decide."""


class _Nested(dict[int, str]):
    """Stands for the hashes of jaxprs in the text of an equation: they are read elsewhere."""

    def get(self, key: int, default: Any = None) -> Any:
        return "nested" if key in self else default


_NONE = _Nested()


def of_jaxpr(closed: Any) -> str | None:
    """The structure of a (closed) jaxpr; ``None`` where it is too large with all that is called written out."""
    types = compat.jaxpr_types(closed)
    jaxpr = compat.open_jaxpr(closed)
    size = _size(jaxpr, types)
    body = _Reading(types).body(jaxpr, (*jaxpr.constvars, *jaxpr.invars))
    labels = [f"in {number} {type_text(variable)}" for number, variable in enumerate(jaxpr.invars)]
    try:
        return Structure(size).of_program(body, [*_constants(closed), *labels])
    except TooLargeError:
        return None


def _size(main: Any, types: tuple[type, ...]) -> int:
    """The equations of a jaxpr and of those nested in it, each once."""
    visited: set[int] = set()
    pending, size = [main], 0
    while pending:
        jaxpr = pending.pop()
        if id(jaxpr) not in visited:
            visited.add(id(jaxpr))
            size += len(jaxpr.eqns)
            pending += [compat.open_jaxpr(inner) for eqn in jaxpr.eqns for _, inner in nested(eqn.params, types)]
    return size


class _Reading:
    """The jaxprs of a program as bodies, each read once."""

    def __init__(self, types: tuple[type, ...]) -> None:
        self.types = types
        self.bodies: dict[int, Body] = {}

    def body(self, jaxpr: Any, inputs: Sequence[Any], known: Mapping[Hashable, str] | None = None) -> Body:
        """A jaxpr with these inputs; its constants are known, where they are not among them."""
        read: list[Operation] = []

        def operations() -> Sequence[Operation]:
            if len(read) < len(jaxpr.eqns):
                read[:] = map(self._operation, jaxpr.eqns)
            return read

        return Body(list(map(id, inputs)), operations, lambda: list(map(_key, jaxpr.outvars)), known or {})

    def _inner(self, holder: Any) -> Body:
        body = self.bodies.get(id(holder))
        if body is None:
            jaxpr = compat.open_jaxpr(holder)
            known: dict[Hashable, str] = dict(zip(map(id, jaxpr.constvars), _constants(holder), strict=False))
            body = self.bodies[id(holder)] = self.body(jaxpr, jaxpr.invars, known)
        return body

    def _operation(self, eqn: Any) -> Operation:
        inner = [holder for _, holder in nested(eqn.params, self.types)]
        operands, results = list(map(_key, eqn.invars)), list(map(id, eqn.outvars))
        ordered = bool(eqn.effects)
        if inner:
            bodies = tuple(map(self._inner, inner))
            kind, closed, carried = _connection(eqn, bodies)
            text = _text(eqn, self.types, inner, places=kind == Kind.OTHER)
            return Operation(text, operands, results, kind, bodies, closed, carried, ordered)
        name, result_types, params = equation_texts(eqn, self.types, _NONE)
        if name in _EACH:
            return Operation(f"{name} {params}", operands, results, Kind.EACH, ordered=ordered)
        text = f"{name}->{result_types} {params}"
        return Operation(text, operands, results, ordered=ordered, commutes=name in _COMMUTATIVE)


def _constants(holder: Any) -> list[str]:
    """The arrays that a jaxpr closes over, by their values; large ones by their places."""
    jaxpr = compat.open_jaxpr(holder)
    values = [*getattr(holder, "consts", ()), *jaxpr.constvars][: len(jaxpr.constvars)]
    return [
        f"constant {type_text(variable)} {_value(value, number)}"
        for number, (variable, value) in enumerate(zip(jaxpr.constvars, values, strict=True))
    ]


def _value(value: Any, number: int) -> str:
    if not getattr(value, "nbytes", MOST_BYTES) < MOST_BYTES:
        return str(number)
    try:
        return digest([np.asarray(value).tobytes().hex()])
    except (TypeError, ValueError, RuntimeError):  # a key, or an array that was given away
        return str(number)


def _key(variable: Any) -> Any:
    return f"{literal_text(variable)} {variable.val}" if hasattr(variable, "val") else id(variable)


def _connection(eqn: Any, bodies: Sequence[Body]) -> tuple[Kind, tuple[int, ...], int]:
    """How an equation's jaxprs take its operands; of a loop, too, how many each closes over and how many are carried."""
    name, params, taken = eqn.primitive.name, eqn.params, len(eqn.invars)
    inputs = [len(body.inputs) for body in bodies]
    if name == "scan" and inputs == [taken]:
        constants, carried = compat.scan_sizes(eqn)
        return Kind.LOOP, (constants,), carried
    if name == "while" and len(bodies) == 2:
        closed = params.get("cond_nconsts", -1), params.get("body_nconsts", -1)
        carried = taken - sum(closed)
        if inputs == [number + carried for number in closed]:
            return Kind.LOOP, closed, carried
    if name == "cond" and inputs and set(inputs) == {taken - 1}:
        return Kind.BRANCH, (), 0
    if name in _CALLS and inputs == [taken]:
        return Kind.CALL, (), 0
    return Kind.OTHER, (), 0


def _text(eqn: Any, types: tuple[type, ...], inner: Sequence[Any], *, places: bool) -> str:
    """An equation that holds jaxprs; unless ``places`` count, without the order of what is said of each operand or result."""
    held = _Nested({id(compat.open_jaxpr(holder)): "" for holder in inner})
    name, result_types, params = equation_texts(eqn, types, held)
    if places:
        return f"{name}->{result_types} {params}"
    numbers = {len(eqn.invars), len(eqn.outvars)}
    words = []
    for key, value in sorted(eqn.params.items()):
        if key not in NAMES and isinstance(value, (tuple, list)) and len(value) in numbers:
            words.append(f"{key}={sorted(parameter_text(part, types, held) for part in value)}")
        elif key not in NAMES:
            words.append(f"{key}={parameter_text(value, types, held)}")
    return f"{name}->{sorted(result_types.split('],'))} {';'.join(words)}"
