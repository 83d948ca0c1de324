"""Fourteen hand-written checks of public test suites, each in one line: it passes on a good program and tells of a bad one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltc_ir import assert_ir, assert_ir_flat
from tests.api.assertions import programs as p
from tests.api.assertions.programs import failure, line, says, spread

pytestmark = pytest.mark.versions


def test_1_remat_adds_nothing_to_the_primal():
    rules = ("while = 0", "case = 0", "optimization_barrier = 0")
    assert_ir(p.rematted, (2.0,), *rules, level="stablehlo")
    text = failure(lambda: assert_ir(p.with_barrier, (2.0,), *rules, level="stablehlo"))
    assert says(text, "stablehlo.optimization_barrier: 1", "backward", "rule: optimization_barrier = 0")
    assert line(p.with_barrier, "a barrier") in text or line(p.rematted, "checkpoint") in text


def test_2_an_unrolled_scan_has_no_while_and_is_longer():
    arguments = (1.0, p.STEPS)
    assert_ir(p.unrolled, arguments, "while = 0")
    assert_ir(p.rolled, arguments, fewer_than=p.unrolled)
    text = failure(lambda: assert_ir(p.rolled, arguments, "while = 0"))
    assert says(text, "stablehlo.while: 1", "primal", line(p.rolled, "a loop"), "rule: while = 0")
    text = failure(lambda: assert_ir(p.unrolled, arguments, fewer_than=p.rolled))
    assert says(text, "unrolled has", "not fewer", "+8 stablehlo.slice", "primal", line(p.unrolled, "unroll=True"))


def test_3_no_collective_in_the_compiled_program():
    arguments = (spread((8, 4), 2),)
    assert_ir(p.stays_put, arguments, "collectives = 0", level="hlo", devices=2)
    text = failure(lambda: assert_ir(p.sums_all, arguments, "collectives = 0", level="hlo", devices=2))
    assert says(text, "HLO collectives: 1", "primal", line(p.sums_all, "an all-reduce"), "rule: collectives = 0")


def test_4_a_closed_over_constant_is_not_inlined():
    x = jax.ShapeDtypeStruct((1024,), jnp.float32)
    rule = "constants.embedded.bytes = 0"
    assert_ir(p.takes_table, (x, p.TABLE), rule, level="stablehlo")
    text = failure(lambda: assert_ir(p.holds_table, (x,), rule, level="stablehlo"))
    assert says(text, "constants.embedded.bytes: 4 KiB", "4,096 bytes", "primal", line(p.holds_table, "a constant"))


def test_5_the_gradient_needs_no_transpose():
    a = jax.ShapeDtypeStruct((3, 4), jnp.float32)
    assert_ir(jax.grad(p.squares), (a,), "transpose = 0", level="stablehlo")
    text = failure(lambda: assert_ir(jax.grad(p.products), (a,), "transpose = 0", level="stablehlo"))
    assert says(text, "stablehlo.transpose: 3", "backward", line(p.products, "transposed"), "rule: transpose = 0")


def test_6_nine_products_all_of_int8():
    rules = ("forward.dot_general = 3", "backward.dot_general = 6", "dot_general[int8,int8->int32] = 9")
    assert_ir(p.layers(p.quantised_product), p.LAYERS, *rules)
    text = failure(lambda: assert_ir(p.layers(p.half_quantised_product), p.LAYERS, *rules))
    assert says(text, "dot_general: 6", "rule: dot_general[int8,int8->int32] = 9", line(p.layers, "product(x, weight)"))
    text = failure(lambda: assert_ir(p.layers(p.half_quantised_product), p.LAYERS, "dot_general[float32] = 0"))
    assert says(text, "dot_general: 3", "backward", line(p.layers, "product(x, weight)"))


def test_7_the_kernel_runs_once_and_is_not_recomputed():
    x = (jax.ShapeDtypeStruct((8,), jnp.float32),)
    rules = ("forward.custom_call[flash_attention] = 1", "recompute.custom_call[flash_attention] = 0")
    assert_ir(p.kept_attention, x, *rules)
    text = failure(lambda: assert_ir(p.recomputed_attention, x, *rules))
    assert says(
        text, "stablehlo.custom_call: 1", "recompute", line(p.attending, "jax.checkpoint("), f"rule: {rules[1]}"
    )


@pytest.mark.parametrize("name", ["pallas_call[_doubles]", "custom_call[_doubles]", "custom_call[tpu_custom_call]"])
def test_7_a_kernel_of_pallas_by_its_name(name):
    x = (jax.ShapeDtypeStruct((8, 128), jnp.float32),)
    assert_ir(p.runs_pallas, x, f"{name} = 1", platform="tpu")
    text = failure(lambda: assert_ir(p.runs_pallas, x, f"{name} = 2", platform="tpu"))
    assert name.partition("[")[0] + ": 1, primal" in text
    assert line(p.runs_pallas, "a kernel") in text


def test_8_bytes_of_all_reduce_and_all_gather():
    arguments = (spread((4096,), 4),)
    rules = ("all_reduce.bytes = 4096", "all_gather.bytes = 0")
    assert_ir(p.reduces, arguments, *rules, level="hlo", devices=4)
    text = failure(lambda: assert_ir(p.reduces_and_gathers, arguments, *rules, level="hlo", devices=4))
    assert says(text, "all-gather.bytes: 16 KiB", "16,384 bytes", "primal", line(p._reduces_and_gathers, "a gather"))
    assert "all_reduce" not in text


def test_9_four_calls_of_a_kernel_two_with_an_attribute():
    x = (jax.ShapeDtypeStruct((8,), jnp.float32),)
    rules = ("quantise_rows = 4", "quantise_rows[rowwise=True] = 2")
    assert_ir(p.quantises, x, *rules)
    text = failure(lambda: assert_ir(p.quantises_less, x, *rules))
    assert says(text, "3", "1", f"rule: {rules[0]}", f"rule: {rules[1]}", "primal", line(p._quantise, "the kernel"))


def test_9_of_a_primitive_of_ones_own():
    x = (jax.ShapeDtypeStruct((8,), jnp.float32),)
    rules = ("packed = 4", "packed[transposed=True] = 2")
    assert_ir(p.packs, x, *rules)
    text = failure(lambda: assert_ir(p.packs_more, x, *rules))
    assert says(text, "packed: 5", "packed: 3", f"rule: {rules[0]}", f"rule: {rules[1]}")
    assert says(text, "primal", "tests.api.assertions.programs:packs")


def test_10_an_all_to_all_and_no_other_collective():
    arguments = (spread((16, 16), 4),)
    rules = ("all_to_all >= 1", "all_gather[float] = 0", "collective_permute = 0")
    assert_ir(p.exchanges, arguments, *rules, level="hlo", devices=4)
    text = failure(lambda: assert_ir(p.exchanges_and_more, arguments, *rules, level="hlo", devices=4))
    assert says(text, "all-gather: 1", line(p._exchanges_and_more, "a gather"), f"rule: {rules[1]}", "primal")
    assert says(text, "collective-permute: 1", line(p._exchanges_and_more, "a permutation").rpartition("/")[2])
    text = failure(lambda: assert_ir(p.stays_put, arguments, *rules, level="hlo", devices=4))
    assert says(text, "all_to_all: 0", f"rule: {rules[0]}")


def test_11_the_program_does_not_grow_with_the_number_of_iterations():
    assert_ir_flat(p.iterating, over=(12, 60, 300))
    text = failure(lambda: assert_ir_flat(p.repeating, over=(12, 60, 300)))
    assert says(text, "jaxpr: 12 at 12, 60 at 60, 300 at 300", "+288 cos", "+288 stablehlo.cosine", "primal")
    assert line(p.repeating, "each anew") in text


def test_12_layers_are_scanned():
    arguments = (1.0, p.STEPS)
    assert_ir(p.rolled, arguments, "scan >= 1", fewer_than=p.unrolled)
    text = failure(lambda: assert_ir(p.by_hand, arguments, "scan >= 1", fewer_than=p.unrolled))
    assert says(text, "scan: 0", "rule: scan >= 1")
    text = failure(lambda: assert_ir(p.unrolled, arguments, "scan >= 1", fewer_than=p.rolled))
    assert says(text, "not fewer", line(p.unrolled, "unroll=True"))
    assert "rule" not in text


def test_13_at_least_two_ffts_no_product_exactly_one_while():
    c = (np.ones(4, np.complex64),)
    assert_ir(p.spectral, c, "fft >= 2", "dot_general = 0")
    text = failure(lambda: assert_ir(p.by_matrix, c, "fft >= 2", "dot_general = 0"))
    assert says(text, "fft: 1", "dot_general: 1", "primal", line(p.by_matrix, "a product"), "rule: fft >= 2")
    assert_ir(p.one_loop, (1.0,), "while = 1")
    text = failure(lambda: assert_ir(p.two_loops, (1.0,), "while = 1"))
    assert says(text, "stablehlo.while: 2", "primal", line(p.one_loop, "while_loop"), "rule: while = 1")


def test_14_a_function_lowers_like_another():
    x = (jnp.ones(4),)
    assert_ir(lambda x: x * 2, x, same_as=lambda y: y * 2)
    text = failure(lambda: assert_ir(lambda x: x * 2, x, same_as=lambda y: y * 3))
    assert says(text, "2 lines differ")
    assert "-    %1 = stablehlo.constant dense<3.0" in text
    assert "+    %1 = stablehlo.constant dense<2.0" in text
