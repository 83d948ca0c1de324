"""Holds counts to be facts of a program: whatever was counted before, in whatever process, on whichever Python."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from tests.registry import PROGRAMS
from tests.tables.counted import count
from tests.tables.order_child import printed

pytestmark = [pytest.mark.versions, pytest.mark.early]

CHILD = Path(__file__).with_name("order_child.py")
ROOT = CHILD.parents[2]
NAMES = [
    "mlp_grad",
    "scan_grad",
    "shared_helper",
    "scan_of_remat_grad",
    "doubling_grad",
    "scope_transpose_grad",
    "hessian",
    "ode_grad",
    "distinct_shapes",
    "closed_over_constant",
]
"""What is counted in several orders: every kind of call, loop and derivative."""


@cache
def alone(name: str) -> Any:
    """What a process of its own says of one program after nothing else."""
    return child([name], "1")[name]


def child(names: list[str], seed: str, python: str = sys.executable) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, str(CHILD), *names],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@cache
def all_in_order() -> dict[str, Any]:
    return child(NAMES, "0")


@pytest.mark.parametrize("name", ["ode_grad", "shared_helper"])
def test_first_and_after_others_in_processes_of_their_own(name: str) -> None:
    assert alone(name) == all_in_order()[name]


def test_in_the_opposite_order_with_another_hash_seed() -> None:
    assert child(NAMES[::-1], "12345") == all_in_order()


@pytest.mark.parametrize("seed", [1, 2])
def test_in_any_order_in_a_process_that_did_much_before(seed: int) -> None:
    order = random.Random(seed).sample(NAMES, len(NAMES))
    assert as_json({name: printed(name) for name in order}) == all_in_order()


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", NAMES)
def test_twice_in_one_process(name: str) -> None:
    assert printed(name) == printed(name)


OTHERS = [name for name in PROGRAMS if name not in NAMES and not PROGRAMS[name].unavailable()]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if number % 6 else []) for number, name in enumerate(OTHERS)]
)
def test_every_other_program_says_the_same_twice(name: str) -> None:
    first = printed(name)
    printed("shared_helper")
    assert printed(name) == first


def helped() -> tuple[Any, Any, Any]:
    """A jitted helper, a program that uses it in three phases, and a vector."""
    helper = jax.jit(lambda x: lax.sin(x) * x)
    f = jax.custom_vjp(helper)
    f.defvjp(lambda x: (helper(x), x), lambda x, g: (g * helper(x),))
    return helper, lambda x: (jax.value_and_grad(lambda y: f(y).sum())(x), helper(x)), jnp.ones(3)


def facts(function: Any, argument: Any) -> Any:
    levels = count(function, argument, by=("source",))
    return {
        level: (c.tally, c.expanded, c.by, c.expanded_by, c.lines, c.functions, c.loops) for level, c in levels.items()
    }


def test_after_the_user_s_code_ran_the_helpers_itself() -> None:
    _, untouched, argument = helped()
    expected = facts(untouched, argument)
    helper, program, argument = helped()
    jax.grad(lambda x: helper(x).sum())(argument)
    jax.jit(program).lower(argument).as_text()
    helper(argument)
    assert facts(program, argument) == expected


def test_after_a_helper_was_traced_from_another_place() -> None:
    helper, program, argument = helped()
    expected = facts(program, argument)
    jax.vmap(helper)(jnp.ones((2, 3)))
    helper(argument)
    assert facts(program, argument) == expected


def test_counting_changes_nothing_of_what_jax_does_afterwards() -> None:
    _, program, argument = helped()
    before = jax.jit(program).lower(argument).as_text(debug_info=True)
    count(program, argument, by=("stack",))
    _, program, argument = helped()
    assert jax.jit(program).lower(argument).as_text(debug_info=True).count("\n") == before.count("\n")
    assert jnp.allclose(jax.jit(program)(argument)[0][0], program(argument)[0][0])


def test_on_another_python_with_the_same_jax() -> None:
    """``LTC_IR_SECOND_PYTHON`` names an interpreter of another version that has the same JAX."""
    second = os.environ.get("LTC_IR_SECOND_PYTHON")
    if not second:
        pytest.skip("LTC_IR_SECOND_PYTHON names no second interpreter")
    said = "import jax, sys; print(jax.__version__, *sys.version_info[:2])"
    version, major, minor = subprocess.run(
        [second, "-c", said], capture_output=True, text=True, check=True
    ).stdout.split()
    if version != jax.__version__ or (int(major), int(minor)) == sys.version_info[:2]:
        pytest.skip(
            f"{second} is Python {major}.{minor} with JAX {version}, not another Python with JAX {jax.__version__}"
        )
    assert child(NAMES, "0", second) == all_in_order()
