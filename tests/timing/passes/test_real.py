"""Real compiles by pass: the tree covers them, kernels lead to the lines that made them, and nothing is added twice."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import pytest

from ltc_ir import compat
from ltc_ir.records.passes import CODE_GENERATION, KINDS, Passes
from ltc_ir.records.serialization import pack, to_data, unpack
from ltc_ir.render.formats import FORMATS
from ltc_ir.targets import prepare
from ltc_ir.targets.derive import make_program
from ltc_ir.targets.target import Target
from ltc_ir.timing.passes import PassesUnknownError, passes_of
from ltc_ir.timing.profiler import profile_compile

pytestmark = pytest.mark.versions
reads = pytest.mark.skipif(compat.profile_data() is None, reason="this JAX has no jax.profiler.ProfileData")


def layer(weights, x):
    return jnp.tanh(x @ weights) * jnp.exp(-x)


def loss(weights, x):
    def step(carry, _):
        return layer(weights, carry), None

    return jnp.sum(jax.lax.scan(step, x, None, length=5)[0])


ARGS = (jnp.ones((8, 8)), jnp.ones((4, 8)))


def passes(program: str = "grad") -> Passes:
    target = Target(loss, ARGS, name="net")
    return passes_of(make_program(target, program), f"net {program}", prepare.ownership_of(target))


@pytest.fixture(scope="module")
def seen() -> Passes:
    return passes()


@pytest.mark.skipif(compat.profile_data() is not None, reason="this JAX has jax.profiler.ProfileData")
def test_a_jax_that_cannot_read_its_profiles_says_so():
    with pytest.raises(PassesUnknownError, match=rf"^JAX {jax.__version__} has no jax.profiler.ProfileData"):
        passes()


@reads
def test_the_tree_covers_the_compile_and_adds_up(seen: Passes):
    assert 0.5 < seen.covered <= 1
    assert seen.root_s == pytest.approx(seen.compile_s, rel=0.5)
    for thread in seen.threads:
        times = [one for one in seen.times if one.thread == thread]
        roots = sum(one.inclusive_s for one in times if len(one.path) == 1)
        assert sum(one.exclusive_s for one in times) == pytest.approx(roots)
    assert [one.path for one in seen.times if len(one.path) == 1 and one.thread == seen.compiling] == [("compile",)]


@reads
def test_xlas_passes_and_its_making_of_code_are_on_the_compiling_thread(seen: Passes):
    names = {one.path[-1] for one in seen.times if one.thread == seen.compiling}
    assert {"algsimp", "fusion", "JitCompiler::Compile"} <= names
    assert {"HLO passes", "kernels", "LLVM"} <= seen.kinds.keys() <= set(KINDS)
    assert sum(seen.kinds.values()) == pytest.approx(seen.root_s)


@reads
def test_kernels_lead_to_the_line_and_the_phase_that_made_them(seen: Passes):
    named = [kernel for kernel in seen.kernels if kernel.name is not None]
    lines = range(layer.__code__.co_firstlineno, loss.__code__.co_firstlineno + 6)
    assert named
    assert all(kernel.source or kernel.reason for kernel in seen.kernels)
    placed = [kernel for kernel in named if kernel.source]
    assert placed
    assert all(str(kernel.source).rpartition(":")[0] == "tests/timing/passes/test_real.py" for kernel in placed)
    assert {int(str(kernel.source).rpartition(":")[2]) for kernel in placed} <= set(lines)
    assert {kernel.phase for kernel in named} & {"forward", "backward"}


@reads
def test_what_is_not_attributed_is_a_row_and_each_thread_adds_up(seen: Passes):
    for thread in seen.threads:
        times = [one for one in seen.times if one.thread == thread and one.kind in CODE_GENERATION]
        rows = [kernel for kernel in seen.kernels if kernel.thread == thread]
        assert sum(row.seconds for row in rows) == pytest.approx(sum(one.exclusive_s for one in times))
    assert any(kernel.name is None and "LLVM" in str(kernel.reason) for kernel in seen.kernels)


@reads
def test_a_second_look_compiles_again_though_everything_is_cached(seen: Passes):
    jax.jit(loss)(*ARGS)
    again, third = passes("forward"), passes("forward")
    assert {one.path[-1] for one in third.times} & {"algsimp", "fusion"}
    assert len(third.times) > 0.5 * len(again.times)


@reads
def test_a_persistent_cache_is_not_asked(tmp_path, seen: Passes):
    wanted = {"jax_compilation_cache_dir": str(tmp_path), "jax_persistent_cache_min_compile_time_secs": 0.0}
    before = {name: getattr(jax.config, name) for name in wanted}
    for name, value in wanted.items():
        jax.config.update(name, value)
    try:
        passes("forward")
        assert "algsimp" in {one.path[-1] for one in passes("forward").times}
        assert list(tmp_path.iterdir()) == []
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


@reads
def test_a_trace_that_is_being_taken_is_said_and_left_alone(tmp_path):
    jax.profiler.start_trace(str(tmp_path))
    try:
        with pytest.raises(PassesUnknownError, match="JAX's profiler did not start"):
            passes("forward")
    finally:
        jax.profiler.stop_trace()
    assert list(tmp_path.rglob("*.xplane.pb"))


@reads
def test_a_compile_that_fails_leaves_the_profiler_as_it_was():
    def failing() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        profile_compile(failing)
    assert passes("forward").times


@reads
def test_the_seconds_are_those_of_the_clock_that_is_given():
    ticks = iter([5_000_000_000, 7_500_000_000])
    jax.clear_caches()
    lowered = jax.jit(loss).lower(*ARGS)
    compiled, profile = profile_compile(lowered.compile, lambda: next(ticks))
    assert profile.compile_s == 2.5
    assert compiled.as_text().startswith("HloModule")


@reads
def test_a_program_of_one_library_call_names_no_kernel():
    target = Target(lambda x: x @ x, (jnp.ones((16, 16)),), name="dot")
    seen = passes_of(make_program(target, "forward"), "dot forward", prepare.ownership_of(target))
    assert [kernel for kernel in seen.kernels if kernel.name == "dot"] == []
    assert "%" in seen.sentence


@reads
def test_json_and_every_format_hold_what_was_seen(seen: Passes):
    told = json.loads(json.dumps(pack(seen)))
    assert unpack(told, Passes, "it") == seen
    first = to_data(seen)["passes"][0]
    assert first["path"] == ["compile"]
    assert {"thread", "path", "inclusive_s", "exclusive_s", "count"} <= first.keys()
    for name, render in FORMATS["passes"].items():
        assert render(seen), name
