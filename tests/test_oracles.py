from __future__ import annotations

import functools
import os
from collections import Counter

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax._src.core import jaxprs_in_params

from tests import oracles
from tests.catalogue import JAX, PROGRAMS, doubled, get, names
from tests.ir.hlo_programs import xla_listing, xla_module

pytestmark = pytest.mark.versions

CALLS = """
module @calls {
  sdy.mesh @mesh = <["d"=4]>
  func.func public @main(%x: tensor<f32>) -> tensor<f32> {
    %a = call @twice(%x) : (tensor<f32>) -> tensor<f32>
    %b = call @"odd name"(%a) : (tensor<f32>) -> tensor<f32>
    %c = "stablehlo.composite"(%b) {name = "t.c", decomposition = @"odd name"} : (tensor<f32>) -> tensor<f32>
    return %c : tensor<f32>
  }
  func.func private @twice(%x: tensor<f32>) -> tensor<f32> {
    %a = call @"odd name"(%x) : (tensor<f32>) -> tensor<f32>
    %b = call @"odd name"(%a) : (tensor<f32>) -> tensor<f32>
    return %b : tensor<f32>
  }
  func.func private @"odd name"(%x: tensor<f32>) -> tensor<f32> {
    %p = stablehlo.constant dense<true> : tensor<i1>
    %y = "stablehlo.if"(%p) ({
      %s = stablehlo.sine %x : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }, {
      stablehlo.return %x : tensor<f32>
    }) : (tensor<i1>) -> tensor<f32>
    return %y : tensor<f32>
  }
  func.func private @nobody(%x: tensor<f32>) -> tensor<f32> {
    %s = stablehlo.tanh %x : tensor<f32>
    return %s : tensor<f32>
  }
}
"""
"""Hand-counted: ``odd name`` stands once and runs four times, ``nobody`` stands once and runs never."""


def scan_of_three(x):
    return lax.scan(lambda c, _: (lax.sin(lax.cos(c)) * c, None), x, None, length=7)[0]


def test_op_stats_counts_what_stands():
    assert oracles.op_stats(CALLS) == {
        "builtin.module": 1,
        "func.func": 4,
        "func.call": 4,
        "func.return": 4,
        "sdy.mesh": 1,
        "stablehlo.composite": 1,
        "stablehlo.constant": 1,
        "stablehlo.if": 1,
        "stablehlo.return": 2,
        "stablehlo.sine": 1,
        "stablehlo.tanh": 1,
    }


def test_expanded_ops_count_each_call():
    assert oracles.expanded_ops(CALLS) == {
        "builtin.module": 1,
        "func.func": 1 + 1 + 4,
        "func.call": 2 + 2,
        "func.return": 1 + 1 + 4,
        "sdy.mesh": 1,
        "stablehlo.composite": 1,
        "stablehlo.constant": 4,
        "stablehlo.if": 4,
        "stablehlo.return": 8,
        "stablehlo.sine": 4,
    }


def test_expanded_ops_of_many_levels_are_exact():
    function, arguments = doubled(18)
    expanded = oracles.expanded_ops(function.lower(*arguments).as_text())
    assert expanded["stablehlo.sine"] == 2**18
    assert expanded["func.call"] == sum(2**level for level in range(1, 19))


def test_op_stats_of_many_texts_keep_their_order():
    one, two = (jax.jit(f).lower(1.0).as_text() for f in (lax.sin, lambda x: lax.sin(lax.sin(x))))
    assert [stats["stablehlo.sine"] for stats in oracles.op_stats_many([two, one, two])] == [2, 1, 2]


def test_op_stats_tell_of_a_text_that_is_no_module():
    with pytest.raises(AssertionError, match="Unable to parse module"):
        oracles.op_stats("no module")


def test_jaxpr_recursion_counts_a_body_once_whatever_its_trip_count():
    assert oracles.jaxpr_recursion(jax.make_jaxpr(scan_of_three)(1.0)) == {"scan": 1, "cos": 1, "sin": 1, "mul": 1}


def test_jaxpr_recursion_counts_each_branch_and_each_use():
    inner = jax.jit(lambda x: lax.sin(x))  # noqa: PLW0108 - a function of its own, so that it is traced here

    def f(x):
        return lax.cond(x > 0, lambda y: inner(inner(y)), lambda y: -y, x)

    counts = oracles.jaxpr_recursion(jax.make_jaxpr(f)(1.0))
    call = "pjit" if JAX < (0, 7) else "jit"
    assert counts == {"gt": 1, "convert_element_type": 1, "cond": 1, call: 2, "sin": 2, "neg": 1}


def test_jaxprs_within_finds_them_in_any_container():
    jaxpr = jax.make_jaxpr(lax.sin)(1.0)
    within = list(oracles.jaxprs_within({"a": [jaxpr, (3, (jaxpr.jaxpr,))], "b": "text"}))
    assert [[equation.primitive.name for equation in found.eqns] for found in within] == [["sin"], ["sin"]]


@pytest.mark.parametrize("name", PROGRAMS)
def test_jaxprs_within_finds_no_fewer_than_jax(name):
    pending, seen = [get(name).trace().jaxpr.jaxpr], set()
    while pending:
        jaxpr = pending.pop()
        for equation in jaxpr.eqns if id(jaxpr) not in seen else ():
            ours = [id(found) for found in oracles.jaxprs_within(list(equation.params.values()))]
            assert not Counter(map(id, jaxprs_in_params(equation.params))) - Counter(ours)
            pending += oracles.jaxprs_within(list(equation.params.values()))
        seen.add(id(jaxpr))


def test_xla_instructions_of_a_hand_counted_program():
    counts = oracles.xla_instructions(jax.jit(lambda x: lax.sort(x)).lower(jnp.arange(4)).compile())  # noqa: PLW0108
    if JAX < (0, 10):
        assert counts is None
    else:
        assert counts == {"parameter": 3, "sort": 1, "compare": 1}


def test_mnemonics_are_those_of_hlo_text():
    assert oracles.mnemonic("kGetTupleElement") == "get-tuple-element"
    assert oracles.mnemonic("kLog1p") == "log-plus-one"
    assert oracles.mnemonic("kAtan2") == "atan2"


@pytest.mark.parametrize("name", names(compiles=True))
def test_xla_instructions_agree_with_the_serialised_module(name):
    if JAX < (0, 10):
        pytest.skip(oracles.NO_LISTING)
    compiled = get(name).compile()
    serialised = xla_module(compiled).as_serialized_hlo_module_proto()
    assert oracles.xla_instructions(compiled) == Counter(item.opcode for item in xla_listing(serialised))


# The programs hold what they are there for


HOLDS = {
    "cond": {"cond": 1},
    "switch": {"cond": 1, "sin": 1, "cos": 1, "tanh": 1},
    "nested_scan": {"scan": 2},
    "fori_static": {"scan": 1},
    "fori_dynamic": {"while": 1},
    "while_loop": {"while": 2},
    "ode_grad": {"while": 2},
    "custom_linear_solve_grad": {"custom_linear_solve": 2},
    "pure_callback": {"pure_callback": 1},
    "ordered_effects": {"io_callback": 2},
    "doubling": {"sin": 2**20},
    "pallas_tpu": {"pallas_call": 1, "sin": 1},
}


@pytest.mark.parametrize("name", HOLDS)
def test_program_holds_what_it_is_for(name):
    counts = oracles.jaxpr_recursion(get(name).trace().jaxpr)
    assert {primitive: counts[primitive] for primitive in HOLDS[name]} == HOLDS[name]


def test_debug_print_stays_in_a_gradient():
    counts = oracles.jaxpr_recursion(get("debug_print_grad").trace().jaxpr)
    assert counts["debug_print"] + counts["debug_callback"] == 1


@functools.cache
def lowered():
    """The text of every program to be had here."""
    return {name: program.lower().as_text() for name, program in PROGRAMS.items() if not program.unavailable()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_lowers_to_a_module_mlir_can_count(name):
    get(name)
    stats = dict(zip(lowered(), oracles.op_stats_many(list(lowered().values())), strict=True))[name]
    expanded = oracles.expanded_ops(lowered()[name])
    assert stats["builtin.module"] == expanded["builtin.module"] == 1
    assert set(expanded) <= set(stats)
    if stats["func.func"] == 1:
        assert expanded == stats


def test_only_the_compiler_adds_the_all_reduce_of_automatic_sharding():
    program = get("automatic_sharding")
    assert "all_reduce" not in program.lower().as_text()
    assert "all-reduce" in program.compile().as_text()


def test_a_program_for_one_device_stays_on_one():
    assert "XLA_FLAGS" in os.environ
    assert jax.device_count() == 4
    assert "num_partitions = 1" in get("cond").lower().as_text()
    assert "num_partitions = 4" in get("shard_map").lower().as_text()


def test_double_precision_does_not_leak():
    assert "f64" in get("double_precision").lower().as_text()
    assert not jax.config.read("jax_enable_x64")
