"""What XLA merges is found again: each phase has a part in an instruction that computes the values of several equations."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import ltc_ir
from ltc_ir.ir.hlo.marked import Attribution
from ltc_ir.ir.hlo.parser import parse
from ltc_ir.ir.origin import Ownership
from ltc_ir.records.op_table import Table
from ltc_ir.records.request import parse_request
from ltc_ir.records.vocabulary import Part, Phase
from ltc_ir.tables.inspected import inspect
from ltc_ir.tables.live import tables_of
from ltc_ir.targets import prepare
from ltc_ir.targets.target import Target

pytestmark = pytest.mark.versions


def checkpointed(w: Any, x: Any) -> Any:
    """Two products, run again in the backward pass: XLA merges them with those of the forward pass on some versions."""
    inner = jax.checkpoint(lambda x: jnp.sin(jnp.cos(x @ w) @ w))
    return jnp.sum(inner(x) ** 2)


def checkpointed_layers(w: Any, x: Any) -> Any:
    """The same in the body of a loop, which XLA does not merge with another loop's."""
    layer = jax.checkpoint(lambda h, w: (jnp.tanh(h @ w), None))
    return jnp.sum(lax.scan(layer, x, w)[0])


def twice(x: Any) -> Any:
    """One sine on two lines, of one phase."""
    first = jnp.sin(x)
    second = jnp.sin(x)
    return first * 2.0 + second * jnp.cos(x)


def apart(x: Any) -> Any:
    """Sines of different values: nothing is merged."""
    return jnp.sin(x) + jnp.sin(x + 1.0) * jnp.sin(x * 2.0)


ARGUMENTS = {
    checkpointed: (jnp.ones((4, 4)), jnp.ones((2, 4))),
    checkpointed_layers: (jnp.ones((3, 4, 4)), jnp.ones((2, 4))),
    twice: (jnp.ones(5),),
    apart: (jnp.ones(5),),
}


def tables(function: Any, program: str) -> dict[str, Table]:
    target = Target(function, ARGUMENTS[function], name=function.__name__)
    request = parse_request(levels=("jaxpr", "hlo"))
    staged = prepare.stage(target, program)
    return dict(tables_of(staged, request, prepare.ownership_of(target), (function.__name__, program)).levels)


def by_part(table: Table, name: str) -> Counter[str]:
    """How many operations each phase has, or has a part in."""
    phases: Counter[str] = Counter()
    for row, number in table.weights.items():
        for phase in {part.phase for part in row.parts} or {row.phase} if row.name == name else ():
            phases[phase] += number
    return phases


def by_phase(table: Table, name: str) -> Counter[str]:
    phases: Counter[str] = Counter()
    for row, number in table.weights.items():
        phases[row.phase] += number if row.name == name else 0
    return +phases


@pytest.mark.parametrize("function", [checkpointed, checkpointed_layers])
def test_no_phase_loses_its_products_by_a_merge(function: Any) -> None:
    levels = tables(function, "grad")
    assert by_part(levels["hlo"], "dot") == by_phase(levels["jaxpr"], "dot_general")


def test_what_was_merged_is_mixed_and_nothing_else() -> None:
    levels = tables(checkpointed, "grad")
    products = by_phase(levels["hlo"], "dot")
    merged = by_phase(levels["jaxpr"], "dot_general").total() - products.total()
    assert products["mixed"] == merged


def test_a_rule_on_a_phase_sees_its_part() -> None:
    arguments = ARGUMENTS[checkpointed]
    for phase in ("forward", "recompute"):
        with pytest.raises(AssertionError):
            ltc_ir.assert_ir(checkpointed, arguments, f"hlo:grad/{phase}.dot = 0")
        ltc_ir.assert_ir(checkpointed, arguments, f"hlo:grad/{phase}.dot = 2")


def test_equations_of_one_phase_merge_into_that_phase_and_of_two_lines_into_neither() -> None:
    sines = {row: number for row, number in tables(twice, "forward")["hlo"].weights.items() if row.name == "sine"}
    assert {row.phase for row in sines} == {"primal"}
    assert {row.source for row in sines} == {"(no source)"}


def test_values_that_differ_are_not_merged() -> None:
    rows = [row for row in tables(apart, "forward")["hlo"].weights if row.name == "sine"]
    assert rows and all("test_hlo_merged.py" in row.source and not row.parts for row in rows)


def test_a_name_that_xla_joined_of_two_is_of_both() -> None:
    staged = prepare.stage(Target(jax.grad(apart_of_sum), (jnp.ones(5),)), "forward")
    inspected = inspect(staged, parse_request(levels=("jaxpr", "hlo")), Ownership())
    marks = inspected.marks
    assert marks is not None
    numbers = {marks.origins[number].phase: marks.spelling(number) for number in range(len(marks.origins))}
    text = HLO.format(name=f"jit(f)/{numbers[Phase.FORWARD]}/sin;jit(f)/{numbers[Phase.BACKWARD]}/cos")
    attribution = Attribution(parse(text), marks)
    assert attribution.origins["main", "y"].parts == (Part("forward"), Part("backward"))


def test_a_constant_does_not_tell_what_a_computation_is_part_of() -> None:
    """XLA keeps one of equal constants, with the name of any one use."""
    staged = prepare.stage(Target(jax.grad(apart_of_sum), (jnp.ones(5),)), "forward")
    inspected = inspect(staged, parse_request(levels=("jaxpr", "hlo")), Ownership())
    marks = inspected.marks
    assert marks is not None
    names = {
        marks.origins[number].phase: f"jit(f)/{marks.spelling(number)}/sin" for number in range(len(marks.origins))
    }
    attribution = Attribution(parse(FUSED.format(constant=names[Phase.BACKWARD], sine=names[Phase.FORWARD])), marks)
    phases = {name: attribution.origins["fused", name].phase for name in ("c", "b", "s", "n")}
    assert phases == {"c": Phase.BACKWARD, "b": Phase.BACKWARD, "s": Phase.FORWARD, "n": Phase.FORWARD}
    assert attribution.origins["main", "f"].phase is Phase.FORWARD


FUSED = """HloModule m

fused {{
  p = f32[5]{{0}} parameter(0)
  c = f32[] constant(2), metadata={{op_name="{constant}"}}
  b = f32[5]{{0}} broadcast(c), dimensions={{}}, metadata={{op_name="{constant}"}}
  s = f32[5]{{0}} sine(p), metadata={{op_name="{sine}"}}
  ROOT n = f32[5]{{0}} multiply(s, b)
}}

ENTRY main {{
  x = f32[5]{{0}} parameter(0)
  ROOT f = f32[5]{{0}} fusion(x), kind=kLoop, calls=fused, metadata={{op_name="{sine}"}}
}}
"""


def apart_of_sum(x: Any) -> Any:
    return jnp.sum(apart(x))


HLO = """HloModule m

ENTRY main {{
  x = f32[5] parameter(0)
  ROOT y = f32[5] sine(x), metadata={{op_name="{name}"}}
}}
"""
