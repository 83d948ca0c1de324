"""Depth, size and sharing far beyond what JAX itself can trace: counted exactly, in bounded time, or refused with words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import jax
import pytest
from jax import lax
from jax.extend import core

from ltc_ir.compat import mlir
from ltc_ir.errors import LimitError
from ltc_ir.ir.jaxpr import reader as jaxpr_level
from ltc_ir.ir.origin import Evidence
from ltc_ir.ir.stablehlo import reader as stablehlo_level
from ltc_ir.records.count import LevelCount
from ltc_ir.records.op_table import level_count
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import By, Level
from ltc_ir.tables.build import build
from tests.registry import JAX

pytestmark = [pytest.mark.versions, pytest.mark.early]

CALL = "pjit" if JAX < (0, 7) else "jit"
LEVELS_OF_CALLS = 64
DEEP = 2_000


def with_equations(jaxpr: Any, equations: Iterable[Any]) -> Any:
    """A (closed) jaxpr with other equations; nothing checks them."""
    opened = getattr(jaxpr, "jaxpr", jaxpr)
    changed = opened.replace(eqns=list(equations))
    return changed if opened is jaxpr else jaxpr.replace(jaxpr=changed)


def equations_of(jaxpr: Any) -> list[Any]:
    return list(getattr(jaxpr, "jaxpr", jaxpr).eqns)


def leaf() -> Any:
    """A closed jaxpr of a ``sin`` and a ``mul``."""
    return jax.make_jaxpr(lambda x: lax.sin(x) * x)(1.0)


def call() -> Any:
    """A closed jaxpr of one call of a jitted function."""
    return jax.make_jaxpr(jax.jit(lambda x: lax.sin(x) * x))(1.0)


def calling(inner: Any, times: int = 1) -> Any:
    """A closed jaxpr that calls ``inner`` so many times."""
    outer = call()
    [equation] = equations_of(outer)
    [name] = [key for key, value in equation.params.items() if isinstance(value, core.Jaxpr | core.ClosedJaxpr)]
    return with_equations(outer, [equation.replace(params={**equation.params, name: inner})] * times)


def nested(levels: int, times: int = 1) -> Any:
    made = leaf()
    for _ in range(levels):
        made = calling(made, times)
    return made


def counted(jaxpr: Any, *by: By) -> LevelCount:
    request = Request(by=by)
    stream = jaxpr_level.read(jaxpr, request.wants)
    return level_count(build(Level.JAXPR, stream, request.wants), request)


def seconds(do: Callable[[], Any]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


@pytest.mark.parametrize("by", [(), (By.STACK,), (By.REGION,), (By.SCOPE, By.TRANSFORMS)])
def test_a_jaxpr_nested_two_thousand_deep_is_counted(by: tuple[By, ...]) -> None:
    found = counted(nested(DEEP), *by)
    assert found.tally.ops == {CALL: DEEP, "sin": 1, "mul": 1}
    assert found.max_depth == DEEP


def test_a_million_equations_in_one_body_are_counted() -> None:
    body = leaf()
    large = with_equations(body, equations_of(body) * 500_000)
    found: list[LevelCount] = []
    assert seconds(lambda: found.append(counted(large))) < 20  # half a second on one ordinary core
    assert found[0].tally.ops == {"sin": 500_000, "mul": 500_000}
    assert found[0].attributed == {"phase": 1.0, "source": 1.0}


def test_calls_that_double_64_times_are_counted_exactly_and_at_once() -> None:
    program = nested(LEVELS_OF_CALLS, times=2)
    found: list[LevelCount] = []
    assert seconds(lambda: found.append(counted(program))) < 1
    assert found[0].tally.ops == {CALL: 2**65 - 2, "sin": 2**64, "mul": 2**64}
    [function] = found[0].functions
    assert (function.sites, function.calls) == (2 * LEVELS_OF_CALLS, 2**65 - 2)


def doubling_module(location: Callable[[int, int], str] = lambda level, which: "") -> str:
    """A module in which each of 64 functions calls the one below twice; ``location`` is that of each call."""
    functions = [
        "func.func public @main(%x: tensor<f32>) -> tensor<f32> {\n"
        f"  %a = call @f{LEVELS_OF_CALLS}(%x) : (tensor<f32>) -> tensor<f32>\n  return %a : tensor<f32>\n}}\n",
        "func.func private @f0(%x: tensor<f32>) -> tensor<f32> {\n"
        "  %a = stablehlo.sine %x : tensor<f32>\n  return %a : tensor<f32>\n}\n",
    ]
    for level in range(1, LEVELS_OF_CALLS + 1):
        first, second = (
            f"call @f{level - 1}({operand}) : (tensor<f32>) -> tensor<f32> {location(level, which)}"
            for which, operand in enumerate(("%x", "%a"))
        )
        functions.append(
            f"func.func private @f{level}(%x: tensor<f32>) -> tensor<f32> {{\n"
            f"  %a = {first}\n  %b = {second}\n  return %b : tensor<f32>\n}}\n"
        )
    return "module @doubling {\n" + "".join(functions) + "}\n"


def placed(level: int, which: int) -> str:
    """Two lines in each function."""
    return f'loc("call"("f{level}"("doubling.py":{2 * level + which}:1)))'


def counted_module(text: str, *by: By) -> LevelCount:
    request = Request(by=by)
    with mlir.mlir_context():
        module = mlir.mlir_ir().Module.parse(text)
        stream = stablehlo_level.read(module, request.wants, None, Evidence(sources=bool(by)))
        return level_count(build(Level.STABLEHLO, stream, request.wants), request)


def test_a_module_that_doubles_64_times_is_counted_exactly_and_at_once() -> None:
    text = doubling_module()
    found: list[LevelCount] = []
    assert seconds(lambda: found.append(counted_module(text))) < 1
    expanded = found[0].expanded
    assert expanded is not None
    assert expanded.ops["stablehlo.sine"] == 2**64
    assert expanded.ops["func.call"] == 2**65 - 1
    assert found[0].tally.ops["func.call"] == 2 * LEVELS_OF_CALLS + 1
    assert {function.calls for function in found[0].functions} == {2**level for level in range(65)}


@pytest.mark.parametrize("by", [By.SOURCE, By.FUNCTION, By.SCOPE, By.REGION])
def test_groupings_stay_few_however_often_functions_are_called(by: By) -> None:
    found = counted_module(doubling_module(placed), by)
    assert found.expanded_by is not None
    assert sum(group.tally.ops.get("stablehlo.sine", 0) for group in found.expanded_by) == 2**64


def test_stacks_that_multiply_are_refused_before_they_cost_much() -> None:
    text = doubling_module(placed)

    def refused() -> None:
        with pytest.raises(LimitError, match="too many distinct call paths"):
            counted_module(text, By.STACK)

    assert seconds(refused) < 10


def test_the_refusal_is_a_limit_with_a_way_out() -> None:
    with pytest.raises(LimitError) as caught:
        counted_module(doubling_module(placed), By.STACK)
    assert caught.value.exit_code == 5
    assert caught.value.hint is not None
    assert "source" in caught.value.hint


def test_a_program_is_never_refused_for_its_own_size() -> None:
    """A million distinct operations in one body are as many as they are: one call path."""
    body = leaf()
    sin, mul = equations_of(body)
    scopes = [jax.make_jaxpr(_in_scope(f"s{number}"))(1.0) for number in range(200)]
    sines = [equations_of(scope)[0] for scope in scopes]
    found = counted(with_equations(body, ([*sines, mul]) * 1000), By.SCOPE)
    assert found.tally.ops == {"sin": 200_000, "mul": 1000}
    assert found.by is not None
    assert len(found.by) == 201
    assert sin.primitive is lax.sin_p


def _in_scope(name: str) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        with jax.named_scope(name):
            return lax.sin(x)

    return f


def test_functions_that_call_each_other_in_a_circle_are_counted_as_they_stand() -> None:
    text = doubling_module().replace("stablehlo.sine %x : tensor<f32>", "call @f1(%x) : (tensor<f32>) -> tensor<f32>")
    found = counted_module(text)
    assert found.expanded is None
    assert "calls itself" in found.reasons["expanded"]
    assert found.tally.ops["func.call"] == 2 * LEVELS_OF_CALLS + 2
