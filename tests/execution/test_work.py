"""The arithmetic of what ran: by hand, beside XLA's own figures, and what it leaves out by name, also if JAX has it anew."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import mlir
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import ltc_ir
from ltc_ir.execution import flops as arithmetic
from ltc_ir.execution.counter_plan import Planner
from ltc_ir.records.count import Work
from ltc_ir.records.serialization import dumps, loads, to_data
from ltc_ir.render.layouts.count import executed_sheets
from ltc_ir.rules.names import vocabulary

pytestmark = pytest.mark.versions

X = jnp.linspace(0.1, 1.0, 16)
A = jnp.eye(4) + 0.1
S = jax.ShapeDtypeStruct


def counted(fn: Any, *args: Any) -> Any:
    return ltc_ir.count(fn, args=args, programs=["forward"], levels=["jaxpr"], executed=True)


def work(fn: Any, *args: Any) -> Work:
    return counted(fn, *args).programs["forward"]["jaxpr"].executed.work


def by_xla(fn: Any, *args: Any) -> float:
    costs = jax.jit(fn).lower(*args).compile().cost_analysis()
    return (costs[0] if isinstance(costs, list) else costs)["flops"]


def ragged(rows: int, groups: int) -> Any:
    sizes = jnp.array([rows // groups] * groups)
    return lambda x: lax.ragged_dot(x, jnp.ones((groups, x.shape[1], 5)), sizes)


def pooled_gradient(x: Any) -> Any:
    return jax.grad(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID").sum())(x)


def window(init: float, fn: Any, size: int) -> Any:
    return lambda x: lax.reduce_window(x, init, fn, (size,), (1,), "VALID")


BY_HAND = {
    "rows of a ragged dot": (ragged(8, 2), jnp.ones((8, 3)), {"dot_general": 2 * 8 * 3 * 5}),
    "however many groups": (ragged(8, 4), jnp.ones((8, 3)), {"dot_general": 2 * 8 * 3 * 5}),
    "sums over a window": (window(0.0, lax.add, 3), X, {"reductions": 14 * 2}),
    "maxima over a window": (window(-jnp.inf, lax.max, 5), X, {"reductions": 12 * 4}),
    "a window of one": (window(0.0, lax.add, 1), X, {}),
    "cumulative sums": (lax.cumsum, X, {"reductions": 15}),
    "cumulative products of rows": (lambda x: lax.cumprod(x, axis=1), jnp.ones((3, 7)), {"reductions": 3 * 6}),
    "updates that are added": (lambda x: x.at[jnp.array([0, 1, 1])].add(x[:3]), X, {"reductions": 3}),
    "updates that multiply": (lambda x: x.at[jnp.array([0, 1])].multiply(x[:2]), X, {"reductions": 2}),
    "updates that replace": (lambda x: x.at[jnp.array([0, 1, 1])].set(x[:3]), X, {}),
    "sums of nothing": (lambda x: x[:0].sum(), X, {}),
    "the gradient of a pool": (pooled_gradient, X, {"reductions": 8}),
    "order": (lambda x: (jnp.sort(x), lax.top_k(x, 3), jnp.argmax(x)), X, {}),
    "moving about": (lambda x: lax.optimization_barrier(jnp.concatenate([x[::-1], x]).reshape(4, 8).T), X, {}),
    "a search": (lambda x: jnp.searchsorted(x, x * 1) * 2, X, {"elementwise": 16}),
    "rows taken apart and put together": (lambda x: jnp.stack(jnp.unstack(x.reshape(4, 4))[::-1]), X, {}),
    "integers": (lambda x: jnp.cumsum(x) + x @ x, jnp.arange(4), {}),
    "random bits": (lambda x: jax.random.bits(jax.random.key(x)), jnp.uint32(3), {}),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_by_hand(what):
    fn, x, flops = BY_HAND[what]
    made = work(fn, x)
    assert (made.flops, made.in_no_flops) == (flops, {})


@pytest.mark.skipif(not hasattr(lax, "polynomial"), reason="from JAX 0.12 on")
def test_a_polynomial():
    def f(x: Any) -> Any:
        return lax.polynomial(x, [1.0, 5.0, 2.0, 3.0])

    assert work(f, X).flops == {"elementwise": 2 * 3 * 16}
    assert by_xla(f, X) == 2 * 3 * 16


def test_the_derivative_of_tanh():
    """A primitive of its own from JAX 0.12 on, where XLA counts the arithmetic it becomes."""

    def f(x: Any, y: Any) -> Any:
        return jax.vjp(jnp.tanh, x)[1](y)[0]

    made = work(f, X, X)
    assert (made.total_flops, made.in_no_flops) == (by_xla(f, X, X), {})


def test_a_sum_over_devices_is_named():
    mesh = Mesh(np.array(jax.devices()[:1]), ("d",))
    summed = jax.shard_map(lambda x: lax.psum(x, "d"), mesh=mesh, in_specs=P("d"), out_specs=P())
    (name,) = work(summed, X).in_no_flops
    assert name.startswith("psum")


def test_a_region_that_was_not_followed_is_named(monkeypatch):
    """What a loop computes whose runs are not known is in no flops, and not as if it had not run."""
    monkeypatch.setattr(Planner, "loop", lambda self, node, position, eqn: node.refused.update({position: "why"}))
    made = counted(lambda x: lax.while_loop(lambda c: c.sum() < 40, lambda c: c * 2, x) * 3, X)
    executed = made.programs["forward"]["jaxpr"].executed
    assert executed.work.in_no_flops == {"while": 1}


def test_a_ragged_dot_whose_contraction_is_ragged():
    numbers = lax.RaggedDotDimensionNumbers((((0,), (0,)), ((), ())), [0], [])
    made = work(lambda x: lax.ragged_dot_general(x, jnp.ones((8, 5)), jnp.array([2, 6]), numbers), jnp.ones((8, 3)))
    assert made.flops == {"dot_general": 2 * 8 * 3 * 5}


SAME_AS_XLA = {
    "sums over a window": (window(0.0, lax.add, 3), X),
    "maxima over a window": (window(-jnp.inf, lax.max, 5), X),
    "sums over two-dimensional windows": (
        lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 3), (2, 1), "VALID"), jnp.ones((8, 9))
    ),
    "a reduction": (lambda x: x.sum(axis=0), jnp.ones((6, 5))),
    "a batch of products": (lambda x: jnp.einsum("bij,bjk->bik", x, x), jnp.ones((3, 4, 4))),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME_AS_XLA)
def test_as_xla_counts_it(what):
    fn, x = SAME_AS_XLA[what]
    made = work(fn, x)
    assert made.total_flops == by_xla(fn, x) > 0
    assert made.in_no_flops == {}


def called_back(x: Any) -> Any:
    return jax.pure_callback(np.asarray, S(x.shape, x.dtype), x)


LEFT_OUT = {
    "gamma": (lambda x: jax.random.gamma(jax.random.key(0), x), X, {"random_gamma": 1}),
    "cumulative logsumexp": (lax.cumlogsumexp, X, {"cumlogsumexp": 1}),
    "a reduction by a function": (
        lambda x: lax.reduce(x, 0.0, lambda a, b: a + b * 2, (0,)), X, {"reduce": 1}
    ),
    "updates by a function": (
        lambda x: lax.scatter_apply(x, jnp.array([[0]]), jnp.sin, lax.ScatterDimensionNumbers((), (0,), (0,)),
                                    update_shape=(1,)),
        X, {"scatter": 1},
    ),
    "host": (called_back, X, {"pure_callback": 1}),
    "in a loop": (lambda x: lax.fori_loop(0, 5, lambda _, c: called_back(c) * 2, x), X, {"pure_callback": 5}),
}  # fmt: skip


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_has_no_formula_is_named_and_how_often_it_ran(what):
    fn, x, names = LEFT_OUT[what]
    assert work(fn, x).in_no_flops == names


def test_what_a_measured_loop_leaves_out():
    made = counted(lambda x: lax.while_loop(lambda c: c.sum() < 40, lambda c: called_back(c) * 2, x), jnp.ones(2))
    executed = made.programs["forward"]["jaxpr"].executed
    (loop,) = executed.regions
    assert loop.iterations == 5
    assert executed.work.in_no_flops == {"pure_callback": 5}


def unheard_of() -> Primitive:
    """A primitive that JAX does not have, which copies its operand."""
    made = Primitive("unheard_of")
    made.def_abstract_eval(lambda aval: aval)
    mlir.register_lowering(made, lambda ctx, operand: [operand])
    return made


@pytest.mark.parametrize(("operand", "named"), [(X, {"unheard_of": 3}), (jnp.arange(3), {})])
def test_a_primitive_that_nobody_knows_is_named_where_it_works_on_floating_point_numbers(operand, named):
    primitive = unheard_of()
    made = work(lambda x: lax.scan(lambda c, _: (primitive.bind(c), None), x, None, length=3)[0], operand)
    assert made.in_no_flops == named


def test_no_name_is_counted_twice_or_misspelt():
    sets = (
        arithmetic.ELEMENTWISE, arithmetic.TRANSCENDENTAL, arithmetic.REDUCTIONS, arithmetic.CUMULATIVE,
        arithmetic.WINDOWED, arithmetic.SCATTERS, arithmetic.FREE,
    )  # fmt: skip
    names = [name for one in sets for name in one]
    assert len(names) == len(set(names))
    assert {name.replace("-", "_") for name in names} <= vocabulary("jaxpr")


def test_the_table_says_at_least_and_what_is_left_out():
    (sheet,) = (one for one in executed_sheets(counted(lambda x: called_back(x) * 2, X), None) if "work" in one.title)
    assert sheet.rows[0][:2] == ("flops, at least", 16)
    assert sheet.notes == ("in no flops, and how often each ran: pure_callback 1",)
    (sheet,) = (one for one in executed_sheets(counted(lambda x: x * 2, X), None) if "work" in one.title)
    assert sheet.rows[0][:2] == ("flops", 16) and sheet.notes == ()


def test_json_has_it_and_a_record_from_before_is_readable():
    made = counted(lambda x: called_back(x) * 2, X)
    data = to_data(made)
    assert loads(dumps(data)).programs == made.programs
    work = data["programs"]["forward"]["jaxpr"]["executed"]["work"]
    assert work.pop("in_no_flops") == {"pure_callback": 1}
    assert loads(dumps(data)).programs["forward"]["jaxpr"].executed.work.in_no_flops == {}
