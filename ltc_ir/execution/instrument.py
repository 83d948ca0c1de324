"""Runs a jaxpr with its plan's counters carried through every loop and branch, and checks that its results are unchanged."""

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
"""The vector of the current space, followed in the program's own space by a matrix per ``shard_map``: a row per device."""
FULL = 2**32 - 1
"""Where a counter stops instead of wrapping around, so that the overflow is detected."""


class Instrumented:
    """A function of a jaxpr's arguments that returns its results, and how often each counted region ran.

    ``start`` is the first value of every counter.
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
        """Run a jaxpr with its own constants."""
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
        increments = _Increments(node)
        for position, eqn in enumerate(jaxpr.eqns):
            operands = [read(atom) for atom in eqn.invars]
            inner = node.inner.get(position)
            if inner is None:
                outputs = compat.bind(eqn, operands)
            else:
                outputs, counts = self.region(eqn, inner, operands, counts, increments)
            values.update(zip(eqn.outvars, outputs, strict=True))
        for variable, choice in node.choices.items():
            increments.add_if(choice.counter.position, values[variable])
        return results(), increments.added_to(counts, node.kind == "while.body")

    def region(
        self, eqn: Any, inner: list[Node], operands: list[Any], counts: Counts, increments: _Increments
    ) -> tuple[list[Any], Counts]:
        """Run an equation that has a plan."""
        kind = inner[0].kind
        if kind == "while.cond":
            return self.loop(eqn, inner, operands, counts)
        if kind == "scan":
            return self.scan(eqn, inner[0], operands, counts)
        if kind == "branch":
            return self.branch(eqn, inner, operands, counts, increments)
        if kind == "shard_map":
            return self.sharded(eqn, inner[0], operands, counts)
        return self.call(eqn, inner[0], operands, counts)

    def call(self, eqn: Any, node: Node, operands: list[Any], counts: Counts) -> tuple[list[Any], Counts]:
        """Run a called jaxpr inline."""
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

        def body(carry: Any, slices: Any) -> Any:
            outputs, counts = self.run(node, [*consts, *carry[0], *slices], carry[1])
            return (outputs[:carries], counts), outputs[carries:]

        (last, counts), stacked = lax.scan(
            body, (first, counts), over, params["length"], reverse=params["reverse"], unroll=params["unroll"]
        )
        return [*last, *stacked], counts

    def loop(self, eqn: Any, inner: list[Node], operands: list[Any], counts: Counts) -> tuple[list[Any], Counts]:
        """A while with the counters in its carry; a condition that counts runs at the end of the body, not twice."""
        condition, body = inner
        split = eqn.params["cond_nconsts"], eqn.params["cond_nconsts"] + eqn.params["body_nconsts"]
        condition_consts, body_consts = operands[: split[0]], operands[split[0] : split[1]]
        avals = [variable.aval for variable in body.jaxpr.outvars]
        first = [typed(value, aval) for value, aval in zip(operands[split[1] :], avals, strict=True)]
        batched = bool(condition.jaxpr.outvars[0].aval.shape)

        def test(carried: Sequence[Any], counts: Counts) -> tuple[Any, Counts]:
            outputs, counts = self.run(condition, [*condition_consts, *carried], counts)
            return outputs[0], counts

        def step(go: Any, carried: Sequence[Any], counts: Counts) -> tuple[list[Any], Counts]:
            outputs, counts = self.run(body, [*body_consts, *carried], counts)
            return (
                [_where(go, new, old) for new, old in zip(outputs, carried, strict=True)] if batched else outputs
            ), counts

        if condition.followed:
            go, counts = test(first, counts)

            def tested(carry: Any) -> Any:
                outputs, counts = step(*carry)
                again, counts = test(outputs, counts)
                return again, outputs, counts

            _, last, counts = lax.while_loop(lambda carry: jnp.any(carry[0]), tested, (go, first, counts))
            return list(last), counts

        def plain(carry: Any) -> Any:
            go = test(carry[0], ())[0] if batched else None
            return step(go, *carry)

        return lax.while_loop(lambda carry: jnp.any(test(carry[0], ())[0]), plain, (first, counts))

    def branch(
        self, eqn: Any, inner: list[Node], operands: list[Any], counts: Counts, increments: _Increments
    ) -> tuple[list[Any], Counts]:
        """A cond: the chosen branch is counted outside of it; only branches that count carry the counters."""
        assert inner[0].counter is not None
        index = lax.clamp(jnp.int32(0), operands[0].astype(jnp.int32), jnp.int32(len(inner) - 1))
        increments.add_at(inner[0].counter.position, index)
        if not any(node.followed for node in inner):
            return compat.bind(eqn, operands), counts
        branches = [lambda arguments, counts, node=node: self.run(node, arguments, counts) for node in inner]
        outputs, counts = lax.switch(operands[0].astype(jnp.int32), branches, operands[1:], counts)
        return list(outputs), counts

    def sharded(self, eqn: Any, node: Node, operands: list[Any], counts: Counts) -> tuple[list[Any], Counts]:
        """A shard_map whose devices each have their own row of counters."""
        params = eqn.params
        axes = tuple(axis for axis in params["mesh"].axis_names if axis in compat.manual_axes(eqn))
        rows = jax.sharding.PartitionSpec(axes)  # type: ignore[no-untyped-call]

        def body(row: Any, *arguments: Any) -> Any:
            outputs, counted = self.run(node, arguments, (row[0],))
            return (counted[0][None], *outputs)

        mapped = jax.shard_map(
            body,
            mesh=params["mesh"],
            in_specs=(rows, *params["in_specs"]),
            out_specs=(rows, *params["out_specs"]),
            axis_names=set(axes),
            check_vma=params["check_vma"],
        )
        at = node.space
        row, *outputs = mapped(counts[at], *operands)
        return outputs, (*counts[:at], row, *counts[at + 1 :])


class _Increments:
    """The increments of the counters by one run of a node, gathered into one addition."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ones: list[int] = []
        self.terms: list[tuple[int, Any]] = []

    def add_at(self, first: int, index: Any) -> None:
        """Increment the counter ``index`` positions after ``first``."""
        self.terms.append((first, index))

    def add_if(self, position: int, value: Any) -> None:
        """Increment the counter at ``position`` if ``value`` is true."""
        self.terms.append((0, lax.select(value, jnp.int32(position), jnp.int32(-1))))

    def added_to(self, counts: Counts, body: bool) -> Counts:
        """The counts after the increments; a full counter stays full."""
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
    """A batched loop's carry: the old value where an example is done."""
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


WARNING = (
    "the counted program's results differ from the plain run's (XLA compiles another program): "
    "a branch that depends on values may have gone the other way"
)


def compare_results(expected: Sequence[Any], results: Sequence[Any]) -> tuple[bool, float | None, tuple[str, ...]]:
    """Whether all results are bitwise identical; else the largest absolute difference, and a warning."""
    pairs = [(_as_numpy(left), _as_numpy(right)) for left, right in zip(expected, results, strict=True)]
    if all(_is_same(left, right) for left, right in pairs):
        return True, None, ()
    return False, max(_difference(left, right) for left, right in pairs), (WARNING,)


def _as_numpy(value: Any) -> np.ndarray[Any, Any]:
    """A result as a numpy array; of a random key its data."""
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value)


def _is_same(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> bool:
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


def _difference(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    """The largest absolute difference of two results; infinite where only one of them is NaN."""
    if left.shape != right.shape:
        return float("inf")
    kind = np.complex128 if np.iscomplexobj(left) else np.float64
    first, second = left.astype(kind), right.astype(kind)
    with np.errstate(all="ignore"):
        apart = np.where((first == second) | (np.isnan(first) & np.isnan(second)), 0.0, np.abs(first - second))
    return float(np.max(np.where(np.isnan(apart), np.inf, apart), initial=0.0))
