"""The arrays a program closes over, and who uses each first: lowered constants bear no line, so the jaxpr is asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ltc_ir import compat
from ltc_ir.ir.jaxpr.reader import Reader, nested
from ltc_ir.ir.op import NOWHERE, Origin
from ltc_ir.records import element_types


class Closure(NamedTuple):
    """One closed-over array of more than one element: its bytes, element type and shape, and the origin of its first use."""

    bytes: int
    type: str
    origin: Origin


def of_jaxpr(closed: Any, reader: Reader) -> tuple[Closure, ...]:
    """The arrays of a closed jaxpr and of those nested in it, each once, largest first.

    ``reader`` tells origins; it has read the jaxpr. A jaxpr used twice is told where it is met first.
    """
    found: list[Closure] = []
    seen: set[int] = set()
    arrays: set[int] = set()
    pending: list[tuple[Any, Origin]] = [(closed, NOWHERE)]
    while pending:
        holder, outer = pending.pop()
        jaxpr = compat.open_jaxpr(holder)
        if id(jaxpr) in seen:
            continue
        seen.add(id(jaxpr))
        for variable, value in _closed_over(holder, jaxpr):
            if id(value) not in arrays:
                arrays.add(id(value))
                found.append(_closure(variable, jaxpr, outer, reader))
        for eqn in reversed(jaxpr.eqns):
            inner = [one for _, one in nested(eqn.params, reader.types)]
            if inner:
                origin = reader.origin(eqn.source_info).within(outer)
                pending += [(one, origin) for one in reversed(inner)]
    return tuple(sorted(found, key=lambda one: (-one.bytes, one.type)))


def _closed_over(holder: Any, jaxpr: Any) -> Iterator[tuple[Any, Any]]:
    """The variables of a jaxpr that stand for arrays, and the array literals of its equations (as 0.7 on can write them)."""
    for variable, value in zip(jaxpr.constvars, getattr(holder, "consts", ()), strict=False):
        if _is_array(variable.aval):
            yield variable, value
    for eqn in jaxpr.eqns:
        for operand in eqn.invars:
            if hasattr(operand, "val") and _is_array(operand.aval):
                yield operand, operand.val


def _is_array(aval: Any) -> bool:
    return bool(getattr(aval, "shape", ()))


def _closure(variable: Any, jaxpr: Any, outer: Origin, reader: Reader) -> Closure:
    aval = variable.aval
    sizes = [size for size in aval.shape if isinstance(size, int)]
    size = int(math.prod(sizes)) * int(getattr(aval.dtype, "itemsize", 0))
    kind = f"{element_types.of_dtype(aval.dtype)}[{','.join(map(str, aval.shape))}]"
    return Closure(size, kind, _first_use(variable, jaxpr, outer, reader))


def _first_use(variable: Any, jaxpr: Any, outer: Origin, reader: Reader) -> Origin:
    """The origin of the innermost equation that takes a variable first, followed into what it is handed on to."""
    origin = outer
    while True:
        user = next((eqn for eqn in jaxpr.eqns if any(operand is variable for operand in eqn.invars)), None)
        if user is None:
            return origin
        origin = reader.origin(user.source_info).within(origin)
        position = next(number for number, operand in enumerate(user.invars) if operand is variable)
        inner = [compat.open_jaxpr(one) for _, one in nested(user.params, reader.types)]
        takers = [one for one in inner if len(one.invars) == len(user.invars)]
        if not takers:
            return origin
        jaxpr, variable = takers[0], takers[0].invars[position]


def values(closed: Any) -> Iterator[Any]:
    """What a closed jaxpr and those nested in it close over, scalars and keys too, in the order in which it is met."""
    types = compat.jaxpr_types(closed)
    seen: set[int] = set()
    pending = [closed]
    while pending:
        holder = pending.pop()
        jaxpr = compat.open_jaxpr(holder)
        if id(jaxpr) not in seen:
            seen.add(id(jaxpr))
            yield from getattr(holder, "consts", ())
            literals = [operand.val for eqn in jaxpr.eqns for operand in eqn.invars if hasattr(operand, "val")]
            yield from (value for value in literals if getattr(value, "shape", ()))
            pending += reversed([one for eqn in jaxpr.eqns for _, one in nested(eqn.params, types)])
