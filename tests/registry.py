"""What a test program is, and the one table of them: the makers in ``programs_*.py`` enter themselves here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import pytest

JAX = tuple(int(part) for part in jax.__version__.split(".")[:3])

Made = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function, jitted or not, and its example arguments."""


@dataclass(frozen=True)
class TestProgram:
    """One program.

    ``make`` (call it inside `session`) gives the function and its arguments. ``grad`` says that the function is already
    a gradient, so has a backward phase; ``devices`` how many it spans; ``platform`` what it can be lowered for on a
    machine with CPUs alone; ``min_jax`` and ``max_jax`` which versions have it; ``compiles`` is false where XLA here
    cannot compile it, or not in reasonable time.
    """

    __test__: ClassVar[bool] = False

    name: str
    make: Callable[[], Made]
    grad: bool = False
    devices: int = 1
    x64: bool = False
    min_jax: tuple[int, ...] | None = None
    max_jax: tuple[int, ...] | None = None
    platform: str = "cpu"
    compiles: bool = True
    note: str = ""

    @property
    def lowers_on_cpu(self) -> bool:
        return self.platform == "cpu"

    def unavailable(self) -> str | None:
        """Why the program cannot be had here, or ``None``."""
        if self.min_jax and self.min_jax > JAX:
            return f"needs JAX {'.'.join(map(str, self.min_jax))}"
        if self.max_jax and self.max_jax < JAX:
            return f"needs JAX {'.'.join(map(str, self.max_jax))} or older"
        if self.devices > jax.device_count():
            return f"needs {self.devices} devices"
        return None

    @contextmanager
    def session(self) -> Iterator[None]:
        """The configuration to make, trace, lower and run the program in."""
        before = jax.config.read("jax_enable_x64")
        jax.config.update("jax_enable_x64", self.x64)
        try:
            yield
        finally:
            jax.config.update("jax_enable_x64", before)

    def trace(self) -> Any:
        """A fresh function of the program, traced by JAX alone: a ``Traced``, with ``.jaxpr``."""
        with self.session():
            fn, args = self.make()
            return (fn if hasattr(fn, "trace") else jax.jit(fn)).trace(*args)

    def lower(self) -> Any:
        """The program lowered by JAX alone for its platform: a ``Lowered``."""
        with self.session():
            return self.trace().lower(lowering_platforms=(self.platform,))

    def compile(self) -> Any:
        """The program compiled by JAX alone for the CPU: a ``Compiled``."""
        with self.session():
            fn, args = self.make()
            return (fn if hasattr(fn, "lower") else jax.jit(fn)).lower(*args).compile()


PROGRAMS: dict[str, TestProgram] = {}


def get(name: str) -> TestProgram:
    """The program of that name; the test that asks is skipped where it cannot be had."""
    reason = PROGRAMS[name].unavailable()
    if reason:
        pytest.skip(f"{name} {reason}")
    return PROGRAMS[name]


def names(**fields: Any) -> list[str]:
    """The names of the programs with these fields, to parametrise with: ``names(grad=True, devices=1)``."""
    return [p.name for p in PROGRAMS.values() if all(getattr(p, key) == value for key, value in fields.items())]


def program(**fields: Any) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Register a maker under its own name, with its docstring as note."""

    def register(make: Callable[[], Made]) -> Callable[[], Made]:
        PROGRAMS[make.__name__] = TestProgram(make.__name__, make, note=inspect.getdoc(make) or "", **fields)
        return make

    return register


def vector(size: int = 3) -> jax.Array:
    """The usual argument: float32, away from kinks and singularities."""
    return jnp.linspace(0.5, 1.5, size, dtype=jnp.float32)


def matrix(size: int = 3) -> jax.Array:
    """A symmetric positive definite float32 matrix."""
    return jnp.eye(size, dtype=jnp.float32) * 4 + 1
