"""One small gradient in every form a file can have: what the tests of stored files read, cut and damage."""

from __future__ import annotations

import io
from functools import lru_cache

import jax
import jax.numpy as jnp


def loss(w, x):
    """A scan of an inner jit, so that the gradient has loops, calls and a function that both phases use."""

    @jax.jit
    def cell(state):
        return jnp.tanh(w @ state)

    def step(state, _):
        return cell(state), jnp.sum(state)

    last, sums = jax.lax.scan(step, x, None, length=5)
    return jnp.sum(cell(last) ** 2) + jnp.sum(sums * jnp.arange(5.0))


@lru_cache(maxsize=1)
def lowered():
    return jax.jit(jax.grad(loss)).lower(jnp.ones((3, 3)), jnp.ones(3))


def bytecode(module) -> bytes:
    made = io.BytesIO()
    module.operation.write_bytecode(made)
    return made.getvalue()


def artifact(module) -> bytes:
    """A portable artifact, made of a copy: making one rewrites the module in place."""
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    with module.context:
        copy = ir.Module.parse(bytecode(module))
        return bytes(stablehlo.serialize_portable_artifact(copy, stablehlo.get_current_version()))


def forms(stage) -> dict[str, bytes]:
    """A lowered program as every kind of StableHLO file."""
    module = stage.compiler_ir("stablehlo")
    return {
        "text": stage.as_text().encode(),
        "debug": stage.as_text(debug_info=True).encode(),
        "bytecode": bytecode(module),
        "artifact": artifact(module),
    }


@lru_cache(maxsize=1)
def originals() -> dict[str, bytes]:
    return {**forms(lowered()), "hlo": lowered().compile().as_text().encode()}
