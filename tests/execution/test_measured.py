"""What a run tells: by host callbacks, by phase, on each device, in the LTC; and what it does not tell, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import pallas as pl
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import ltc_ir
from ltc_ir.execution.counter_plan import make_plan
from ltc_ir.execution.instrument import FULL, Instrumented
from ltc_ir.lab.models import common, ltc
from ltc_ir.records.serialization import dumps, loads
from tests.execution import oracle
from tests.execution.programs import V, until

pytestmark = [pytest.mark.versions, pytest.mark.early, pytest.mark.usefixtures("quick_compile")]


def ran(fn, *args, **asked):
    return level(fn, *args, **asked).executed


def level(fn, *args, **asked):
    made = ltc_ir.count(fn, args=args, programs=["forward"], levels=["jaxpr"], executed=True, **asked)
    return made.programs["forward"]["jaxpr"]


class Told:
    """Calls of a host callback, put by hand where something is counted."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def here(self, name: str, value: Any) -> None:
        jax.debug.callback(lambda _: self.calls.update([name]), value)


def test_loops_and_branches_by_host_callbacks():
    def f(x: Any, told: Told | None) -> Any:
        def note(name: str, value: Any) -> None:
            if told is not None:
                told.here(name, value)

        def left(c: Any) -> Any:
            note("cond.branches[1]", c)
            return jnp.sin(c) * 4

        def right(c: Any) -> Any:
            note("cond.branches[0]", c)
            return c * 1.5 + 1

        def body(c: Any) -> Any:
            note("while", c)
            return lax.cond(c.sum() > 4, left, right, c) + 0.3

        return lax.while_loop(lambda c: c.sum() < 9, body, x)

    told = Told()
    jax.block_until_ready(jax.jit(lambda x: f(x, told))(V))
    jax.effects_barrier()
    assert told.calls["cond.branches[1]"] and told.calls["cond.branches[0]"]
    regions = ran(lambda x: f(x, None), V).regions
    assert {region.kind: region.iterations for region in regions} == told.calls


def test_every_evaluation_of_the_ltc_is_counted():
    params = ltc.MODEL.flatten(ltc.MODEL.init(jax.random.key(0)))
    told = Told()
    plain = ran(ltc.MODEL.grad, params)

    def telling(record: Any, state: Any, inputs: Any) -> Any:
        told.here("evaluation", state)
        return ltc.dynamics(record, state, inputs)

    model = common.Model("ltc", ltc.Params, telling, starting={"tau0": 1.0})
    jax.block_until_ready(jax.jit(model.grad)(params))
    jax.effects_barrier()
    assert plain.tally.ops["tanh"] == told.calls["evaluation"]
    assert plain.identical
    assert set(plain.tally.phases) == {"forward", "backward"}
    assert all(ops["tanh"] > 1 for ops in plain.tally.phases.values())


def test_the_ltc_equals_the_interpreter():
    params = jnp.zeros(ltc.MODEL.size())
    made = level(ltc.MODEL.rollout, params)
    assert Counter(made.executed.tally.ops) == oracle.executed(ltc.MODEL.rollout, (params,))[1]
    assert made.executed.tally.ops["dot_general"] > made.tally.ops["dot_general"]


def test_accepted_steps_of_a_solver_can_be_read_off():
    made = ran(ltc.MODEL.rollout, ltc.MODEL.flatten(ltc.MODEL.init(jax.random.key(0))))
    (steps,) = (one for one in made.regions if one.kind == "while")
    accepted = [one for one in made.regions if one.kind == "select le" and one.entered == steps.iterations]
    assert steps.entered == 99
    assert any(99 <= one.iterations < steps.iterations for one in accepted)


def test_phases_partition_and_a_backward_loop_is_backward():
    @jax.custom_vjp
    def f(x: Any) -> Any:
        return until(30)(x)

    f.defvjp(lambda x: (until(30)(x), x), lambda x, g: (until(700)(x) * g,))
    made = ran(jax.value_and_grad(lambda x: f(x).sum()), V)
    forward, backward = (
        {one.phase: one.iterations for one in made.regions}[phase] for phase in ("forward", "backward")
    )
    assert made.tally.phases["forward"]["sin"] == forward < backward == made.tally.phases["backward"]["sin"]
    assert sum(sum(ops.values()) for ops in made.tally.phases.values()) == made.tally.total


def test_groups_sum_to_the_total():
    made = ran(lambda x: until(30)(x) + jax.jit(until(50))(x), V, by=("region",))
    assert sum(group.tally.total for group in made.by) == made.tally.total
    assert made.calls == {next(iter(made.calls)): 1}


# devices


def _mapped(fn: Any, devices: int = 4) -> Any:
    mesh = Mesh(np.array(jax.devices()[:devices]), ("d",))
    return jax.shard_map(fn, mesh=mesh, in_specs=P("d"), out_specs=P("d"))


def _each(x: Any) -> Any:
    y = lax.while_loop(lambda c: c.sum() < 100, lambda c: c * 2 + jnp.sin(c), x)
    return lax.cond(y[0] > 120, jnp.cos, jnp.tanh, y)


@pytest.mark.skipif(jax.device_count() < 4, reason="needs 4 devices")
@pytest.mark.parametrize("outside", [False, True])
def test_each_device_of_a_shard_map_counts_for_itself(outside):
    x = jnp.array([1.0, 3.0, 30.0, 300.0])
    alone = [ran(_each, jnp.array([one])) for one in x]
    loops = [sum(one.iterations for one in made.regions if one.kind == "while") for made in alone]
    assert len(set(loops)) > 2
    mapped = _mapped(_each)
    times = 3 if outside else 1
    fn = (lambda x: lax.scan(lambda c, _: (c, mapped(x)), x, None, length=3)[1]) if outside else mapped
    made = ran(fn, x)
    (loop,) = (one for one in made.regions if one.kind == "while")
    assert (loop.least, loop.most) == (times * min(loops), times * max(loops))
    assert made.tally.ops["sin"] == times * max(loops)
    assert made.devices is not None and made.devices["least"] < made.devices["most"] == made.tally.total
    assert made.identical


# dead code, arithmetic, what cannot be counted


def test_dead_code_is_not_counted():
    made = ran(lambda x: (until(1e9)(x), jnp.cos(x))[1], V)
    assert dict(made.tally.ops) == {"cos": 1}
    assert made.how == "static"


def test_true_flops_of_a_scan_are_those_of_the_unrolled_program():
    w = jnp.eye(8) * 0.5

    def unrolled(x: Any) -> Any:
        for _ in range(100):
            x = w @ x
        return x

    looped = ran(lambda x: lax.scan(lambda c, _: (w @ c, None), x, None, length=100)[0], jnp.ones(8)).work
    straight = ran(unrolled, jnp.ones(8)).work
    assert looped.flops == straight.flops == {"dot_general": 100 * 2 * 8 * 8}
    costs = jax.jit(unrolled).lower(jnp.ones(8)).compile().cost_analysis()
    costs = costs[0] if isinstance(costs, list) else costs
    assert looped.total_flops == costs["flops"]


def test_true_flops_of_a_measured_loop_stand_beside_those_of_xla():
    w = jnp.eye(8) * 2
    made = ran(lambda x: lax.while_loop(lambda c: c.sum() < 1e5, lambda c: w @ c, x), jnp.ones(8))
    (loop,) = made.regions
    assert made.work.flops["dot_general"] == loop.iterations * 2 * 8 * 8
    assert made.work.xla_flops < made.work.total_flops


def test_flops_of_a_convolution_equal_those_of_xla():
    def f(x: Any, w: Any) -> Any:
        return lax.conv_general_dilated(x, w, (1, 1), "VALID", feature_group_count=2)

    args = (jnp.ones((2, 4, 9, 9)), jnp.ones((6, 2, 3, 3)))
    costs = jax.jit(f).lower(*args).compile().cost_analysis()
    costs = costs[0] if isinstance(costs, list) else costs
    assert ran(f, *args).work.flops == {"conv": costs["flops"]}


def test_a_function_that_the_backend_applies_is_left_out_and_named():
    made = ran(lambda x: x.at[jnp.array([0, 0])].add(x[:2]) + until(9)(x), V)
    (scatter,) = (one for one in made.uncounted if one.what.startswith("scatter"))
    assert scatter.ops == {"add": 1} and "compiler" in scatter.reason
    assert (
        Counter(made.tally.ops) == oracle.executed(lambda x: x.at[jnp.array([0, 0])].add(x[:2]) + until(9)(x), (V,))[1]
    )


def test_a_kernel_is_left_out_and_named():
    def kernel(x: Any, out: Any) -> None:
        out[...] = jnp.sin(x[...])

    def f(x: Any) -> Any:
        y = pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True)(x)
        return until(90)(y)

    made = ran(f, jnp.ones((8, 128)) / 1024)
    (one,) = made.uncounted
    assert one.what == "pallas_call" and one.ops["sin"] == 1
    assert made.tally.ops["pallas_call"] == 1 and made.identical


def test_shapes_alone_are_unknown_with_the_hint_and_can_be_filled():
    shape = jax.ShapeDtypeStruct((3,), jnp.float32)
    made = level(until(30), shape)
    assert made.executed is None
    assert "--fill zeros" in made.reasons["executed"]
    assert level(until(30), shape, fill="normal:0").executed.filled == "normal:0"
    assert level(until(30), V, fill="normal:0").executed.filled is None


def test_static_arguments_of_a_jit_of_its_own():
    def f(x: Any, n: int) -> Any:
        return until(n)(x)

    assert ran(jax.jit(f, static_argnums=1), V, 30).tally == ran(until(30), V).tally
    target = ltc_ir.Target(lambda x, n: until(n)(x), (V, 30), static_argnums=(1,))
    made = ltc_ir.count(target, programs=["forward"], levels=["jaxpr"], executed=True).programs["forward"]["jaxpr"]
    assert made.executed.identical


def test_static_arguments_of_what_is_only_like_a_jit_are_unknown():
    class Wrapped:
        def __init__(self, jitted: Any) -> None:
            self.trace, self.lower = jitted.trace, jitted.lower

        def __call__(self, *args: Any) -> Any:
            return self.trace(*args)

    made = level(Wrapped(jax.jit(lambda x, n: until(n)(x), static_argnums=1)), V, 30)
    assert made.executed is None and "static" in made.reasons["executed"]


def test_another_platform_is_unknown():
    assert "tpu" in level(until(30), V, platform="tpu").reasons["executed"]


def test_too_many_paths_are_unknown(monkeypatch):
    monkeypatch.setattr("ltc_ir.execution.counter_plan.MOST_PATHS", 5)
    made = level(lambda x: sum(until(9)(x * n) for n in range(6)), V)
    assert made.executed is None and "call paths" in made.reasons["executed"]


def test_a_full_counter_stays_full():
    closed = jax.make_jaxpr(until(30))(V)
    types = (type(closed), type(getattr(closed, "jaxpr", closed)))
    results, counts = jax.jit(Instrumented(make_plan(closed, types, "cpu"), start=FULL - 2))(V)
    assert counts[0].tolist() == [FULL]
    assert np.array_equal(results[0], jax.jit(until(30))(V))


def test_a_difference_is_told_with_a_warning(monkeypatch):
    real = Instrumented.__call__

    def other(self: Any, *args: Any) -> Any:
        results, counts = real(self, *args)
        return [results[0].at[1].add(0.25)], counts

    monkeypatch.setattr(Instrumented, "__call__", other)
    made = ran(until(30), V)
    assert made.identical is False
    assert made.difference == pytest.approx(0.25, rel=1e-3)
    assert any("other way" in note for note in made.notes)


def test_a_failing_run_is_the_targets_failure():
    def fail(x: Any) -> Any:
        raise ValueError("no")

    def f(x: Any) -> Any:
        return jax.pure_callback(fail, jax.ShapeDtypeStruct(x.shape, x.dtype), until(9)(x))

    with pytest.raises(ltc_ir.TargetError, match="failed to run"):
        ran(f, V)


def test_a_record_keeps_it_all():
    made = ltc_ir.count(
        lambda x: x.at[jnp.array([0, 0])].add(x[:2]) + until(9)(x),
        args=(V,),
        programs=["forward"],
        executed=True,
        by="op",
    )
    assert loads(dumps(made)).programs == made.programs
