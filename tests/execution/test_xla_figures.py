"""XLA's own figures: what it does not know it counts as -1, alone or within a sum, and that is never shown as a figure."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import ltc_ir
from ltc_ir.tables.compiled_hlo import xla_figures

pytestmark = pytest.mark.versions

A = jnp.eye(8) + 0.1


def called_back(x: Any) -> Any:
    return jax.pure_callback(np.asarray, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def costs(fn: Any, x: Any) -> Any:
    found = jax.jit(fn).lower(x).compile().cost_analysis()
    return found[0] if isinstance(found, list) else found


def facts(fn: Any, x: Any) -> dict[str, Any]:
    return asked(jax.jit(fn).lower(x).compile())


def asked(compiled: Any) -> dict[str, Any]:
    figures, reasons = xla_figures(compiled)
    return {**figures, "memory": [name for name in figures if name.startswith("memory.")], "reasons": reasons}


def test_what_xla_really_does():
    """A version of XLA that counts otherwise is to be looked at, for the reason says this."""
    product = costs(lambda x: x @ x, A)["flops"]
    assert costs(called_back, A)["flops"] == costs(called_back, A)["bytes accessed"] == -1
    assert costs(lambda x: called_back(x @ x), A)["flops"] == product - 1
    assert costs(lambda x: called_back(called_back(x) @ x), A)["flops"] == product - 2


LACKING = {
    "a callback alone": (called_back, "1 xla_ffi_python_cpu_callback"),
    "within a sum": (lambda x: called_back(called_back(x) @ x), "2 xla_ffi_python_cpu_callback"),
    "in a loop": (lambda x: lax.fori_loop(0, 5, lambda _, c: called_back(c) @ c, x), "callback"),
    "in a branch": (lambda x: lax.cond(x.sum() > 0, called_back, lambda c: c @ c, x), "callback"),
    "LAPACK": (jnp.linalg.cholesky, "1 lapack_spotrf_ffi"),
}


@pytest.mark.parametrize("what", LACKING)
def test_no_figure_where_there_is_a_custom_call(what):
    fn, named = LACKING[what]
    made = facts(fn, A)
    assert made["flops"] is None and made["bytes_accessed"] is None
    for name in ("flops", "bytes_accessed"):
        assert "-1" in made["reasons"][name] and named in made["reasons"][name]
    assert made["memory"]


def test_a_figure_where_there_is_none():
    with jax.named_scope("custom-call"):
        made = facts(lambda x: x @ x, A)
    assert made["flops"] == 2 * 8**3 and made["reasons"] == {}


class Compiled:
    """A compiled program of which XLA says what it is told to."""

    def __init__(self, **costs: float) -> None:
        self.costs = costs

    def cost_analysis(self) -> Any:
        return self.costs

    def memory_analysis(self) -> None:
        return None

    def as_text(self) -> str:
        return "HloModule m\n"


def test_a_negative_figure_is_none():
    made = asked(Compiled(flops=-3.0))
    assert made["flops"] is None and "-3" in made["reasons"]["flops"]
    assert made["bytes_accessed"] is None and "no such figure" in made["reasons"]["bytes_accessed"]


def test_count_says_why():
    made = ltc_ir.count(lambda x: called_back(x) @ x, args=(A,), programs=["forward"], levels=["hlo"])
    hlo = made.programs["forward"]["hlo"]
    assert hlo.flops is None and "callback" in hlo.reasons["flops"]


def test_an_executed_count_says_why():
    def until(x: Any) -> Any:
        return lax.while_loop(lambda c: c.sum() < 40, lambda c: called_back(c) * 2, x)

    made = ltc_ir.count(until, args=(jnp.ones(2),), programs=["forward"], levels=["jaxpr"], executed=True)
    executed = made.programs["forward"]["jaxpr"].executed
    assert executed.work.xla_flops is None and executed.work.xla_bytes is None
    assert [note for note in executed.notes if "no flops of XLA's" in note and "callback" in note]
