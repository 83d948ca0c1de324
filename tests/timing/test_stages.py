"""Every run is honest: nothing is cached, all is awaited, and the arithmetic is exact; shown by counting and a fake clock."""

from __future__ import annotations

import gc
import itertools
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltc_ir import Target
from ltc_ir.records.timing import COLD, STAGES, Settings
from ltc_ir.targets.target import Program
from ltc_ir.timing.session import Session, Watch
from tests.timing.hooks import COMPILED, LOWERED, SECOND, FakeClock, StepClock, counted, listening

pytestmark = [pytest.mark.versions, pytest.mark.early]

RUNS = 3
X = jnp.arange(4.0)


def timed(target, programs=("forward",), clock=None, **settings):
    settings = {"repeat": RUNS, "limit_s": 1e6} | settings
    return Session(target, Settings(**settings), clock=clock or StepClock()).time(list(programs))


class Calls:
    """Functions that count how often Python runs through them."""

    def __init__(self):
        self.outer = self.inner = 0
        self.by_kind = []

        @jax.jit
        def inner(x):
            self.inner += 1
            return jnp.sin(x) * 2

        def outer(x):
            self.outer += 1
            self.by_kind.append(isinstance(x, jax.core.Tracer))
            return inner(x) + inner(x)

        self.fn = outer

    def method(self, x):
        self.outer += 1
        return jnp.cos(x)

    def __call__(self, x):
        self.outer += 1
        return jnp.cos(x)


def cold_only(fn):
    """How often a function's cold starts are made: the trial and the measured ones, which `--no-eager` leaves alone."""
    return timed(Target(fn, (X,)), eager=False)


def test_each_repeat_traces_inner_jits_too_and_lowers_and_compiles_anew():
    calls = Calls()
    with counted() as events:
        timing = cold_only(calls.fn)
    assert timing.ended is None
    assert calls.outer == RUNS + 1
    assert calls.inner == RUNS + 1, "an inner jit stayed cached"
    assert events[LOWERED] == RUNS + 1
    assert events[COMPILED] == RUNS + 1


@pytest.mark.parametrize("kind", ["method", "object", "jitted", "partial", "gradient", "lambda"])
def test_every_kind_of_function_is_traced_anew(kind):
    import functools

    calls = Calls()
    fn = {
        "method": calls.method,
        "object": calls,
        "jitted": jax.jit(calls.fn),
        "partial": functools.partial(calls.fn),
        "gradient": jax.grad(lambda x: calls.fn(x).sum()),
        "lambda": lambda x: calls.fn(x) + 1,
    }[kind]
    with counted() as events:
        timing = cold_only(fn)
    assert timing.ended is None
    assert calls.outer == RUNS + 1
    assert events[COMPILED] == RUNS + 1


def test_a_function_that_was_compiled_before_is_still_cold():
    calls = Calls()
    jitted = jax.jit(calls.fn)
    jitted(X).block_until_ready()
    calls.outer = calls.inner = 0
    with counted() as events:
        cold_only(jitted)
    assert calls.outer == calls.inner == RUNS + 1
    assert events[COMPILED] == RUNS + 1


def test_the_persistent_cache_is_neither_read_nor_written_and_comes_back(tmp_path):
    from jax.experimental.compilation_cache import compilation_cache

    before = {name: getattr(jax.config, name) for name in _CACHE}
    try:
        jax.config.update("jax_compilation_cache_dir", str(tmp_path))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        compilation_cache.reset_cache()
        used = {name: getattr(jax.config, name) for name in _CACHE}
        jax.jit(lambda x: x * 3 + 1)(X).block_until_ready()
        kept = sorted(path.name for path in tmp_path.iterdir())
        assert kept, "the cache is not at work, so this test shows nothing"
        with counted() as events:
            timing = cold_only(lambda x: x * 3 + 1)
        assert timing.ended is None
        assert events["/jax/compilation_cache/cache_hits"] == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == kept
        assert {name: getattr(jax.config, name) for name in _CACHE} == used
        jax.clear_caches()
        with counted() as events:
            jax.jit(lambda x: x * 3 + 1)(X).block_until_ready()
        assert events["/jax/compilation_cache/cache_hits"] == 1, "the cache is not at work any more"
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


_CACHE = (
    "jax_enable_compilation_cache",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


def test_warm_compiles_come_out_of_a_cache_of_their_own_and_nothing_stays():
    before = {name: getattr(jax.config, name) for name in _CACHE}
    with counted() as events:
        timing = timed(Target(lambda x: jnp.tanh(x) @ x, (X,)), eager=False, warm=True)
    stages = timing.programs["forward"].stages
    assert stages["compile_warm"].runs == RUNS
    assert events["/jax/compilation_cache/cache_hits"] == RUNS
    assert {name: getattr(jax.config, name) for name in _CACHE} == before


def clocked(clock, seconds):
    """A function of which every stage takes its seconds of a fake clock."""

    def ran(x):
        clock.advance(seconds["run"])
        return np.asarray(x)

    def fn(x):
        clock.advance(seconds["trace"])
        return jax.pure_callback(ran, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    def ear(event):
        clock.advance({LOWERED: seconds["lower"], COMPILED: seconds["compile"]}.get(event, 0))

    return fn, listening(ear)


def test_each_stage_takes_what_it_took_and_they_add_up_to_the_whole():
    clock = FakeClock()
    fn, hearing = clocked(clock, {"trace": 3, "lower": 5, "compile": 7, "run": 2})
    with hearing:
        made = timed(Target(fn, (X,)), clock=clock).programs["forward"]
    medians = {stage: made.seconds(stage) for stage in STAGES}
    assert {stage: medians[stage] for stage in (*COLD, "steady")} == {
        "trace": 3, "lower": 5, "compile": 7, "first": 2, "steady": 2,
    }  # fmt: skip
    assert medians["eager"] == 3 + 2, "Python runs on every eager call, and compiles nothing anew"
    assert made.whole.median_s == 3 + 5 + 7 + 2
    assert made.covered == 1.0
    assert made.cost_s == 15
    assert made.break_even_calls == 5


def test_the_first_run_is_set_apart_from_the_measured_ones():
    clock = FakeClock()
    seconds = {"trace": 1, "lower": 1, "compile": 100, "run": 1}
    fn, hearing = clocked(clock, seconds)

    def later(x):
        out = fn(x)
        seconds["compile"] = max(10, seconds["compile"] - 45)
        return out

    with hearing:
        made = timed(Target(later, (X,)), clock=clock, eager=False).programs["forward"]
    compiled = made.stages["compile"]
    assert (compiled.warmup_s, compiled.max_s, compiled.runs) == (55, 10, RUNS)


def test_where_the_limit_allows_one_run_that_one_is_shown():
    clock = FakeClock()
    fn, hearing = clocked(clock, {"trace": 30, "lower": 30, "compile": 30, "run": 30})
    with hearing:
        made = timed(Target(fn, (X,)), clock=clock, repeat=None, limit_s=10).programs["forward"]
    for stage in STAGES:
        assert made.stages[stage].runs == 1
        assert made.stages[stage].first_only
        assert not made.stages[stage].enough
        assert "the limit of 10 s" in made.stages[stage].stopped
    cold, steady, eager = 4 * 30, 30, 4 * 30
    assert clock.now == (cold + steady + eager) * SECOND, "no call after the first"
    assert made.cause.first_only


def slow_start(clock, runs):
    """A function whose first compile takes 30 s of a fake clock, and each of its calls what comes next of ``runs``."""
    once = [30]

    def ran(x):
        clock.advance(next(runs))
        return np.asarray(x)

    def ear(event):
        clock.advance(once.pop() if event == COMPILED and once else 0)

    return lambda x: jax.pure_callback(ran, jax.ShapeDtypeStruct(x.shape, x.dtype), x), listening(ear)


def test_short_calls_are_measured_though_the_cold_start_took_all_the_time():
    clock = FakeClock()
    fn, hearing = slow_start(clock, itertools.repeat(0.01))
    with hearing:
        made = timed(Target(fn, (X,)), clock=clock, repeat=None, limit_s=10, op_by_op=True).programs["forward"]
    for stage in ("steady", "eager", "op_by_op"):
        assert made.stages[stage].enough
        assert made.seconds(stage) == pytest.approx(0.01)
    assert made.stages["compile"].first_only
    assert clock.now < 31 * SECOND


def test_what_the_first_eager_call_does_once_is_in_no_median():
    clock = FakeClock()
    cold, steady = [0.01], [0.01] * 3 + [0.01] * 20
    fn, hearing = slow_start(clock, itertools.chain(cold, steady, [2.4], itertools.repeat(0.00001)))
    with hearing:
        made = timed(Target(fn, (X,)), clock=clock, repeat=None, limit_s=10).programs["forward"]
    assert made.stages["eager"].warmup_s == pytest.approx(2.4)
    assert made.seconds("eager") == pytest.approx(0.00001)
    assert clock.now < 33 * SECOND


@pytest.mark.parametrize("x", [X, jax.device_put(X, jax.devices()[0]), np.arange(4.0)], ids=["free", "put", "numpy"])
def test_the_calls_before_the_measured_ones_leave_nothing_to_compile(x):
    at, compiled = [], []

    def ear(event):
        compiled.extend(at[-1:] if event == COMPILED else [])

    def inner(x):
        return (jnp.sin(x) * 2).sum()

    watch = Watch(at=lambda _, stage, run: at.append((stage, run)))
    with listening(ear):
        timing = Session(Target(inner, (x,)), Settings(repeat=RUNS), watch, StepClock()).time(["forward"])
    assert timing.ended is None
    assert ("eager", 0) in compiled, "nothing was compiled, so this test shows nothing"
    assert [(stage, run) for stage, run in compiled if stage in {"steady", "eager"} and run] == []


def test_a_long_call_is_made_once_and_no_more_where_the_time_is_up():
    clock = FakeClock()
    fn, hearing = slow_start(clock, itertools.repeat(2.6))
    with hearing:
        made = timed(Target(fn, (X,)), clock=clock, repeat=None, limit_s=10).programs["forward"]
    assert made.first_only == (*COLD, "steady", "eager")
    assert clock.now == pytest.approx((30 + 3 * 2.6) * SECOND)


def test_uneven_calls_go_on_for_no_more_than_their_reserve():
    clock = FakeClock()
    fn, hearing = slow_start(clock, itertools.cycle([0.1, 0.4]))
    with hearing:
        made = timed(Target(fn, (X,)), clock=clock, repeat=None, limit_s=10).programs["forward"]
    for stage in ("steady", "eager"):
        assert made.stages[stage].stopped == "the limit of 10 s"
        assert not made.stages[stage].first_only
    assert clock.now < (30 + 3) * SECOND


def test_results_are_awaited_in_steady_and_eager_calls(monkeypatch):
    awaited = []
    real = jax.block_until_ready
    monkeypatch.setattr(jax, "block_until_ready", lambda tree: awaited.append(tree) or real(tree))
    timed(Target(lambda x: (x, {"more": x * 2}), (X,)))
    whole = [tree for tree in awaited if jax.tree.structure(tree) == jax.tree.structure((X, {"more": X}))]
    firsts, trials, eager_trials = RUNS + 1, 3, 1
    assert len(whole) >= firsts + trials + RUNS + eager_trials + RUNS


def test_what_is_no_jax_array_is_awaited_by_its_own_method():
    clock = FakeClock()

    class Late:
        def block_until_ready(self):
            clock.advance(6)
            return self

    late = Late()

    def fn(x):
        return x if isinstance(x, jax.core.Tracer) else late

    made = timed(Target(fn, (X,)), clock=clock).programs["forward"]
    assert made.seconds("eager") == 6


def test_effects_are_awaited(monkeypatch):
    clock, barriers = FakeClock(), []
    real = jax.effects_barrier
    monkeypatch.setattr(jax, "effects_barrier", lambda: barriers.append(clock.now) or real())

    def late():
        time.sleep(0.02)
        clock.advance(4)

    def fn(x):
        jax.debug.callback(late)

    made = timed(Target(fn, (X,)), clock=clock).programs["forward"]
    assert (made.seconds("first"), made.seconds("steady"), made.seconds("eager")) == (4, 4, 4)
    trials_and_runs = {"first": 1 + RUNS, "steady": 3 + RUNS, "eager": 1 + RUNS}
    assert len(barriers) == sum(trials_and_runs.values())
    barriers.clear()
    timed(Target(lambda x: x * 2, (X,)), eager=False)
    assert barriers == [], "where there are no effects, waiting for them would be timed for nothing"


def test_the_collector_is_held_while_measuring_and_as_before_afterwards():
    seen = []

    def fn(x):
        seen.append(gc.isenabled())
        return x + 1

    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            timed(Target(fn, (X,)))
            assert gc.isenabled() == enabled
        finally:
            gc.enable()
    assert seen
    assert not any(seen)


def test_the_collector_comes_back_when_the_function_fails():
    def fn(x):
        raise ValueError("no")

    assert timed(Target(fn, (X,))).ended.code == 4
    assert gc.isenabled()


def test_eager_calls_meet_no_jit_of_ours():
    calls = Calls()
    timed(Target(jax.jit(calls.fn), (X,)))
    assert calls.by_kind.count(True) == RUNS + 1, "traced in the cold starts only"
    assert calls.by_kind.count(False) >= RUNS, "eager calls see values"


def test_op_by_op_disables_the_jit_inside():
    inner_kinds = []

    @jax.jit
    def inner(x):
        inner_kinds.append(isinstance(x, jax.core.Tracer))
        return x * 2

    made = timed(Target(lambda x: inner(x) + 1, (X,)), eager=False, op_by_op=True).programs["forward"]
    assert made.stages["op_by_op"].runs == RUNS
    assert made.stages["eager"] is None
    assert made.reasons["eager"] == "not asked for (--no-eager)"
    assert inner_kinds.count(False) >= RUNS
    assert not jax.config.jax_disable_jit


def test_donated_arguments_are_made_again_for_every_call():
    donating = jax.jit(lambda x, y: (x + y, y * 2), donate_argnums=0)
    x = jnp.arange(8.0)
    timing = timed(Target(donating, (x, jnp.ones(8))))
    assert timing.ended is None
    assert timing.programs["forward"].stages["steady"].calls == 1
    assert not x.is_deleted(), "the target's own values are its own"
    np.testing.assert_array_equal(x, np.arange(8.0))


@pytest.mark.parametrize(
    "target",
    [
        Target(lambda x, n: x * n, (X, 3), static_argnums=(1,)),
        Target(lambda x, n: x * n, (X, 3), static_argnames=("n",)),
        Target(lambda x, *, n: x * n, (X,), {"n": 3}, static_argnames=("n",)),
        Target(lambda n, x: x.reshape(n, -1), (2, X), static_argnums=(-2,)),
        Target(jax.jit(lambda x, name: x * len(name), static_argnums=1), (X, "three")),
        Target(jax.jit(lambda x, *, name: x * len(name), static_argnames="name"), (X,), {"name": "three"}),
        Target(lambda tree, scale: tree["a"] * scale, ({"a": X}, 2.0)),
    ],
    ids=["argnums", "argnames", "keyword", "negative", "jitted", "jitted keyword", "tree"],
)
def test_static_arguments_are_left_out_of_the_calls(target):
    timing = timed(target)
    assert timing.ended is None, timing.ended
    assert all(timing.programs["forward"].stages[stage].runs == RUNS for stage in STAGES)


def test_shapes_alone_are_filled_and_that_is_said_once():
    seen = []

    def fn(x, n):
        if not isinstance(x, jax.core.Tracer):
            seen.append((np.asarray(x), int(n)))
        return (x * n).sum()

    struct = jax.ShapeDtypeStruct
    made = timed(
        Target(fn, (struct((3,), "float32"), struct((), "int32")), name="filled"), programs=["forward", "grad"]
    )
    assert all(program.stages["steady"].runs == RUNS for program in made.programs.values())
    assert list(made.programs) == ["forward", "grad"]
    assert [note for note in made.notes if "--fill" in note] == [
        "arguments that are shapes have values of --fill normal:0 (integers are 0)"
    ]
    assert seen[-1][0].any() and seen[-1][1] == 0


def test_shapes_are_filled_as_asked():
    seen = []

    def fn(x, key, n):
        if not isinstance(x, jax.core.Tracer):
            seen.append((np.asarray(x), int(n)))
        return x + jax.random.normal(key, x.shape)

    struct = jax.ShapeDtypeStruct
    key = jax.eval_shape(lambda: jax.random.key(0))
    args = (struct((3,), "float32"), key, struct((), "int32"))
    assert timed(Target(fn, args), fill="zeros").ended is None
    assert not seen[-1][0].any()
    assert timed(Target(fn, args), fill="normal:1").ended is None
    assert seen[-1][0].any()


def test_a_target_brings_values_for_its_shapes():
    struct = jax.ShapeDtypeStruct((3,), "float32")
    seen = []

    def fn(x):
        if not isinstance(x, jax.core.Tracer):
            seen.append(np.asarray(x))
        return x.sum()

    target = Target(fn, (struct,), values=lambda: ((jnp.array([1.0, 2.0, 3.0]),), {}))
    timing = timed(target, programs=("forward", "grad"))
    assert timing.ended is None
    assert all(made.stages["steady"].runs == RUNS for made in timing.programs.values())
    np.testing.assert_array_equal(seen[-1], [1, 2, 3])


def test_the_configuration_is_as_before():
    import ltc_ir

    before = dict(jax.config.values)
    ltc_ir.time(lambda x: x * 2, args=(X,), programs="forward", repeat=1, x64=True, warm=True, op_by_op=True)
    assert {key: jax.config.values[key] for key in before} == before


def test_memory_of_a_process_that_is_not_the_timing_s_own_is_not_known():
    made = timed(Target(lambda x: x * 2, (X,))).programs["forward"]
    assert made.memory.compile is None
    assert "not ours to reset" in made.reasons["memory.compile"]
    assert made.memory.xla["argument_bytes"] == X.nbytes


def test_a_program_that_cannot_be_made_is_left_out_unless_asked_for():
    target = Target(lambda x: x * 2, (X,))
    timing = Session(target, Settings(repeat=1), clock=StepClock()).time(None)
    assert list(timing.programs) == ["forward"]
    assert "not a real scalar" in timing.unavailable["grad"]
    assert timing.ended is None
    asked = timed(target, programs=("grad",))
    assert asked.ended.code == 2


def test_what_fails_in_a_run_keeps_the_figures_so_far():
    def late(x):
        raise RuntimeError("the file is gone")

    def fn(x):
        return jax.pure_callback(late, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    timing = timed(Target(lambda x: x + 1, (X,), programs={"bad": Program(fn, (X,))}), programs=("forward", "bad"))
    assert timing.programs["forward"].stages["steady"].runs == RUNS
    assert (timing.ended.code, timing.ended.program, timing.ended.stage) == (4, "bad", "first")
    bad = timing.programs["bad"]
    assert [stage for stage in STAGES if bad.stages.get(stage)] == ["trace", "lower", "compile"]
    assert {stage: bad.reasons[stage] for stage in ("first", "steady", "eager")} == dict.fromkeys(
        ("first", "steady", "eager"), f"not reached: {timing.ended.message}"
    )


def test_memory_that_ran_out_is_a_limit():
    def late(x):
        raise MemoryError

    def fn(x):
        if not isinstance(x, jax.core.Tracer):
            late(x)
        return x + 1

    timing = timed(Target(fn, (X,)))
    assert (timing.ended.code, timing.ended.stage) == (5, "eager")
    assert timing.programs["forward"].stages["compile"].runs == RUNS


def test_the_cause_is_the_largest_stage_and_what_stands_behind_it():
    clock = FakeClock()
    fn, hearing = clocked(clock, {"trace": 3, "lower": 5, "compile": 2, "run": 1})
    with hearing:
        made = timed(Target(lambda x: fn(x * 2 + 1), (X,)), clock=clock).programs["forward"]
    assert (made.cause.stage, made.cause.stage_s, made.cause.cold_s) == ("lower", 5, 11)
    assert made.cause.unit == "StableHLO operations"
    assert made.cause.source.startswith("tests/timing/test_stages.py:")
    assert 0 < made.cause.source_number <= made.cause.number
