"""No target of a framework is told to set something: what libraries fill in themselves is not a change."""

from __future__ import annotations

from typing import Any

import pytest

from ltc_ir.targets import prepare
from ltc_ir.targets.state import Watch
from tests.targets.conftest import project  # noqa: F401 - a fixture

pytestmark = pytest.mark.frameworks

X = 'f_args = (params, jax.ShapeDtypeStruct((4, 8), "float32"))\n'
LINEN = """
import flax.linen as nn, jax, jax.numpy as jnp

class MLP(nn.Module):
    width: int = 16

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.relu(nn.LayerNorm()(nn.Dense(self.width)(x)))).sum()

model = MLP()
params = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((4, 8)))
f = lambda params, x: model.apply(params, x)
"""
NNX = """
import jax
from flax import nnx

class Net(nnx.Module):
    def __init__(self, rngs):
        self.first, self.norm = nnx.Linear(8, 16, rngs=rngs), nnx.BatchNorm(16, rngs=rngs)

    def __call__(self, x):
        return nnx.relu(self.norm(self.first(x))).sum()

graph, params = nnx.split(Net(nnx.Rngs(0)))
f = lambda params, x: nnx.merge(graph, params)(x)
"""
OPTAX = """
import jax, optax

steps = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_decay_schedule(1e-3, 100)))
params = jax.ShapeDtypeStruct((8, 8), "float32")
state = jax.eval_shape(steps.init, params)

def f(params, x):
    zeros = jax.tree.map(lambda leaf: jax.numpy.zeros(leaf.shape, leaf.dtype), state)
    return optax.apply_updates(params, steps.update(params, zeros, params)[0]).sum() + x.sum()
"""
EQUINOX = """
import equinox as eqx, jax

model = eqx.filter_eval_shape(eqx.nn.MLP, 8, 1, 16, 2, key=jax.random.key(0))
params, static = eqx.partition(model, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
f = lambda params, x: jax.vmap(eqx.combine(params, static))(x).sum()
"""
DIFFRAX = """
import diffrax, jax

params = jax.ShapeDtypeStruct((3,), "float32")

def f(params, x):
    term, solver = diffrax.ODETerm(lambda t, y, args: -y), diffrax.Tsit5()
    steps = diffrax.PIDController(rtol=1e-3, atol=1e-6)
    return diffrax.diffeqsolve(term, solver, 0.0, 1.0, 0.1, params, stepsize_controller=steps).ys.sum() + x.sum()
"""


@pytest.mark.parametrize(
    ("name", "library", "code"),
    [
        ("linen", "flax", LINEN),
        ("nnx", "flax", NNX),
        ("optimizer", "optax", OPTAX),
        ("module", "equinox", EQUINOX),
        ("solver", "diffrax", DIFFRAX),
    ],
)
def test_importing_and_tracing_a_framework_sets_nothing(name: str, library: str, code: str, project: Any) -> None:  # noqa: F811
    pytest.importorskip(library, reason=f"needs the frameworks extra: {library}")
    project(**{f"state_{name}": code + X})
    watch = Watch()
    target = prepare.resolve(f"state_{name}:f")
    for program in ("forward", "grad"):
        prepare.stage(target, program, clear=False).lowered  # noqa: B018 - it is made when it is asked for
    assert [change for change in watch.changes() if "PYTEST" not in change] == []
