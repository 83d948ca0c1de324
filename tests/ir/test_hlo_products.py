"""Products that XLA makes anew keep their equation: those of vectors, convolutions in a gradient, and in loops."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import ltc_ir
from ltc_ir.ir.hlo.parser import parse
from ltc_ir.ir.hlo.products import with_products_named
from ltc_ir.records.request import parse_request
from ltc_ir.tables.live import tables_of
from ltc_ir.targets import prepare
from ltc_ir.targets.target import Target

pytestmark = pytest.mark.versions

MATRIX, VECTOR = jnp.ones((5, 6)), jnp.ones(6)


def of_a_vector(w: Any, x: Any) -> Any:
    return jnp.sum(jnp.exp(x @ w))


def of_vectors_in_layers(w: Any, x: Any) -> Any:
    return jnp.sum(lax.scan(lambda h, w: (jnp.tanh(w @ h), None), x, w)[0])


def convolution(w: Any, x: Any) -> Any:
    return jnp.sum(jnp.sin(lax.conv_general_dilated(x, w, (1,), "SAME")))


def products(function: Any, arguments: Any, opcode: str) -> list[tuple[str, str]]:
    """The phase and the line of each product of a compiled function."""
    target = Target(function, arguments, name="products")
    staged = prepare.stage(target, "forward")
    ownership = prepare.ownership_of(target)
    hlo = tables_of(staged, parse_request(levels=("hlo",)), ownership, ("products", "forward")).levels["hlo"]
    return [(row.phase, row.source) for row in hlo.weights if row.name == opcode]


CASES = {
    "of a vector": (of_a_vector, (VECTOR, MATRIX), "dot"),
    "of vectors in layers": (of_vectors_in_layers, (jnp.ones((3, 6, 6)), VECTOR), "dot"),
    "convolution": (convolution, (jnp.ones((3, 2, 3)), jnp.ones((1, 2, 10))), "convolution"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_product_has_its_phase_and_line(case: str) -> None:
    function, arguments, opcode = CASES[case]
    found = products(jax.grad(function), arguments, opcode)
    assert {phase for phase, _ in found} == {"forward", "backward"}
    line = function.__code__.co_firstlineno + 1
    assert {source for _, source in found} == {f"tests/ir/test_hlo_products.py:{line}"}


def test_no_rule_on_a_phase_passes_for_a_product_without_a_name() -> None:
    for phase in ("forward", "backward"):
        with pytest.raises(AssertionError):
            ltc_ir.assert_ir(of_a_vector, (VECTOR, MATRIX), f"hlo:grad/{phase}.dot = 0")


def line_search(w: Any, x: Any) -> Any:
    before = of_a_vector(w, x)
    return before, jax.grad(of_a_vector)(w, x)


def test_a_product_of_a_vector_can_be_merged_of_two_phases() -> None:
    found = products(line_search, (VECTOR, MATRIX), "dot")
    assert Counter(phase for phase, _ in found) == {"mixed": 1, "backward": 1}


CHAIN = """HloModule m

ENTRY main {{
  x = f32[1,6]{{1,0}} parameter(0)
  w = f32[6,6]{{1,0}} parameter(1)
  first = f32[1,6]{{1,0}} dot(x, w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
  shaped = f32[6,1]{{1,0}} bitcast(first), metadata={{op_name="jit(f)/{first}/dot_general"}}
  second = f32[1,6]{{1,0}} dot(shaped, w), lhs_contracting_dims={{0}}, rhs_contracting_dims={{0}}
  ROOT result = f32[6]{{0}} bitcast(second){result}
}}
"""


def names(text: str) -> dict[str, str | None]:
    module = with_products_named(parse(text))
    return {one.name: one.op_name for _, one in module.instructions() if one.opcode == "dot"}


NAMED = ', metadata={op_name="jit(f)/b/dot_general"}'


def test_the_instruction_that_shapes_a_result_tells_the_name() -> None:
    text = CHAIN.format(first="a", result=NAMED)
    assert names(text) == {"first": "jit(f)/a/dot_general", "second": "jit(f)/b/dot_general"}


def test_the_shape_of_an_operand_is_not_taken_for_that_of_a_result() -> None:
    """Where XLA joined the two, the name is that of the next product."""
    assert names(CHAIN.format(first="b", result=NAMED)) == {"first": None, "second": "jit(f)/b/dot_general"}


def test_a_product_before_one_without_a_name_has_none() -> None:
    """The name could be that of the other one."""
    assert names(CHAIN.format(first="a", result="")) == {"first": None, "second": None}


def unrolled(w: Any, x: Any) -> Any:
    return jnp.sum(lax.scan(lambda h, w: (jnp.tanh(w @ h), None), x, w, unroll=True)[0])


def test_one_equation_can_be_several_products() -> None:
    found = products(jax.grad(unrolled), (jnp.ones((4, 6, 6)), VECTOR), "dot")
    line = unrolled.__code__.co_firstlineno + 1
    assert set(found) == {(phase, f"tests/ir/test_hlo_products.py:{line}") for phase in ("forward", "backward")}
