"""Counts and compiles one program in the given order, in a process with a persistent compilation cache; prints JSON.

``python -m tests.tables.cache_child FOLDER count user``: after each step, what it said and what the cache then has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.tables.counted import count
from tests.tables.marking import has_mark

X = np.linspace(0.1, 1.0, 5, dtype=np.float32)
HITS = "/jax/compilation_cache/cache_hits"
_hits: list[str] = []


def program(x: Any) -> Any:
    inner = jax.jit(lambda y: jnp.tanh(y) * y)
    return jax.grad(lambda y: jax.lax.scan(lambda c, _: (inner(c), None), y, None, length=3)[0].sum())(x)


def as_user() -> Any:
    """Compile as a user does."""
    compiled = jax.jit(program).lower(X).compile()
    return {"marked": has_mark(compiled.as_text() or ""), "value": np.asarray(compiled(X)).tolist()}


def as_tool() -> Any:
    """Count the optimised HLO."""
    return asdict(count(program, X, levels=("hlo",))["hlo"].tally)


STEPS: dict[str, Callable[[], Any]] = {"count": as_tool, "user": as_user}


def entries(folder: Path) -> dict[str, bool]:
    """The entries of the cache that are programs, each with whether it has a mark."""
    from jax._src.compilation_cache import decompress_executable

    paths = [path for path in folder.rglob("*") if path.is_file() and path.name.startswith("jit_program")]
    kept = [path for path in paths if not path.name.endswith("-atime")]
    return {path.name: has_mark(decompress_executable(path.read_bytes()).decode("latin-1")) for path in kept}


def main(folder: str, *steps: str) -> None:
    jax.monitoring.register_event_listener(lambda event, **_: _hits.append(event) if event == HITS else None)
    said = []
    for step in steps:
        before = len(_hits)
        result = STEPS[step]()
        said.append({"result": result, "hits": len(_hits) - before, "entries": entries(Path(folder))})
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
