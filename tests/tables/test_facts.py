"""Holds what a count says beside its numbers: trip counts, bytes of constants, collectives with their bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ltc_ir.errors import TargetError
from tests.programs_numeric import _shard_map as shard_map
from tests.registry import get
from tests.tables.counted import LEVELS, by_phase, count, counted

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("quick_compile")]


def trips(function: Callable[..., Any], *arguments: Any) -> dict[str, Counter[int | None]]:
    """The trip counts of a function's loops at every level."""
    found = count(function, *arguments)
    return {level: Counter({loop.trip_count: loop.times for loop in found[level].loops}) for level in LEVELS}


def counting(start: Any, step: Any, goes_on: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A while whose counter starts, steps and ends so."""
    return lambda x: lax.while_loop(lambda s: goes_on(s[0]), lambda s: (s[0] + step, lax.sin(s[1])), (start, x))


X = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("function", "times"),
    [
        (lambda x: lax.scan(lambda c, y: (lax.sin(c + y), c), x[0], x)[0], 3),
        (lambda x: lax.scan(lambda c, y: (lax.sin(c + y), c), x[0], x, reverse=True)[0], 3),
        (lambda x: lax.fori_loop(0, 6, lambda i, c: lax.sin(c), x), 6),
        (lambda x: lax.fori_loop(2, 6, lambda i, c: lax.sin(c) + i, x), 4),
        (jax.jit(lambda y: lax.fori_loop(0, 6, lambda i, c: lax.sin(c), y)), 6),
    ],
)
def test_a_scan_runs_as_often_as_it_is_long_on_every_level(function: Any, times: int) -> None:
    assert trips(function, X) == {key: Counter({times: 1}) for key in LEVELS}


def test_loops_in_loops_and_of_both_phases_are_told_apart() -> None:
    def nest(x: Any) -> Any:
        return lax.scan(lambda c, y: (lax.scan(lambda d, z: (lax.sin(d) * z, None), c, x)[0], None), x[0], jnp.ones(4))[
            0
        ]

    assert trips(nest, X) == {key: Counter({4: 1, 3: 1}) for key in LEVELS}
    found = count(jax.grad(lambda x: lax.scan(lambda c, y: (lax.sin(c * y), None), x[0], x)[0]), X)
    for level in LEVELS[:2]:
        assert sorted((loop.phase, loop.trip_count) for loop in found[level].loops) == [("backward", 3), ("forward", 3)]


def test_an_unrolled_scan_runs_less_often_below() -> None:
    found = trips(lambda x: lax.scan(lambda c, y: (lax.sin(c) + y, None), x[0], jnp.ones(7), unroll=3)[0], X)
    assert (found["jaxpr"], found["stablehlo"]) == ({7: 1}, {2: 1})


@pytest.mark.parametrize(
    ("function", "times"),
    [
        (counting(0, 1, lambda i: i < 7), 7),
        (counting(0, 3, lambda i: i < 7), 3),
        (counting(1, 3, lambda i: i <= 10), 4),
        (counting(0, 3, lambda i: i != 12), 4),
        (counting(0, 2, lambda i: 10 > i), 5),  # noqa: SIM300 - the constant on the left
        (counting(0, 2, lambda i: 10 >= i), 6),  # noqa: SIM300
        (counting(10, -3, lambda i: i > 0), 4),
        (counting(10, -2, lambda i: i >= 0), 6),
        (counting(jnp.uint8(0), jnp.uint8(1), lambda i: i < jnp.uint8(200)), 200),
        (counting(jnp.int8(-100), jnp.int8(1), lambda i: i < jnp.int8(100)), 200),
        (counting(jnp.uint32(0), jnp.uint32(10**9), lambda i: i < jnp.uint32(3 * 10**9)), 3),
        (lambda x: lax.while_loop(lambda s: s[0] < s[2], lambda s: (s[0] + 1, lax.sin(s[1]), s[2]), (0, x, 7)), 7),
    ],
)
def test_a_while_between_constants_runs_as_often_as_it_counts(function: Any, times: int) -> None:
    found = trips(function, X)
    assert found["jaxpr"] == {None: 1}  # a jaxpr's while is looked into by nobody
    assert found["stablehlo"] == found["hlo"] == {times: 1}
    assert _run(function) == times


def _run(function: Any) -> int:
    """How often the loop runs, by running it: each round applies a sine."""
    value, rounds = function(X)[1], 0
    current = jnp.asarray(X)
    while not np.array_equal(current, value) and rounds < 1000:
        current, rounds = lax.sin(current), rounds + 1
    return rounds


def test_a_loop_that_never_runs_runs_never() -> None:
    assert trips(counting(5, 1, lambda i: i < 0), X)["stablehlo"] == {0: 1}


@pytest.mark.parametrize(
    "function",
    [
        lambda x: lax.while_loop(lambda c: c.sum() > 1, lambda c: lax.sin(c) / 2, x),
        lambda x: lax.while_loop(lambda s: (s[0] < 9) & (s[1].sum() > 1), lambda s: (s[0] + 1, s[1] / 2), (0, x)),
        lambda x: lax.while_loop(lambda s: s[0] < s[2], lambda s: (s[0] + 1, lax.sin(s[1]), s[2] - 1), (0, x, 7)),
        lambda x: lax.fori_loop(0, x.astype(int)[0], lambda i, c: lax.sin(c), x),
        lambda x: lax.fori_loop(x.astype(int)[0], 9, lambda i, c: lax.sin(c), x),
        lambda x: lax.while_loop(lambda s: s[0] < 9, lambda s: (s[0] * 2, lax.sin(s[1])), (1, x)),
        lambda x: lax.while_loop(lambda s: s[0] != 4, lambda s: (s[0] + 1, lax.sin(s[1])), (np.complex64(0), x)),
        lambda x: lax.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, lax.sin(s[1])), (0.0, x)),
        counting(jnp.uint8(0), jnp.uint8(100), lambda i: i < jnp.uint8(250)),  # wraps around before it ends
        counting(jnp.int8(0), jnp.int8(1), lambda i: i <= jnp.int8(127)),  # never ends
    ],
)
def test_a_loop_that_hangs_on_values_has_no_trip_count(function: Any) -> None:
    found = count(function, X, levels=LEVELS[:2])
    assert [[loop.trip_count for loop in found[level].loops] for level in LEVELS[:2]] == [[None], [None]]


# constants


@contextmanager
def constants_as_arguments(hoisted: bool | None) -> Iterator[None]:
    """Closed-over arrays passed as hidden arguments, or not, where this JAX lets one choose."""
    option = "jax_use_simplified_jaxpr_constants"
    if hoisted is None:
        yield
        return
    if not hasattr(jax.config, option):
        pytest.skip(f"this JAX has no {option}")
    before = getattr(jax.config, option)
    jax.config.update(option, hoisted)
    try:
        yield
    finally:
        jax.config.update(option, before)


def constants(function: Callable[..., Any]) -> tuple[int, int]:
    found = count(function, X, levels=("stablehlo",))["stablehlo"].constants
    assert found is not None
    assert found["bytes"] is not None
    assert found["embedded_bytes"] is not None
    return found["bytes"], found["embedded_bytes"]


CONSTANTS = {
    "jax array": (lambda: jnp.arange(1000, dtype=jnp.float32), 4000),
    "numpy array": (lambda: np.arange(1000, dtype=np.float32), 4000),
    "four-bit integers": (lambda: jnp.arange(9).astype(jnp.int4), 5),
    "truth values": (lambda: jnp.arange(10) % 3 == 0, 2),
    "complex numbers": (lambda: jnp.arange(5).astype(jnp.complex64), 40),
    "half precision": (lambda: jnp.arange(5).astype(jnp.bfloat16), 10),
    "one complex value throughout": (lambda: jnp.full(5, 1 + 2j, jnp.complex64), 0),
    "a large complex array": (lambda: jnp.arange(1000).astype(jnp.complex64), 8000),
    "one value throughout": (lambda: jnp.full(1000, 2.0, jnp.float32), 0),
    "a scalar": (lambda: jnp.float32(3), 0),
}


@pytest.mark.parametrize("hoisted", [None, True, False])
@pytest.mark.parametrize("name", CONSTANTS)
def test_closed_over_constants_weigh_what_they_store(name: str, hoisted: bool | None) -> None:
    make, size = CONSTANTS[name]
    value = make()
    with constants_as_arguments(hoisted):
        total, embedded = constants(lambda x: (x.sum(), value * 1))
    assert embedded <= total
    assert total == size


INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (2, 4, 8, 16, 32, 64)]
FLOATS = [name for name in vars(ml_dtypes) if name.startswith(("bfloat", "float"))]
TYPES = ["bool", *INTEGERS, *FLOATS, "float16", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("name", TYPES)
def test_constants_of_every_type_are_weighed(name: str) -> None:
    """Bindings that lack a class for an element type raise when asked for it, or end the process."""
    if name != "bool" and not hasattr(jnp, name):
        pytest.skip(f"this JAX has no {name}")
    kind = jnp.dtype(name)
    bits = 1 if name == "bool" else int("".join(filter(str.isdigit, name.partition("_")[0])))

    values = (np.arange(9) % 2).astype(kind)
    try:
        found = count(lambda x: (x.sum(), jnp.asarray(values)), X, levels=("stablehlo",), x64=True)[
            "stablehlo"
        ].constants
    except TargetError as error:
        pytest.skip(f"this JAX cannot lower it: {error}")
    assert found == {"bytes": -(-9 * bits // 8), "embedded_bytes": -(-9 * bits // 8)}


def test_a_program_without_constants_has_none() -> None:
    assert constants(lambda x: lax.sin(x) * 2) == (0, 0)


def test_the_closed_over_constant_of_the_test_programs_weighs_4096_bytes() -> None:
    assert counted("closed_over_constant")["stablehlo"].constants == {"bytes": 4096, "embedded_bytes": 4096}


# collectives


def mesh() -> Mesh:
    if jax.device_count() < 4:
        pytest.skip("needs four devices")
    return Mesh(np.array(jax.devices()[:4]), ("d",))


ROWS = P("d")
BY_HAND = {
    # the result on one device, in bytes
    "psum": (lambda a: lax.psum(a, "d"), ROWS, P(), (8, 4), {"all-reduce": {"count": 1, "bytes": 2 * 4 * 4}}),
    "all_gather": (
        lambda a: lax.all_gather(a, "d", tiled=True), ROWS, ROWS, (8, 4), {"all-gather": {"count": 1, "bytes": 8 * 4 * 4}},
    ),
    "ppermute": (
        lambda a: lax.ppermute(a, "d", [(i, (i + 1) % 4) for i in range(4)]), ROWS, ROWS, (8, 4),
        {"collective-permute": {"count": 1, "bytes": 2 * 4 * 4}},
    ),
    "all_to_all": (
        lambda a: lax.all_to_all(a, "d", 1, 0), ROWS, ROWS, (4, 4), {"all-to-all": {"count": 1, "bytes": 4 * 4}},
    ),
    "psum_scatter": (
        lambda a: lax.psum_scatter(a, "d", tiled=True), P(), ROWS, (8, 4), {"reduce-scatter": {"count": 1, "bytes": 2 * 4 * 4}},
    ),
}  # fmt: skip


def amounts(collectives: Any) -> dict[str, Any]:
    """The number and the bytes of each kind; `test_collectives` looks at the rest."""
    return {kind: {key: entry[key] for key in ("count", "bytes")} for kind, entry in collectives.items()}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_collective_is_counted_with_the_bytes_of_its_result_on_one_device(name: str) -> None:
    function, into, out, shape, expected = BY_HAND[name]
    found = count(shard_map(function, mesh(), into, out), jnp.ones(shape))["hlo"]
    assert amounts(found.collectives) == expected


def test_two_values_summed_over_devices_are_two_collectives() -> None:
    f = shard_map(lambda a, b: lax.psum((a, b), "d"), mesh(), (ROWS, ROWS), P())
    found = count(f, jnp.ones((8, 4)), jnp.ones(4, jnp.int32))["hlo"].collectives
    assert found is not None
    assert found["all-reduce"]["bytes"] == 2 * 4 * 4 + 4


def test_automatic_sharding_has_its_collective_in_hlo_alone() -> None:
    get("automatic_sharding")
    levels = counted("automatic_sharding")
    assert amounts(levels["hlo"].collectives) == {"all-reduce": {"count": 1, "bytes": 4 * 4 * 4}}
    assert not by_phase(levels["stablehlo"].tally, "all_reduce")
    assert levels["jaxpr"].collectives is levels["stablehlo"].collectives is None


def test_a_collective_in_a_loop_is_counted_as_it_stands() -> None:
    f = shard_map(lambda a: lax.fori_loop(0, 5, lambda i, c: lax.psum(c, "d") / 4, a.sum(0)), mesh(), ROWS, P())
    try:
        found = count(f, jnp.ones((8, 4)))["hlo"].collectives
    except Exception as error:
        pytest.skip(f"this JAX refuses the loop: {error}")
    assert amounts(found) == {"all-reduce": {"count": 1, "bytes": 16}}


def test_a_program_of_one_device_has_no_collective() -> None:
    assert counted("cond")["hlo"].collectives == {}


def test_a_sharded_argument_keeps_its_sharding() -> None:
    whole = NamedSharding(mesh(), P())
    f = jax.jit(lambda a: lax.sin(a), out_shardings=whole)  # noqa: PLW0108 - a function of its own
    argument = jax.device_put(jnp.ones((8, 4)), NamedSharding(mesh(), ROWS))
    found = count(f, argument)["hlo"].collectives
    assert amounts(found) == {"all-gather": {"count": 1, "bytes": 8 * 4 * 4}}
