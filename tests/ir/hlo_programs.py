"""Small programs that, between them, bring out each thing XLA prints; with XLA's own listing of what it compiled.

The listing is read from the module's protocol buffer, which every supported JAX can serialise, by the wire format
alone: nothing of it passes through the text that the tests check against it.
"""

from __future__ import annotations

import collections
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Listed(NamedTuple):
    """What XLA says of one instruction; called computations in order."""

    computation: str
    name: str
    opcode: str
    operands: tuple[str, ...]
    called: tuple[str, ...]
    op_name: str
    is_root: bool


def _nested_scan(x):
    def inner(c, y):
        return jnp.sin(c * y), jnp.cos(c)

    def outer(c, _):
        c, ys = lax.scan(inner, c, x)
        return c + ys.sum(), None

    return lax.scan(outer, jnp.float32(1), None, length=4)[0]


def _cond(x):
    return lax.cond(x.sum() > 0, jnp.sin, lambda y: jnp.cos(y) * 2, x)


def _switch(x):
    return lax.switch(x.sum().astype(int), [jnp.sin, jnp.cos, jnp.tanh, lambda y: y * 2], x)


def _while(x):
    return lax.while_loop(lambda c: c.sum() < 100, lambda c: c * 2 + 1, x)


def _remat(x):
    return jax.grad(lambda y: jax.checkpoint(lambda z: jnp.sin(jnp.sin(z)))(y).sum())(x)


@jax.custom_vjp
def _clip(x):
    return jnp.clip(x, -1, 1)


_clip.defvjp(lambda x: (_clip(x), x), lambda x, g: (g * x,))


def _custom_vjp(x):
    return jax.grad(lambda y: _clip(y * y).sum())(x)


def _vmap(x):
    return jax.vmap(lambda row: jnp.linalg.norm(row) * row)(jnp.outer(x, x))


def _hessian(x):
    return jax.hessian(lambda y: (jnp.sin(y) ** 3).sum())(x)


def _fft(x):
    return jnp.abs(jnp.fft.fft(x)) + jnp.fft.irfft(jnp.fft.rfft(x), n=x.size)


def _sort(x):
    return jnp.sort(x), jnp.argsort(-x)


def _cholesky(x):
    a = jnp.outer(x, x) + 9 * jnp.eye(x.size)
    return jnp.linalg.cholesky(a), jnp.linalg.solve(a, x)


def _top_k(x):
    return lax.top_k(x, 2)


def _gather_scatter(x):
    i = jnp.array([2, 0, 2])
    return x[i], x.at[i].add(1.0), lax.dynamic_update_slice(x, x[:2], (x.sum().astype(int),))


def _windows(x):
    image = jnp.outer(x, x)[None, None]
    pooled = lax.reduce_window(image, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 1, 1), "SAME")
    return jax.grad(lambda y: lax.conv(y, jnp.ones((2, 1, 2, 2), y.dtype), (1, 1), "SAME").sum() + pooled.sum())(image)


def _select_and_scatter(x):
    def pooled(y):
        return lax.reduce_window(jnp.outer(y, y), -jnp.inf, lax.max, (2, 2), (2, 2), "VALID").sum()

    return jax.grad(pooled)(x)


def _casts(x):
    small = x.astype(jnp.int4)
    return small + jnp.int4(1), x.astype(jnp.bfloat16) * 2, x.astype(jnp.float64).sum(), (x * 1j).conj()


def _callback(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x) + 1


def _constants(x):
    table = np.random.default_rng(0).random((2, 3, 2, 2)).astype(np.float32)
    return x.sum() + jnp.asarray(table) @ jnp.array([[1.0, 2.0], [3.0, 4.0]]), x * jnp.array([1, 2, 3, 4 + 5j])


def _random(x):
    return jax.random.normal(jax.random.key(0), x.shape) + jnp.cumsum(x)


def _scopes(x):
    with jax.named_scope('quoted "x" \\ {brace é'):
        return jnp.sin(x) @ jnp.cos(x)


PROGRAMS: dict[str, Callable[..., Any]] = {
    function.__name__.lstrip("_"): function
    for function in (
        *(_nested_scan, _cond, _switch, _while, _remat, _custom_vjp, _vmap, _hessian, _fft, _sort, _cholesky, _top_k),
        *(_gather_scatter, _windows, _select_and_scatter, _casts, _callback, _constants, _random, _scopes),
    )
}

SHARDED = """
import json, jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("a", "b"))
x = jax.device_put(jnp.ones((8, 8)), NamedSharding(mesh, P("a", "b")))
y = jax.device_put(jnp.ones((8, 8)), NamedSharding(mesh, P("b", None)))
lowered = jax.jit(lambda x, y: jnp.sin(x @ y).sum(0), out_shardings=NamedSharding(mesh, P())).lower(x, y)
compiled = lowered.compile()
module = compiled.runtime_executable().hlo_modules()[0]
texts = [compiled.as_text(), lowered.as_text(dialect="hlo")]
print(json.dumps([texts, module.as_serialized_hlo_module_proto().hex()]))
"""

DUMPED = """
import json, jax, jax.numpy as jnp
def body(c, y):
    return (jnp.sin(c[0] * y), c[1] + y), c[0]
compiled = jax.jit(lambda x: jax.lax.scan(body, (x[0], x[1]), x)).lower(jnp.ones(3)).compile()
print(json.dumps(compiled.runtime_executable().hlo_modules()[0].as_serialized_hlo_module_proto().hex()))
"""


GOOD = 'HloModule m\n\nENTRY e {\n  a = f32[] constant({1, 2})\n  ROOT b = f32[] add(a, a), metadata={op_name="x"}\n}\n'
TABLES = """HloModule m

FileNames
1 "/x/a \\"quoted\\".py"
2 "/x/b.py"

FunctionNames
1 "<module>"
2 "f.<locals>.g"

FileLocations
1 {file_name_id=1 function_name_id=1 line=10 end_line=10 column=1 end_column=2}
2 {file_name_id=2 function_name_id=2 line=20 end_line=21 column=1 end_column=2}

StackFrames
%s

ENTRY e {
  ROOT c = f32[] constant(1), metadata={op_name="c" stack_frame_id=%s}
}
"""


def example() -> jax.Array:
    """The argument of every program: four float32."""
    return jnp.array([0.5, -1.0, 2.0, 0.25], jnp.float32)


def lower(name: str) -> Any:
    """A program, lowered for the CPU, with types of 64 bits."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        return jax.jit(PROGRAMS[name]).lower(example())
    finally:
        jax.config.update("jax_enable_x64", before)


@functools.cache
def program(name: str) -> Any:
    """A program, compiled once for all tests."""
    return lower(name).compile()


def xla_module(compiled: Any) -> Any:
    """XLA's own module of a compiled program."""
    return compiled.runtime_executable().hlo_modules()[0]


def sharded() -> tuple[list[str], bytes]:
    """The texts and the serialised module of a matrix product on four virtual devices, from a process of its own."""
    texts, module = _child(SHARDED, "--xla_force_host_platform_device_count=4")
    return texts, bytes.fromhex(module)


@functools.cache
def sharded_program() -> tuple[list[str], bytes]:
    """What `sharded` returns, made once for all tests."""
    return sharded()


def dumped(folder: Path) -> tuple[str, bytes]:
    """The optimised text that XLA dumps into an empty ``folder`` of a scan, and the serialised module."""
    module = _child(DUMPED, f"--xla_dump_to={folder} --xla_dump_hlo_as_text")
    [file] = folder.glob("*jit__lambda*after_optimizations.txt")
    return file.read_text(), bytes.fromhex(module)


def _child(code: str, flags: str) -> Any:
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer message: numbers as int, all else as bytes."""
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = varint(message, position)
            yield key >> 3, value
            continue
        size, position = varint(message, position) if kind == 2 else ({1: 8, 5: 4}[kind], position)
        yield key >> 3, message[position : position + size]
        position += size


def varint(message: bytes, position: int) -> tuple[int, int]:
    """A number in base 128, lowest digits first, and where it ends."""
    value = shift = 0
    while message[position] & 128:
        value |= (message[position] & 127) << shift
        position, shift = position + 1, shift + 7
    return value | message[position] << shift, position + 1


def _grouped(message: bytes) -> dict[int, list[Any]]:
    found = collections.defaultdict(list)
    for number, value in fields(message):
        found[number].append(value)
    return found


def _numbers(values: list[Any]) -> list[int]:
    """A repeated number, packed or not."""
    found = []
    for value in values:
        position = 0
        while not isinstance(value, int) and position < len(value):
            number, position = varint(value, position)
            found.append(number)
        found += [value] if isinstance(value, int) else []
    return found


def xla_listing(serialised: bytes) -> list[Listed]:
    """All instructions of a serialised module (fields as numbered in XLA's ``hlo.proto``)."""
    computations = [_grouped(value) for number, value in fields(serialised) if number == 3]
    names = {computation[5][0]: computation[1][0].decode() for computation in computations}
    listing: list[Listed] = []
    for computation in computations:
        listing += _listed(computation, names)
    return listing


def _listed(computation: dict[int, list[Any]], computations: dict[int, str]) -> Iterator[Listed]:
    instructions = [_grouped(value) for value in computation[2]]
    names = {_low(instruction[35][0]): instruction[1][0].decode() for instruction in instructions}
    for instruction in instructions:
        metadata = _grouped(instruction[7][0]) if instruction[7] else {}
        yield Listed(
            computation[1][0].decode(),
            instruction[1][0].decode(),
            instruction[2][0].decode(),
            tuple(names[_low(number)] for number in _numbers(instruction[36])),
            tuple(computations[number] for number in _numbers(instruction[38])),
            metadata[2][0].decode() if metadata and metadata[2] else "",
            _low(instruction[35][0]) == _low(computation[6][0]),
        )


def _low(number: int) -> int:
    """Newer versions put the computation's number into the upper half of an instruction's."""
    return number & 0xFFFFFFFF
