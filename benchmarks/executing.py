"""Executed counts: the counted run beside the plain one, and beside the counters that a user would write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import ltc_ir
from benchmarks.common import Result, alternating, of_pairs, timed
from ltc_ir import compat
from ltc_ir.execution.counter_plan import make_plan
from ltc_ir.execution.instrument import Instrumented, compare_results
from ltc_ir.ir.jaxpr import reader as jaxpr_level
from ltc_ir.ir.op import Details
from ltc_ir.ir.origin import Ownership
from ltc_ir.records.request import Request
from ltc_ir.targets import prepare
from ltc_ir.targets.example_values import leaves_of
from ltc_ir.targets.stages import Staged, platform_here, wait_until_ready
from ltc_ir.targets.target import Program

Note = Callable[[Any], Any]
"""What a program calls where a user would count: it gives back what it is given."""
BOUND, FROM_S = "1.5", 1e-4
"""The bound holds where the plain run takes longer than these seconds."""
TARGETS = (("node", "forward"), ("ltc", "forward"), ("ltc", "grad"), ("ltc", "train_step"))


def plainly(value: Any) -> Any:
    """Counts nothing."""
    return value


def two_conds_in_a_scan(steps: int, note: Note = plainly) -> Program:
    """Two branches taken by value in each of many cheap steps."""

    def step(c: Any, y: Any) -> Any:
        c = lax.cond(c.sum() > 60, lambda d: note(d) / 3, lambda d: jnp.cos(note(d)) + d, c * y)
        return lax.cond(c[0] > 1, lambda d: jnp.sin(note(d)), lambda d: jnp.exp(-note(d)), c), None

    return Program(lambda x: lax.scan(step, x, jnp.linspace(0.5, 2.0, steps))[0], (np.ones(64, np.float32),))


def scans_with_a_while(steps: int, note: Note = plainly) -> Program:
    """A while whose length hangs on values, in a scan in a scan."""

    def until(c: Any) -> Any:
        return lax.while_loop(lambda d: d.sum() < 90, lambda d: jnp.sin(note(d)) + d * 1.5, c)

    def inner(c: Any, y: Any) -> Any:
        return until(c / y), None

    def outer(c: Any, _: Any) -> Any:
        return lax.scan(inner, c, jnp.linspace(2.0, 9.0, 10))[0], None

    return Program(lambda x: lax.scan(outer, x, None, length=max(1, steps // 10))[0], (np.ones(64, np.float32),))


def a_while_of_matrices(steps: int, note: Note = plainly) -> Program:
    """A loop whose steps are work: products of matrices, until a count that is an argument."""

    def f(n: Any, x: Any) -> Any:
        return lax.fori_loop(0, n, lambda _, c: jnp.tanh(note(c) @ c), x)

    return Program(f, (np.int32(max(2, steps // 10)), np.eye(128, dtype=np.float32)))


def a_vmapped_while(steps: int) -> Program:
    """A batched loop: each example has a length of its own."""

    def f(limit: Any, x: Any) -> Any:
        return lax.while_loop(lambda c: c.sum() < limit, lambda c: c + jnp.sin(c) ** 2 + 0.1, x)

    batch = np.linspace(1, steps, 256, dtype=np.float32)
    return Program(jax.vmap(f), (batch, np.full((256, 16), 0.1, np.float32)))


Made = Callable[..., Program]
WITH_NOTES: dict[str, Made] = {
    "two conds in a scan": two_conds_in_a_scan,
    "a while in a scan in a scan": scans_with_a_while,
    "a while of matrix products": a_while_of_matrices,
}
PROGRAMS: dict[str, Made] = {**WITH_NOTES, "a vmapped while": a_vmapped_while}


@dataclass
class Sides:
    """A program as it is and with this tool's counters, both compiled, both on the same values."""

    plain: Callable[[], Any]
    counted: Callable[[], tuple[Any, Any]]
    measured: bool

    @property
    def same(self) -> str:
        """What the two runs' results differ by."""
        identical, difference, _ = compare_results(jax.tree.leaves(self.plain()), jax.tree.leaves(self.counted()[0]))
        return "results identical" if identical else f"results differ by {difference}"


def sides(staged: Staged) -> Sides:
    """The two programs that `count --executed` runs."""
    closed = compat.without_dead_code(staged.traced.jaxpr)
    reader = jaxpr_level.Reader(Request().wants, Ownership(), False, Details.NONE)
    reader.read_program(closed)
    planned = make_plan(closed, reader.types, platform_here())
    values = leaves_of(staged, None)[0]()
    args, kwargs = jax.tree.unflatten(staged.compiled.in_tree, values)
    counted = jax.jit(Instrumented(planned)).lower(*values).compile()

    def run_plain() -> Any:
        made = staged.compiled(*args, **kwargs)
        wait_until_ready(made)
        return made

    def run_counted() -> Any:
        made = counted(*values)
        wait_until_ready(made)
        return made

    return Sides(run_plain, run_counted, sum(planned.sizes) > 0)


def benchmark(runs: int, *, quick: bool = False) -> list[Result]:
    """The lines of executed counts in the report."""
    steps = 20 if quick else 2_000
    targets = TARGETS[:1] if quick else TARGETS
    programs = {f"{target} {name}": prepare.stage(prepare.resolve(target), name) for target, name in targets}
    programs |= {name: Staged(make(steps), name) for name, make in PROGRAMS.items()}
    results = [counted_and_plain(name, staged, runs) for name, staged in programs.items()]
    for name, make in WITH_NOTES.items():
        results += by_the_host(name, make, max(2, steps // 10), runs)
    return [*results, with_one_more(steps, runs), by_hand(steps, runs), by_interpreting(runs, quick=quick)]


def counted_and_plain(name: str, staged: Staged, runs: int) -> Result:
    """The run with counters beside the run without, each compiled before."""
    both = sides(staged)
    ratios = alternating(both.counted, both.plain, runs)
    took = min(timed(both.plain)[0] for _ in range(3))
    how = f"plain run {1e3 * took:.3g} ms, {both.same}"
    bound = BOUND if took > FROM_S else f"none below {1e3 * FROM_S:g} ms"
    return of_pairs(f"{name}: counted run / plain run", ratios, bound, how)


def with_one_more(steps: int, runs: int) -> Result:
    """What the plain program costs where its loop does any one thing more: what counters cost that a rival's would cost too."""
    plain = two_conds_in_a_scan(steps)

    def more(x: Any) -> Any:
        def also(carry: Any, y: Any) -> Any:
            c, other = carry
            c = lax.cond(c.sum() > 60, lambda d: d / 3, lambda d: jnp.cos(d) + d, c * y)
            c = lax.cond(c[0] > 1, jnp.sin, lambda d: jnp.exp(-d), c)
            return (c, other * jnp.float32(1.001) + 0.5), None

        return lax.scan(also, (x, jnp.float32(1)), jnp.linspace(0.5, 2.0, steps))[0]

    compiled, bare = (jax.jit(fn).lower(*plain.args).compile() for fn in (more, plain.fn))
    ratios = alternating(
        lambda: wait_until_ready(compiled(*plain.args)), lambda: wait_until_ready(bare(*plain.args)), runs
    )
    what = "two conds in a scan: plain run with one unrelated number in the carry / plain run"
    return of_pairs(what, ratios, more="nothing is counted")


class Host:
    """A counter on the host, which the running program calls."""

    def __init__(self) -> None:
        self.number = 0

    def called(self, *_: Any) -> np.ndarray[Any, Any]:
        self.number += 1
        return np.zeros((), np.float32)

    def debug(self, value: Any) -> Any:
        """Count with `jax.debug.callback`, which the value does not wait for."""
        jax.debug.callback(self.called, jnp.zeros(()))
        return value

    def pure(self, value: Any) -> Any:
        """Count with `jax.pure_callback`, made part of the value so that it is not left out."""
        zero = jax.pure_callback(self.called, jax.ShapeDtypeStruct((), np.float32), value.ravel()[0])
        return value + zero


def by_the_host(name: str, make: Made, steps: int, runs: int) -> list[Result]:
    """A run with this tool's counters beside one whose loops call the host, put where a user would count."""
    ours = sides(Staged(make(steps), name))
    runs_of = _counted_runs(make(steps))
    results = []
    for kind in ("debug", "pure"):
        host = Host()
        program = make(steps, getattr(host, kind))
        compiled = jax.jit(program.fn).lower(*program.args).compile()

        def theirs(compiled: Any = compiled, program: Program = program) -> None:
            wait_until_ready(compiled(*program.args))
            jax.effects_barrier()

        theirs()
        agreed = "the same count" if host.number == runs_of else f"it counts {host.number:,}"
        ratios = alternating(ours.counted, theirs, runs)
        how = f"{runs_of:,} calls of the host in a run, {agreed}"
        results.append(
            of_pairs(f"{name}: counted run / jax.{kind}{'_' if kind == 'pure' else '.'}callback", ratios, more=how)
        )
    return results


def _counted_runs(program: Program) -> int:
    """How often this tool says that a program came by its notes: its branches and whiles, with no loop that only holds them."""
    made = ltc_ir.count(program.fn, args=program.args, programs=["forward"], levels=["jaxpr"], executed=True)
    executed = made.programs["forward"]["jaxpr"].executed
    assert executed is not None
    return sum(region.iterations for region in executed.regions)


def by_hand(steps: int, runs: int) -> Result:
    """The tool's counters beside one that a user carries through the one loop by hand: the cheapest that there is."""
    program = a_while_of_matrices(steps)

    def carried(n: Any, x: Any) -> Any:
        return lax.fori_loop(0, n, lambda _, c: (jnp.tanh(c[0] @ c[0]), c[1] + 1), (x, jnp.uint32(0)))

    compiled = jax.jit(carried).lower(*program.args).compile()
    ours = sides(Staged(program, "by hand"))
    ratios = alternating(ours.counted, lambda: wait_until_ready(compiled(*program.args)), runs)
    return of_pairs(
        "a while of matrix products: counted run / a counter in the carry, by hand", ratios, more="one loop"
    )


def by_interpreting(runs: int, *, quick: bool) -> Result:
    """All of `count --executed` beside a recursion over the jaxpr that runs it operation by operation, as the tests do."""
    from tests.execution import oracle

    program = scans_with_a_while(10 if quick else 100)
    asked: dict[str, Any] = {"programs": ["forward"], "levels": ["jaxpr"], "executed": True}
    ratios, agreed = [], True
    for _ in range(runs):
        ours_s, made = timed(lambda: ltc_ir.count(program.fn, args=program.args, **asked))
        theirs_s, (_, counts) = timed(lambda: oracle.executed(program.fn, program.args))
        executed = made.programs["forward"]["jaxpr"].executed
        agreed = agreed and executed is not None and dict(executed.tally.ops) == dict(counts)
        ratios.append(ours_s / theirs_s)
    said = f"{sum(counts.values()):,} operations ran, {'the same counts' if agreed else 'other counts'}"
    return of_pairs("count --executed, whole / an interpreter of the jaxpr in Python", ratios, more=said)
