"""The work of each equation: the arithmetic of one run, and how often it runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ltc_ir.execution.counter_plan import UncountableError
from ltc_ir.execution.flops import ELEMENTWISE, FREE, KINDS, REDUCTIONS, TRANSCENDENTAL, of_equation
from ltc_ir.execution.measured import count_on_devices
from ltc_ir.tables.equations import Equations
from ltc_ir.tables.follow import IN_KERNEL, Amount, Runs
from ltc_ir.tables.inspected import Inspected

IN_ITS_BODY = "the equations that it holds do the work"


class Amounts:
    """The arithmetic of one run of each equation, by its mark."""

    def __init__(self, equations: Equations) -> None:
        self.equations = equations
        self._by_shapes: dict[Any, Amount] = {}

    def of(self, mark: int) -> Amount:
        """The arithmetic of one run of an equation."""
        if mark in self.equations.held:
            return Amount(None, None, IN_ITS_BODY)
        eqn = self.equations.equation(mark)
        if eqn.primitive.name not in _BY_SHAPES:
            used = _variables_used(self.equations.jaxpr(mark)) if eqn.primitive.name == "qr" else None
            return _amount(eqn, used)
        key = (eqn.primitive.name, *[_shape(variable.aval) for variable in (*eqn.invars, *eqn.outvars)])
        amount = self._by_shapes.get(key)
        if amount is None:
            amount = self._by_shapes[key] = _amount(eqn)
        return amount


_BY_SHAPES = ELEMENTWISE | TRANSCENDENTAL | REDUCTIONS | FREE
"""The primitives whose arithmetic follows from the shapes and types of their operands and results."""


def _shape(aval: Any) -> Any:
    return getattr(aval, "shape", None), getattr(aval, "dtype", None)


def _amount(eqn: Any, used: Collection[int] | None = None) -> Amount:
    amounts = of_equation(eqn, used)
    if amounts.left_out:
        return Amount(None, None, f"there is no formula for {eqn.primitive.name}")
    kinds = amounts.by_kind
    return Amount(sum(kinds[kind] for kind in KINDS), kinds["transcendentals"])


def _variables_used(jaxpr: Any) -> set[int]:
    return {id(variable) for eqn in jaxpr.eqns for variable in eqn.invars} | set(map(id, jaxpr.outvars))


def runs_of(equations: Equations, inspected: Inspected) -> Runs:
    """How often each equation runs: by static trip counts where they suffice, else by a run with counters.

    What is counted is the marked program without dead code, whose equations keep their marks.
    """
    try:
        counted = count_on_devices(inspected.staged, inspected.request, inspected.ownership)
    except UncountableError as error:
        return Runs(reason=str(error))
    busiest, stream = counted.busiest, counted.reader.stream
    runs: dict[int, int] = {}
    reasons = {mark: IN_KERNEL for index in equations.unmarked for mark in equations.marks.numbers[index]}
    unknown = dict(busiest.unknown_bodies)
    for index in counted.fold.order:
        for edge in stream.bodies[index].edges if index in unknown else ():
            unknown.setdefault(edge.child, unknown[index])
    for index, jaxpr in enumerate(counted.reader.pending):
        for eqn in jaxpr.eqns:
            path = equations.marks.path(str(eqn.source_info.name_stack))
            if path and index in unknown:
                reasons[path[-1]] = unknown[index]
            elif path:
                runs[path[-1]] = runs.get(path[-1], 0) + busiest.bodies[index]
    return Runs(runs, counted.how, reasons)
