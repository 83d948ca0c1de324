"""Runs a jaxpr with its plan's counters carried along: one vector through every loop and branch, results as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ltc_ir import compat
from ltc_ir.execution.counter_plan import Node, Plan

Counts = tuple[Any, ...]
"""The vector of the space at hand, and in the program's own a matrix for each ``shard_map``: a row a device."""
FULL = 2**32 - 1
"""Where a counter stops: one that would wrap around stays here, so that it is known for what it is."""


class Instrumented:
    """A function of a jaxpr's arguments that gives its results, and how often each counted region ran.

    ``start`` is what every counter begins at.
    """

    def __init__(self, plan: Plan, start: int = 0) -> None:
        self.plan = plan
        self.start = start

    def __call__(self, *arguments: Any) -> tuple[list[Any], Counts]:
        """Run the jaxpr; to be traced by `jax.jit`."""
        plan = self.plan
        shapes = zip(plan.sizes[1:], plan.devices[1:], strict=True)
        counts = (self._full((plan.sizes[0],)), *(self._full((devices, size)) for size, devices in shapes))
        return self.run(plan.main, list(arguments), counts)

    def _full(self, shape: tuple[int, ...]) -> Any:
        return jnp.full(shape, self.start, jnp.uint32)

    def run(self, node: Node, arguments: Sequence[Any], counts: Counts) -> tuple[list[Any], Counts]:
        """Run a jaxpr, its constants those it holds."""
        jaxpr = node.jaxpr
        values: dict[Any, Any] = {}
        values.update(zip(jaxpr.constvars, getattr(node.holder, "consts", ()), strict=False))
        values.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> Any:
            return _literal(atom) if hasattr(atom, "val") else values[atom]

        def results() -> list[Any]:
            return [typed(read(atom), atom.aval) for atom in jaxpr.outvars]

        if not node.followed:
            for eqn in jaxpr.eqns:
                values.update(zip(eqn.outvars, compat.bind(eqn, [read(atom) for atom in eqn.invars]), strict=True))
            return results(), counts
        tally = _Increment(node)
        for position, eqn in enumerate(jaxpr.eqns):
            operands = [read(atom) for atom in eqn.invars]
            inner = node.inner.get(position)
            if inner is None:
                made = compat.bind(eqn, operands)
            else:
                made, counts = self.region(eqn, inner, operands, counts, tally)
            values.update(zip(eqn.outvars, made, strict=True))
        for variable, choice in node.choices.items():
            tally.true(choice.counter.position, values[variable])
        return results(), tally.added(counts, node.kind == "while.body")

    def region(
        self, eqn: Any, inner: list[Node], operands: list[Any], counts: Counts, tally: _Increment
    ) -> tuple[list[Any], Counts]:
        """Run an equation that is planned for."""
        kind = inner[0].kind
        if kind == "while.cond":
            return self.loop(eqn, inner, operands, counts)
        if kind == "scan":
            return self.scan(eqn, inner[0], operands, counts)
        if kind == "branch":
            return self.branch(eqn, inner, operands, counts, tally)
        if kind == "shard_map":
            return self.sharded(eqn, inner[0], operands, counts)
        return self.call(eqn, inner[0], operands, counts)

    def call(self, eqn: Any, node: Node, operands: list[Any], counts: Counts) -> tuple[list[Any], Counts]:
        """Run what is called as if it stood here."""
        name, params = eqn.primitive.name, eqn.params
        if name == "custom_linear_solve":
            lengths = params["const_lengths"]
            before = lengths.matvec + lengths.vecmat
            right = operands[sum(lengths) :]
            operands = [*operands[before : before + lengths.solve], *right]
        elif name == "cond":
            operands = operands[1:]
        elif params.get("prevent_cse") and params.get("differentiated") and operands:
            operands = list(lax.optimization_barrier(tuple(operands)))  # type: ignore[no-untyped-call]
        return self.run(node, operands, counts)

    def scan(self, eqn: Any, node: Node, operands: list[Any], counts: Counts) -> tuple[list[Any], Counts]:
        """A scan with the counters in its carry."""
        params = eqn.params
        constants, carries = compat.scan_sizes(eqn)
        consts, over = operands[:constants], operands[constants + carries :]
        avals = [variable.aval for variable in node.jaxpr.invars[constants:][:carries]]
        first = [typed(value, aval) for value, aval in zip(operands[constants:][:carries], avals, strict=True)]

        def body(carry: Any, now: Any) -> Any:
            made, counted = self.run(node, [*consts, *carry[0], *now], carry[1])
            return (made[:carries], counted), made[carries:]

        (last, counts), stacked = lax.scan(
            body, (first, counts), over, params["length"], reverse=params["reverse"], unroll=params["unroll"]
        )
        return [*last, *stacked], counts

    def loop(self, eqn: Any, inner: list[Node], operands: list[Any], counts: Counts) -> tuple[list[Any], Counts]:
        """A while with the counters in its carry; a condition that counts is run at the end of the body, not twice."""
        condition, body = inner
        split = eqn.params["cond_nconsts"], eqn.params["cond_nconsts"] + eqn.params["body_nconsts"]
        asked, given = operands[: split[0]], operands[split[0] : split[1]]
        avals = [variable.aval for variable in body.jaxpr.outvars]
        first = [typed(value, aval) for value, aval in zip(operands[split[1] :], avals, strict=True)]
        batched = bool(condition.jaxpr.outvars[0].aval.shape)

        def test(carried: Sequence[Any], counts: Counts) -> tuple[Any, Counts]:
            made, counts = self.run(condition, [*asked, *carried], counts)
            return made[0], counts

        def step(go: Any, carried: Sequence[Any], counts: Counts) -> tuple[list[Any], Counts]:
            made, counts = self.run(body, [*given, *carried], counts)
            return ([_where(go, new, old) for new, old in zip(made, carried, strict=True)] if batched else made), counts

        if condition.followed:
            go, counts = test(first, counts)

            def tested(carry: Any) -> Any:
                made, counted = step(*carry)
                again, counted = test(made, counted)
                return again, made, counted

            _, last, counts = lax.while_loop(lambda carry: jnp.any(carry[0]), tested, (go, first, counts))
            return list(last), counts

        def plain(carry: Any) -> Any:
            go = test(carry[0], ())[0] if batched else None
            return step(go, *carry)

        return lax.while_loop(lambda carry: jnp.any(test(carry[0], ())[0]), plain, (first, counts))

    def branch(
        self, eqn: Any, inner: list[Node], operands: list[Any], counts: Counts, tally: _Increment
    ) -> tuple[list[Any], Counts]:
        """A cond: which branch was taken is counted outside of it, and only what counts inside has the counters."""
        assert inner[0].counter is not None
        index = lax.clamp(jnp.int32(0), operands[0].astype(jnp.int32), jnp.int32(len(inner) - 1))
        tally.one_of(inner[0].counter.position, index)
        if not any(node.followed for node in inner):
            return compat.bind(eqn, operands), counts
        branches = [lambda given, counts, node=node: self.run(node, given, counts) for node in inner]
        made, counts = lax.switch(operands[0].astype(jnp.int32), branches, operands[1:], counts)
        return list(made), counts

    def sharded(self, eqn: Any, node: Node, operands: list[Any], counts: Counts) -> tuple[list[Any], Counts]:
        """A shard_map whose devices each have their own row of counters."""
        params = eqn.params
        axes = tuple(axis for axis in params["mesh"].axis_names if axis in compat.manual_axes(eqn))
        rows = jax.sharding.PartitionSpec(axes)  # type: ignore[no-untyped-call]

        def body(row: Any, *given: Any) -> Any:
            made, counted = self.run(node, given, (row[0],))
            return (counted[0][None], *made)

        mapped = jax.shard_map(
            body,
            mesh=params["mesh"],
            in_specs=(rows, *params["in_specs"]),
            out_specs=(rows, *params["out_specs"]),
            axis_names=set(axes),
            check_vma=params["check_vma"],
        )
        at = node.space
        row, *made = mapped(counts[at], *operands)
        return made, (*counts[:at], row, *counts[at + 1 :])


class _Increment:
    """What one run of a node adds to the counters, gathered so that it is one addition."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ones: list[int] = []
        self.terms: list[tuple[int, Any]] = []

    def one_of(self, first: int, index: Any) -> None:
        """Count the counter ``index`` after ``first``."""
        self.terms.append((first, index))

    def true(self, position: int, value: Any) -> None:
        """Count ``position`` if ``value`` is true."""
        self.terms.append((0, lax.select(value, jnp.int32(position), jnp.int32(-1))))

    def added(self, counts: Counts, body: bool) -> Counts:
        """The counts with the additions made; a full counter stays full."""
        if not self.terms and not body:
            return counts
        old = counts[0]
        at = lax.iota(jnp.int32, old.shape[0])
        total = np.zeros(old.shape, np.uint32)
        if body and self.node.counter is not None:
            total[self.node.counter.position] = 1
        more: Any = jnp.asarray(total)
        for first, index in self.terms:
            hit = at == lax.broadcast(index + jnp.int32(first) if first else index, old.shape)
            more = more + hit.astype(jnp.uint32)
        return (lax.max(old, old + more), *counts[1:])


def _where(go: Any, new: Any, old: Any) -> Any:
    """A batched loop's carry: where an example is done, what it was."""
    return lax.select(lax.broadcast_in_dim(go, new.shape, tuple(range(go.ndim))), new, old)


def _literal(atom: Any) -> Any:
    """The value of a literal, which may be a Python number and has the type of its variable."""
    value = atom.val
    return np.asarray(value, atom.aval.dtype) if isinstance(value, bool | int | float | complex) else value


def typed(value: Any, aval: Any) -> Any:
    """A value of exactly the type its variable has: loops refuse a carry that is weakly typed at first only."""
    dtype = getattr(aval, "dtype", None)
    if dtype is None or jnp.issubdtype(dtype, jax.dtypes.extended) or hasattr(aval, "inner_aval"):
        return value
    if getattr(value, "dtype", None) == dtype and not getattr(value, "weak_type", False):
        return value
    return lax.convert_element_type(value, dtype)
