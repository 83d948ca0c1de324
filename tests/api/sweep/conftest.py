"""A folder with functions of several sizes, and the command line run in this process."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import command  # noqa: F401

SIZED = """
import collections
import time
import jax
import jax.numpy as jnp
import ltc_ir

Params = collections.namedtuple("Params", "w b")

def f32(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)

def unrolled(x, steps=4):
    for _ in range(steps):
        x = jnp.sin(x) + jnp.dot(x, x)
    return x.sum()

unrolled_args = (f32(8),)

def rolled(x, steps=4):
    return jax.lax.fori_loop(0, steps, lambda _, x: jnp.sin(x) + jnp.dot(x, x), x).sum()

rolled_args = (f32(8),)

def product(x, y):
    return x @ y

product_args = (f32(8, 4), f32(4, 2))

def layer(params, batch):
    return jnp.tanh(params.w @ batch["x"] + params.b)

layer_args = (Params(f32(8, 4), f32(8)), {"x": f32(4)})

def tower(x):
    for _ in range(x.shape[0]):
        x = x * 2
    return x

def tower_args(height=3):
    return (f32(height),)

def stacked(depth):
    def run(x):
        for _ in range(depth):
            x = jnp.tanh(x)
        return x
    return run, (f32(8),)

def picky(depth):
    if depth > 4:
        raise ValueError("too deep")
    return stacked(depth)

STACK = ltc_ir.Target(*stacked(2), sizes={"depth": stacked, "picky": picky, "none": lambda n: n})

def traced(x, n):
    return x * n

traced_args = (f32(8), 3)

def moded(x, mode="fast", flag=True):
    return x

moded_args = (f32(8),)

def hangs(x, steps=1):
    if steps > 2:
        time.sleep(1000)
    return x.sum()

hangs_args = (jnp.ones(3),)

def odd(x):
    if x.shape[0] > 8:
        raise ValueError("no more than eight")
    return x + 1

odd_args = (f32(8),)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder with a module ``sized``; it is the current one while a test of the module runs."""
    made = tmp_path_factory.mktemp("sized").resolve()
    (made / "sized.py").write_text(SIZED)
    before, path = Path.cwd(), list(sys.path)
    os.chdir(made)
    importlib.invalidate_caches()
    yield made
    os.chdir(before)
    sys.path[:] = path
    sys.modules.pop("sized", None)
