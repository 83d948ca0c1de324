"""A diffrax solve as a target: its loop, its gradient through the checkpointed adjoint, and its own cost by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import pytest

from ltc_ir import Target
from tests.frameworks.conftest import Held

diffrax = pytest.importorskip("diffrax", reason="needs the frameworks extra: diffrax")

pytestmark = pytest.mark.frameworks

HERE = Path(__file__)


def _rate(t: Any, y: Any, w: Any) -> Any:
    return -w * y


def _end(y: Any, w: Any) -> Any:
    solution = diffrax.diffeqsolve(diffrax.ODETerm(_rate), diffrax.Tsit5(), 0.0, 1.0, 0.1, y, args=w, max_steps=64)
    return solution.ys.sum()


def _held() -> Held:
    shape = jax.ShapeDtypeStruct((2,), "float32")
    return Held(Target(_end, (shape, shape), argnums=(0, 1), name="solve"), HERE)


def test_a_solve_and_its_gradient() -> None:
    held = _held()
    made = held.check("forward", "grad")
    held.has_phases(made)
    forward, grad = (made.programs[name]["stablehlo"].tally.ops for name in ("forward", "grad"))
    assert 1 <= forward["stablehlo.while"] < grad["stablehlo.while"]


def test_the_vector_field_is_named_and_so_is_the_library() -> None:
    held = _held()
    keys = [group.key for group in held.count(programs=["forward"]).programs["forward"]["jaxpr"].by or ()]
    line = _rate.__code__.co_firstlineno + 1
    assert any(key.endswith(f"{HERE.name}:{line}") for key in keys), keys
    held.names_library("diffrax")
