"""What says nothing is refused, never passed: unknown names, vacuous rules, wrong arguments, functions that fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from ltc_ir import LtcIrError, Target, TargetError, UsageError, assert_ir, assert_ir_flat, inspect
from ltc_ir.records.request import Options
from tests.api.assertions import programs as p
from tests.api.assertions.programs import spread

pytestmark = pytest.mark.versions

X = jax.ShapeDtypeStruct((4,), jnp.float32)


LOSS = Options(loss="sum")


def f(x):
    return jnp.sin(x) * 2


def _wrong(x):
    return x @ jnp.ones((7, 3))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a misspelt name": (lambda: assert_ir(f, (X,), "dot_generall = 0"), "no level knows an operation 'dot_generall'"),
    "a misspelt kernel": (lambda: assert_ir(f, (X,), "flash_atention = 0"), "no level knows an operation"),
    "a name of another level": (lambda: assert_ir(f, (X,), "sine = 1", level="jaxpr"), "no operation at jaxpr"),
    "a name of HLO without its level": (lambda: assert_ir(f, (X,), "fusion = 0"), "only hlo has it"),
    "a phase there is not": (lambda: assert_ir(f, (X,), "upward.sin = 0"), "unknown phase 'upward'"),
    "a level there is not": (lambda: assert_ir(f, (X,), "llvm:sin = 0"), "unknown level 'llvm'"),
    "a level given that there is not": (lambda: assert_ir(f, (X,), "sin = 1", level="llvm"), "unknown level 'llvm'"),
    "a level given without rules": (lambda: assert_ir(f, (X,), same_as=f, level="llvm"), "unknown level 'llvm'"),
    "a program there is not": (lambda: assert_ir(f, (X,), "gard/sin = 1"), "no program 'gard'"),
    "a loss that nobody gave": (lambda: assert_ir(f, (X,), "loss/sin = 1"), "no program 'loss'"),
    "a gradient of what is no scalar": (lambda: assert_ir(f, (X,), "grad/sin = 1"), "scalar"),
    "no rule": (lambda: assert_ir(f, (X,)), "nothing to assert"),
    "a rule without a bound": (lambda: assert_ir(f, (X,), "sin"), "has no operator"),
    "a rule that is a number": (lambda: assert_ir(f, (X,), 3), "a rule is text, not int"),  # type: ignore[arg-type]
    "a percentage": (lambda: assert_ir(f, (X,), "total +5%"), "is a step, and there is no snapshot to step from"),
    "a step": (lambda: assert_ir(f, (X,), "sin +1"), "is a step, and there is no snapshot to step from"),
    "collectives on one device": (
        lambda: assert_ir(f, (X,), "collectives = 0", level="hlo"),
        "runs on one device, where there are no collectives",
    ),
    "a collective on one device": (lambda: assert_ir(f, (X,), "hlo:all_gather = 0"), "runs on one device"),
    "collectives in a jaxpr": (lambda: assert_ir(f, (X,), "collectives = 0", level="jaxpr"), "only in optimised HLO"),
    "a collective that a jaxpr may lack": (
        lambda: assert_ir(p.sums_all, (spread((8,), 2),), "stablehlo:all_gather = 0"),
        "only in optimised HLO",
    ),
    "more devices than there are": (
        lambda: assert_ir(f, (X,), "collectives = 0", level="hlo", devices=64),
        "devices=64 are asked for, and this process has 4",
    ),
    "a program of fewer devices": (
        lambda: assert_ir(f, (spread((8,), 2),), "collectives = 0", level="hlo", devices=4),
        "f forward spans 2 devices, not 4",
    ),
    "a program of more devices": (
        lambda: assert_ir(f, (spread((8,), 4),), "collectives = 0", level="hlo", devices=2),
        "f forward spans 4 devices, not 2",
    ),
    "devices that only a comparison is given": (
        lambda: assert_ir(f, (X,), same_as=f, devices=2),
        "f forward spans 1 device, not 2",
    ),
    "an attribute that none has": (
        lambda: assert_ir(p.quantises, (X,), "quantise_rows[rowise=True] = 0"),
        "has an attribute 'rowise'",
    ),
    "a misspelt type": (
        lambda: assert_ir(f, (X,), "sin[f23] = 0"),
        "'f23' is no type",
    ),
    "a misspelt type, of a phase": (lambda: assert_ir(f, (X,), "backward.sin[f23] = 0"), "'f23' is no type"),
    "arguments that are no tuple": (lambda: assert_ir(f, X, "sin = 1"), "not a tuple"),  # type: ignore[arg-type]
    "arguments forgotten": (
        lambda: assert_ir(f, "sin = 1", "mul = 1"),  # type: ignore[arg-type]
        "args is the rule 'sin = 1'; rules come third",
    ),
    "arguments forgotten before the only rule": (
        lambda: assert_ir(f, "sin = 1"),  # type: ignore[arg-type]
        'assert_ir(f, (x,), "sin = 1")',
    ),
    "arguments of a name forgotten": (
        lambda: assert_ir("ltc", "sin = 1"),  # type: ignore[arg-type]
        'assert_ir("ltc", None, "sin = 1")',
    ),
    "options of a function": (
        lambda: assert_ir(f, (X,), "sin = 1", options=LOSS),
        "options are given beside a function",
    ),
    "options of a function to look at": (lambda: inspect(f, (X,), options=LOSS), "options are given beside a function"),
    "options of a Target": (lambda: inspect(Target(f, (X,)), options=LOSS), "options are given beside a Target"),
    "arguments of a name": (lambda: assert_ir("ltc", (X,), "sin = 1"), "has its own"),
    "no function": (lambda: assert_ir(3, (X,), "sin = 1"), "has its own"),
    "no function, and no arguments": (lambda: assert_ir(3, None, "sin = 1"), "int is not a target"),
    "an unknown target": (lambda: assert_ir("ltcc", None, "sin = 1"), "ltcc"),
    "an unknown platform": (lambda: assert_ir(f, (X,), "sin = 1", platform="abacus"), "unknown platform 'abacus'"),
    "one number": (lambda: assert_ir_flat(p.iterating, over=(12,)), "too little to see growth"),
    "one number twice": (lambda: assert_ir_flat(p.iterating, over=(12, 12)), "too little to see growth"),
    "no numbers": (lambda: assert_ir_flat(p.iterating, over=()), "too little to see growth"),
    "a number for numbers": (lambda: assert_ir_flat(p.iterating, over=12), "no collection"),  # type: ignore[arg-type]
    "words for numbers": (lambda: assert_ir_flat(p.iterating, over=("a", "b")), "no number"),  # type: ignore[arg-type]
    "no maker": (lambda: assert_ir_flat(f(1.0), over=(1, 2)), "not a function"),
    "a maker of nothing": (lambda: assert_ir_flat(lambda n: None, over=(1, 2)), "make(1) gave NoneType"),
    "a maker of functions": (lambda: assert_ir_flat(lambda n: f, over=(1, 2)), "make(1) gave function"),
    "a maker of bare arguments": (lambda: assert_ir_flat(lambda n: (f, X), over=(1, 2)), "make(1) gave tuple"),
    "an unknown name to look at": (lambda: inspect(f, (X,)).count("sinn"), "no level knows an operation 'sinn'"),
    "an unknown phase to look at": (lambda: inspect(f, (X,)).count("sin", phase="up"), "unknown phase 'up'"),
    "an unknown level to look at": (lambda: inspect(f, (X,)).count("sin", level="up"), "unknown level 'up'"),
}

FAILING: dict[str, tuple[Callable[[], Any], str]] = {
    "a function": (lambda: assert_ir(_wrong, (X,), "sin = 1"), "_wrong forward failed to trace"),
    "the one it is to be like": (lambda: assert_ir(f, (X,), same_as=_wrong), "_wrong forward failed to trace"),
    "the one to have more": (lambda: assert_ir(f, (X,), fewer_than=_wrong), "_wrong forward failed to trace"),
    "one of those that are to be alike": (
        lambda: assert_ir_flat(lambda n: (_wrong if n == 3 else f, (X,)), over=(1, 3)),
        "_wrong forward failed to trace",
    ),
    "one that is looked at": (lambda: inspect(_wrong, (X,)), "_wrong forward failed to trace"),
    "one that gets too few": (lambda: assert_ir(f, (), "sin = 1"), "f forward failed to trace"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused(what):
    assertion, said = REFUSED[what]
    with pytest.raises(UsageError) as found:
        assertion()
    assert said in f"{found.value.message}; {found.value.hint}"
    assert found.value.hint


@pytest.mark.parametrize("what", FAILING)
def test_what_fails_to_trace_is_named(what):
    assertion, said = FAILING[what]
    with pytest.raises(TargetError) as found:
        assertion()
    assert said in found.value.message
    assert "tests/api/assertions/test_refusals.py:" in found.value.message or "too few" in what


def test_options_are_those_of_the_name_that_is_compared_with():
    assert_ir(f, (X,), same_as="tests.api.assertions.test_refusals:f", options=Options(args="f32[4]"))


def test_no_refusal_is_an_assertion_error():
    """A test that expects a failing assertion must not pass on a rule that is none."""
    assert not issubclass(LtcIrError, AssertionError)


def test_a_maker_may_fail_as_it_likes():
    def make(number: int) -> Target:
        raise ZeroDivisionError(number)

    with pytest.raises(ZeroDivisionError):
        assert_ir_flat(make, over=(1, 2))
