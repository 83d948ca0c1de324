"""Functions that come jitted with static arguments of their own: their loss and gradient keep those static."""

from __future__ import annotations

import functools
import json
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir import Target, UsageError
from ltc_ir.targets import prepare
from ltc_ir.targets.derive import make_program
from ltc_ir_cli.app import main

pytestmark = pytest.mark.versions

X = jax.ShapeDtypeStruct((3,), "float32")


def waves(x: Any, n: int, mode: str = "sum", *, scale: float = 1.0) -> Any:
    for _ in range(n):
        x = jnp.sin(x)
    return getattr(jnp, mode)(x) * scale


def total(x: Any, n: int) -> Any:
    return waves(x, n)


class Model:
    """A model with a jitted method, whose own self is static."""

    @functools.partial(jax.jit, static_argnums=(0, 2))
    def energy(self, x: Any, n: int) -> Any:
        return waves(x, n)

    @functools.partial(jax.jit, static_argnames=("self", "n"))
    def named(self, x: Any, n: int) -> Any:
        return waves(x, n)


JITTED = {
    "by name": Target(jax.jit(waves, static_argnames=("n", "mode")), (X,), {"n": 3}),
    "by name, given in place": Target(jax.jit(waves, static_argnames=("n", "mode")), (X, 3, "sum")),
    "by position": Target(jax.jit(waves, static_argnums=(1,)), (X, 3)),
    "by position, given by name": Target(jax.jit(waves, static_argnums=1), (X,), {"n": 3}),
    "from behind": Target(jax.jit(total, static_argnums=-1), (X, 3)),
    "only by keyword": Target(jax.jit(waves, static_argnums=1, static_argnames="scale"), (X, 3), {"scale": 1.0}),
    "what the target says besides": Target(
        jax.jit(waves, static_argnums=1), (X, 3), {"scale": 1.0}, static_argnames=("scale",)
    ),
    "of a method": Target(Model().energy, (X, 3)),
    "of a method, by name": Target(Model().named, (X,), {"n": 3}),
}


@pytest.mark.parametrize("how", JITTED)
def test_the_gradient_keeps_them_static(how):
    made = ltc_ir.count(JITTED[how], programs=["grad"], levels=["jaxpr"]).programs["grad"]["jaxpr"]
    assert (made.tally.ops["sin"], made.tally.ops["cos"]) == (3, 3)


def test_so_does_a_loss():
    target = Target(jax.jit(lambda x, n: jnp.stack([x] * n), static_argnums=1), (X, 3), loss="sum")
    made = ltc_ir.count(target, programs=["forward", "loss", "grad"], levels=["jaxpr"]).programs
    assert list(made) == ["forward", "loss", "grad"]


def test_what_is_traced_stays_traced():
    target = Target(jax.jit(waves, static_argnums=1), (X, 3), {"scale": 2.0})
    made = prepare.stage(target, "grad").traced
    assert [aval.shape for aval in made.jaxpr.in_avals] == [(3,), ()]


def test_the_forward_program_is_the_function_as_it_came():
    fn = jax.jit(waves, static_argnums=1)
    assert make_program(Target(fn, (X, 3)), "forward").static_argnums == ()


def test_an_argument_that_is_static_has_no_gradient():
    target = Target(jax.jit(lambda n, x: (x * n).sum(), static_argnums=0), (2.0, X))
    with pytest.raises(UsageError, match="argument 0 is static"):
        make_program(target, "grad")


def test_an_array_output_is_said_as_ever():
    target = Target(jax.jit(lambda x, n: x * n, static_argnums=1), (X, 3))
    with pytest.raises(UsageError, match="not a real scalar"):
        ltc_ir.lower(target, program="grad")


def test_a_position_that_nobody_fills_says_nothing_of_the_first():
    made = ltc_ir.count(Target(waves, (X,), {"n": 2}, static_argnums=(1,), static_argnames=("n",)), levels=["jaxpr"])
    assert set(made.programs) == {"forward", "grad"}


def until(x: Any, bound: float, twice: bool) -> Any:
    start = jax.lax.while_loop(lambda c: c < bound, lambda c: c * 2, jax.lax.stop_gradient(x))
    return start * x * (2 if twice else 1)


@pytest.mark.parametrize("program", ["forward", "grad"])
@pytest.mark.parametrize("target", [
    Target(jax.jit(until, static_argnames="twice"), (jnp.float32(1), 7.0), {"twice": True}),
    Target(jax.jit(until, static_argnums=(1, 2)), (jnp.float32(1), 7.0, False)),
], ids=["by name", "by position"])  # fmt: skip
def test_its_runs_are_measured(target, program):
    made = ltc_ir.count(target, programs=[program], levels=["jaxpr"], executed=True).programs[program]["jaxpr"]
    assert [loop.iterations for loop in made.executed.regions] == [3]


def test_the_command_counts_forward_and_gradient(project, capfd):
    project(
        mine="""
import functools, jax, jax.numpy as jnp

@functools.partial(jax.jit, static_argnames=("n",))
def waves(x, n):
    for _ in range(n):
        x = jnp.sin(x)
    return x.sum()

def waves_args():
    return (jax.ShapeDtypeStruct((3,), jnp.float32),), {"n": 3}
"""
    )
    assert main(["count", "mine.py:waves", "--level", "jaxpr", "-f", "json"]) == 0
    made = json.loads(capfd.readouterr().out)
    assert list(made["programs"]) == ["forward", "grad"] and not made.get("unavailable")
