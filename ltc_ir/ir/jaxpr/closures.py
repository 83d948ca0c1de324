"""Finds the arrays a program closes over and the first use of each, in the jaxpr, as lowered constants have no line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ltc_ir import compat
from ltc_ir.ir.jaxpr.nesting import nested
from ltc_ir.ir.jaxpr.reader import Reader
from ltc_ir.ir.op import NOWHERE, Origin
from ltc_ir.records import element_types


class Closure(NamedTuple):
    """One closed-over array of more than one element: its bytes, element type and shape, and the origin of its first use."""

    bytes: int
    type: str
    origin: Origin


def of_jaxpr(closed: Any, reader: Reader) -> tuple[Closure, ...]:
    """The arrays of a closed jaxpr and of those nested in it, each once, largest first.

    ``reader`` gives the origins; it has read the jaxpr. A jaxpr used twice is reported at its first use.
    """
    closures: list[Closure] = []
    visited: set[int] = set()
    arrays: set[int] = set()
    pending: list[tuple[Any, Origin]] = [(closed, NOWHERE)]
    while pending:
        holder, outer = pending.pop()
        jaxpr = compat.open_jaxpr(holder)
        if id(jaxpr) in visited:
            continue
        visited.add(id(jaxpr))
        for variable, value in _closed_over(holder, jaxpr):
            if id(value) not in arrays:
                arrays.add(id(value))
                closures.append(_closure(variable, jaxpr, outer, reader))
        for position, eqn in reversed([*enumerate(jaxpr.eqns)]):
            inner = [child for _, child in nested(eqn.params, reader.types)]
            if inner:
                origin = reader.origin_in(jaxpr, position).within(outer)
                pending += [(child, origin) for child in reversed(inner)]
    return tuple(sorted(closures, key=lambda closure: (-closure.bytes, closure.type)))


def _closed_over(holder: Any, jaxpr: Any) -> Iterator[tuple[Any, Any]]:
    """The variables of a jaxpr that are constant arrays, and the array literals of its equations (as 0.7 on can write them)."""
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
    """The origin of the innermost equation that uses a variable first, followed into the jaxprs it is passed to."""
    origin = outer
    while True:
        users = (place for place, eqn in enumerate(jaxpr.eqns) if any(operand is variable for operand in eqn.invars))
        place = next(users, None)
        if place is None:
            return origin
        user = jaxpr.eqns[place]
        origin = reader.origin_in(jaxpr, place).within(origin)
        position = next(number for number, operand in enumerate(user.invars) if operand is variable)
        inner = [compat.open_jaxpr(child) for _, child in nested(user.params, reader.types)]
        takers = [child for child in inner if len(child.invars) == len(user.invars)]
        if not takers:
            return origin
        jaxpr, variable = takers[0], takers[0].invars[position]


def values(closed: Any) -> Iterator[Any]:
    """The values that a closed jaxpr and those nested in it close over, scalars and keys too, in program order."""
    types = compat.jaxpr_types(closed)
    visited: set[int] = set()
    pending = [closed]
    while pending:
        holder = pending.pop()
        jaxpr = compat.open_jaxpr(holder)
        if id(jaxpr) not in visited:
            visited.add(id(jaxpr))
            yield from getattr(holder, "consts", ())
            literals = [operand.val for eqn in jaxpr.eqns for operand in eqn.invars if hasattr(operand, "val")]
            yield from (value for value in literals if getattr(value, "shape", ()))
            pending += reversed([child for eqn in jaxpr.eqns for _, child in nested(eqn.params, types)])
