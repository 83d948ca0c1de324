"""Collectives: bytes as partitioned and as compiled, how often they run, and the phases of what XLA merged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import ltc_ir
from ltc_ir.compare.diff import diff_counts
from ltc_ir.ir.hlo import reader
from ltc_ir.ir.hlo.collectives import Runs, runs_of
from ltc_ir.ir.hlo.parser import parse
from ltc_ir.records.count import Count, LevelCount
from ltc_ir.records.environment import Environment
from ltc_ir.records.op_table import table_of_count
from ltc_ir.records.serialization import dumps, loads
from ltc_ir.render.layouts.count import count_rows, count_sheets
from ltc_ir.tables.partitioned import with_partitioned

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("quick_compile")]

ROWS, WHOLE = P("d"), P()


def mesh() -> Mesh:
    if jax.device_count() < 4:
        pytest.skip("needs four devices")
    return Mesh(np.array(jax.devices()[:4]), ("d",))


def shape(sizes: tuple[int, ...], spec: Any = ROWS, dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, dtype, sharding=NamedSharding(mesh(), spec))


def hlo(fn: Any, *args: Any, program: str = "forward") -> LevelCount:
    return ltc_ir.count(fn, args=args, programs=[program], levels=["hlo"]).programs[program]["hlo"]


def mapped(fn: Any, into: Any = ROWS, out: Any = WHOLE) -> Any:
    return jax.shard_map(fn, mesh=mesh(), in_specs=into, out_specs=out, check_vma=False)


# As partitioned and as compiled

KINDS = {
    "all-reduce": (lambda a: lax.psum(a, "d"), ROWS, P(), 4 * 4),
    "all-gather": (lambda a: lax.all_gather(a, "d", tiled=True), ROWS, ROWS, 16 * 4),
    "reduce-scatter": (lambda a: lax.psum_scatter(a, "d", tiled=True), P(), ROWS, 4 * 4),
    "all-to-all": (lambda a: lax.all_to_all(a, "d", 1, 0), ROWS, ROWS, 4 * 4),
    "collective-permute": (lambda a: lax.ppermute(a, "d", [(0, 1), (1, 0)]), ROWS, ROWS, 4 * 4),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wide", [False, True])
def test_bfloat16_is_sent_as_float32_by_the_cpu_and_was_not_partitioned_so(kind, wide):
    """Where the program converts on both sides XLA drops all conversions, and the compiled text has no bfloat16."""
    collective, into, out, elements = KINDS[kind]

    def converted(a: Any) -> Any:
        return collective(a.astype(jnp.bfloat16)).astype(jnp.float32)

    dtype = jnp.float32 if wide else jnp.bfloat16
    made = hlo(mapped(converted if wide else collective, into, out), shape((16, 4), into, dtype))
    assert made.collectives[kind]["bytes"] == 4 * elements
    assert made.collectives[kind]["partitioned"] == {"count": 1, "bytes": 2 * elements}
    assert "collectives.partitioned" not in made.reasons


def test_float32_is_the_same_in_both():
    made = hlo(mapped(lambda a: lax.psum(a, "d")), shape((16, 4)))
    assert made.collectives["all-reduce"]["bytes"] == made.collectives["all-reduce"]["partitioned"]["bytes"] == 64


def test_automatic_sharding_of_a_product():
    made = hlo(lambda x, w: x @ w, shape((8, 16), P(None, "d"), jnp.bfloat16), shape((16, 4), ROWS, jnp.bfloat16))
    assert made.collectives["all-reduce"]["partitioned"] == {"count": 1, "bytes": 2 * 8 * 4}
    assert made.collectives["all-reduce"]["bytes"] in {2 * 8 * 4, 4 * 8 * 4}


def test_an_hlo_text_does_not_tell_what_was_partitioned(tmp_path):
    compiled = jax.jit(mapped(lambda a: lax.psum(a, "d"))).lower(shape((16, 4))).compile()
    path = tmp_path / "it.hlo"
    path.write_text(compiled.as_text())
    ((levels),) = ltc_ir.count(str(path)).programs.values()
    assert levels["hlo"].collectives["all-reduce"]["partitioned"] is None
    assert "partitioned" in levels["hlo"].reasons["collectives.partitioned"]


def test_a_kind_that_only_the_partitioned_program_has_is_kept():
    text = "HloModule m\nENTRY e { p = f32[4] parameter(0) ROOT g = f32[16] all-gather(p), dimensions={0} }"
    figures, reason = with_partitioned({"collectives": 0, "collectives.bytes": 0}, text)
    assert (figures["collectives"], figures["collectives.partitioned.bytes"], reason) == (0, 64, "")


# How often they run


def looped(trips: Any) -> Any:
    return mapped(lambda a: lax.fori_loop(0, trips, lambda _, c: lax.psum(c, "d") / 4, a.sum(0)))


def test_a_collective_in_a_loop_runs_as_often_as_the_loop():
    made = hlo(looped(5), shape((8, 4)))
    entry = made.collectives["all-reduce"]
    assert (entry["count"], entry["bytes"]) == (1, 16)
    assert entry["executed"] == {"count": 5, "bytes": 80}


def test_loops_multiply():
    def inner(c: Any, _: Any) -> Any:
        return lax.psum(c, "d") / 4, None

    def outer(c: Any, _: Any) -> Any:
        return jnp.sin(lax.scan(inner, c, None, length=3)[0]), None

    made = hlo(mapped(lambda a: lax.scan(outer, a.sum(0), None, length=7)[0]), shape((8, 4)))
    assert made.collectives["all-reduce"]["executed"] == {"count": 21, "bytes": 21 * 16}


def test_a_loop_whose_length_depends_on_values_is_unknown_with_a_reason():
    def until(a: Any) -> Any:
        return lax.while_loop(lambda c: c.sum() < 1e3, lambda c: lax.psum(c, "d"), a.sum(0))

    made = hlo(mapped(until), shape((8, 4)))
    assert made.collectives["all-reduce"]["count"] >= 1
    assert made.collectives["all-reduce"]["executed"] is None
    assert "trip count" in made.reasons["collectives.executed"]


RUNS = """HloModule m

add { a = f32[] parameter(0) b = f32[] parameter(1) ROOT c = f32[] add(a, b) }
body { p = (s32[], f32[4]) parameter(0) ROOT r = (s32[], f32[4]) copy(p) }
cond { q = (s32[], f32[4]) parameter(0) ROOT t = pred[] constant(true) }
free { p.1 = (s32[], f32[4]) parameter(0) ROOT r.1 = (s32[], f32[4]) copy(p.1) }
held { q.1 = (s32[], f32[4]) parameter(0) ROOT t.1 = pred[] constant(true) }
yes { y = f32[4] parameter(0) ROOT y.1 = f32[4] copy(y) }
no { n = f32[4] parameter(0) ROOT n.1 = f32[4] copy(n) }
called {
  x.1 = (s32[], f32[4]) parameter(0)
  ROOT w.1 = (s32[], f32[4]) while(x.1), condition=cond, body=body, backend_config={"known_trip_count":{"n":"6"}}
}
ENTRY e {
  x = (s32[], f32[4]) parameter(0)
  k = (s32[], f32[4]) call(x), to_apply=called
  k.1 = (s32[], f32[4]) call(k), to_apply=called
  w = (s32[], f32[4]) while(k.1), condition=held, body=free
  v = f32[4] get-tuple-element(w), index=1
  z = f32[] constant(0)
  s = f32[] reduce(v, z), dimensions={0}, to_apply=add
  i = s32[] get-tuple-element(w), index=0
  ROOT o = f32[4] conditional(i, v, v), branch_computations={yes, no}
}
"""


def test_how_often_each_computation_runs():
    runs = runs_of(parse(RUNS))
    assert (runs["e"], runs["called"], runs["body"], runs["cond"]) == (Runs(1), Runs(2), Runs(12), Runs(14))
    for name, why in (("free", "trip count of w "), ("held", "trip count"), ("yes", "branch of o"), ("add", "of s")):
        assert runs[name].times is None and (why in runs[name].reason or name == "add"), name


# Phases of what was merged


def train(w: Any, x: Any) -> Any:
    loss, gradient = jax.value_and_grad(lambda w: jnp.mean((x @ w) ** 4))(w)
    return loss, w - 0.1 * gradient


def test_a_merged_collective_has_the_bytes_of_each_phase():
    """On JAX 0.6.2 the CPU backend merges nothing: the parts are the same, in two instructions."""
    made = hlo(train, shape((6, 2), P()), shape((12, 6)))
    entry = made.collectives["all-reduce"]
    assert entry["bytes"] == 4 + 48
    assert entry["phases"] == {"forward": {"count": 1, "bytes": 4}, "backward": {"count": 1, "bytes": 48}}
    assert entry["partitioned"] == {"count": 2, "bytes": 52}
    (phases,) = [{phase for phase, ops in made.tally.phases.items() if "all-reduce" in ops}]
    assert phases == ({"mixed"} if entry["count"] == 1 else {"forward", "backward"})
    assert sum(made.tally.phases[phase]["all-reduce"] for phase in phases) == entry["count"]


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("backward.collectives = 0", False),
        ("backward.all_reduce = 1", True),
        ("forward.collectives = 1", True),
        ("backward.collectives.bytes <= 47", False),
        ("backward.collectives.bytes <= 48", True),
        ("forward.collectives.bytes = 4", True),
        ("primal.collectives = 0", True),
        ("collectives.executed = 1", True),
        ("collectives.executed.bytes <= 51", False),
        ("collectives.partitioned.bytes = 52", True),
    ],
)
def test_a_rule_sees_the_parts(rule, holds):
    arguments = (shape((6, 2), P()), shape((12, 6)))
    if rule == "collectives.executed = 1" and hlo(train, *arguments).collectives["all-reduce"]["count"] == 2:
        rule = "collectives.executed = 2"
    if holds:
        ltc_ir.assert_ir(train, arguments, rule, level="hlo", devices=4)
    else:
        with pytest.raises(AssertionError, match="rule"):
            ltc_ir.assert_ir(train, arguments, rule, level="hlo", devices=4)


NAMES = {"forward": "jit(f)/jvp()/reduce_sum", "backward": "jit(f)/transpose(jvp())/dot_general"}


def metadata(phase: str | None) -> str:
    return f', metadata={{op_name="{NAMES[phase]}"}}' if phase else ""


def merged(loss: str | None, gradient: str | None, taken: str | None = None, pair: bool = False) -> str:
    """A module with a merged all-reduce: the phases of the operands' names, and of what takes the second element."""
    reduce = "all-reduce(l, t), to_apply=add"
    both = f"(f32[], f32[12]{{0}}, /*index=2*/ f32[8]) {reduce}".replace(", /*index=2*/ f32[8]", "")
    last = both if not pair else "(f32[], f32[12]{0}) all-reduce-done(s)"
    start = f"  s = ((f32[], f32[12]), (f32[], f32[12])) {reduce.replace('reduce(', 'reduce-start(')}\n" if pair else ""
    return (
        "HloModule m\n\nadd { a = f32[] parameter(0) b = f32[] parameter(1) ROOT c = f32[] add(a, b) }\n"
        "ENTRY e {\n  x = f32[12] parameter(0)\n  z = f32[] constant(0)\n"
        f"  l = f32[] reduce(x, z), dimensions={{0}}, to_apply=add{metadata(loss)}\n"
        f"  g = f32[12] sine(x){metadata(gradient)}\n  t = f32[12] copy(g)\n{start}  r = {last}\n"
        f"  i = f32[] get-tuple-element(r), index=0\n"
        f"  ROOT j = f32[12] get-tuple-element(r), index=1{metadata(taken)}\n}}\n"
    )


def entry(text: str) -> Any:
    stream = reader.read(parse(text))
    return {name: value for name, value in stream.figures.items() if name.startswith("collectives.all-reduce.")}


@pytest.mark.parametrize("pair", [False, True])
def test_an_operand_without_a_name_takes_that_of_what_it_passes_on(pair):
    figures = entry(merged("forward", "backward", pair=pair))
    assert figures["collectives.all-reduce.forward.bytes"] == 4
    assert figures["collectives.all-reduce.backward.bytes"] == 48
    assert figures["collectives.all-reduce.bytes"] == 52


def test_what_takes_the_element_is_asked_first():
    figures = entry(merged("forward", "forward", taken="backward"))
    assert figures["collectives.all-reduce.backward.bytes"] == 48


def test_parts_of_one_phase_are_one():
    figures = entry(merged("backward", "backward"))
    assert figures["collectives.all-reduce.backward.bytes"] == 52
    assert "collectives.all-reduce.forward" not in figures


def test_what_nothing_tells_is_unattributed():
    figures = entry(merged("forward", None))
    assert figures["collectives.all-reduce.unattributed.bytes"] == 48
    assert figures["collectives.all-reduce.forward.bytes"] == 4


def test_json_has_it_and_is_read_back():
    count = ltc_ir.count(train, args=(shape((6, 2), P()), shape((12, 6))), programs=["forward"], levels=["hlo"])
    again = loads(dumps(count))
    made, read = (each.programs["forward"]["hlo"] for each in (count, again))
    assert read.collectives == made.collectives
    assert table_of_count(read).figures["collectives.all-reduce.backward.bytes"] == 48


def test_the_table_shows_what_differs_and_csv_all():
    count = ltc_ir.count(train, args=(shape((6, 2), P()), shape((12, 6))), programs=["forward"], levels=["hlo"])
    facts = {row[0]: row[1] for sheet in count_sheets(count) if sheet.title.endswith("facts") for row in sheet.rows}
    assert facts["hlo all-reduce bytes"] == 52
    assert facts["hlo all-reduce backward bytes"] == 48
    assert "hlo all-reduce executed bytes" not in facts and "hlo all-reduce partitioned bytes" not in facts
    rows = {tuple(row[4:7]): row[7] for row in count_rows(count) if row[3] == "fact"}
    assert rows["all-reduce", "partitioned bytes", ""] == rows["all-reduce", "executed bytes", ""] == 52
    assert (rows["all-reduce", "bytes", "forward"], rows["all-reduce", "bytes", "backward"]) == (4, 48)


def test_a_diff_with_an_older_record_does_not_tell_how_often_collectives_run():
    made = hlo(train, shape((6, 2), P()), shape((12, 6)))
    older = replace(made, collectives={"all-reduce": {"count": 2, "bytes": 52}})
    counts = [Count("it", Environment(devices=4), {"forward": {"hlo": each}}) for each in (older, made)]
    (pair,) = diff_counts(*counts).pairs
    sides = {row.name: (row.baseline, row.current) for row in pair.levels["hlo"].metrics}
    assert sides["collectives.executed.bytes"] == sides["collectives.all-reduce.executed.bytes"] == (None, 52)
    assert sides["collectives.all-reduce.backward.bytes"] == (None, 48)
