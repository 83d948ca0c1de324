"""JAX's caches: kept while assertions hold, emptied before one fails, and never the reason why one fails."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from ltc_ir import UsageError, assert_ir, assert_ir_flat
from tests.api.assertions import programs as p
from tests.api.assertions.programs import failure, line

pytestmark = pytest.mark.versions

X = jax.ShapeDtypeStruct((4,), jnp.float32)


@pytest.fixture(name="cleared")
def clears(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that JAX's caches were emptied."""
    calls: list[int] = []
    clear = jax.clear_caches

    def counted() -> None:
        calls.append(1)
        clear()

    monkeypatch.setattr(jax, "clear_caches", counted)
    return calls


def f(x):
    return jnp.sin(x) * 2


def test_what_holds_clears_nothing(cleared):
    assert_ir(f, (X,), "sin = 1", "mul = 1", same_as=lambda y: jnp.sin(y) * 2)
    assert_ir(p.rolled, (1.0, p.STEPS), "while = 1", fewer_than=p.unrolled)
    assert_ir(f, (X,), "hlo:total >= 1")
    assert_ir_flat(p.iterating, over=(2, 5))
    assert not cleared


def test_a_compiled_function_stays_compiled():
    traced = []

    @jax.jit
    def mine(x):
        traced.append(1)
        return jnp.sin(x)

    x = jnp.ones(4)
    mine(x)
    assert_ir(mine, (x,), "sin = 1")
    mine(x)
    assert len(traced) == 1


def test_what_fails_is_looked_at_again_from_cleared_caches(cleared):
    failure(lambda: assert_ir(f, (X,), "sin = 2"))
    assert len(cleared) == 1
    failure(lambda: assert_ir_flat(p.repeating, over=(2, 3)))
    assert len(cleared) == 3


def test_a_stale_trace_fails_nothing():
    """A function whose trace is cached though it would be another now, as one that reads a global is."""
    use = [jnp.sin]

    def mine(x):
        return use[0](x)

    assert_ir(mine, (X,), "sin = 1")
    use[0] = jnp.cos
    assert_ir(mine, (X,), "cos = 1", "sin = 0")
    use[0] = lambda x: jnp.tanh(x) * 1
    assert_ir(mine, (X,), same_as=lambda x: jnp.tanh(x) * 1)
    use[0] = lambda x: jnp.sin(jnp.sin(x))
    assert_ir(mine, (X,), fewer_than=lambda x: jnp.sin(jnp.sin(jnp.sin(x))))


def test_a_stale_trace_fails_no_growth():
    written = [5]

    def mine(x):
        for _ in range(written[0]):
            x = jnp.sin(x)
        return x

    short = jax.jit(mine)
    short.trace(X)
    written[0] = 2
    assert_ir_flat(lambda n: (short if n == 3 else lambda x: jnp.sin(jnp.sin(x)), (X,)), over=(1, 3))


def test_a_stale_trace_is_no_reason_to_refuse():
    use = [jnp.sin]

    def mine(x):
        return use[0](x)

    assert_ir(mine, (X,), "sin = 1")
    use[0] = lambda x: jax.ffi.ffi_call("my_kernel", x)(x)
    assert_ir(mine, (X,), "my_kernel = 1")
    with pytest.raises(UsageError):
        assert_ir(mine, (X,), "other_kernel = 1")


def test_lines_are_those_of_the_function_that_fails():
    """The inner functions of JAX are cached with the lines of whoever called them first."""
    arguments = (jax.ShapeDtypeStruct((4,), jnp.complex64),)
    assert_ir(p.by_matrix, arguments, "fft = 1")
    text = failure(lambda: assert_ir(p.spectral, arguments, "fft = 1"))
    assert line(p.spectral, "ifft") in text
    assert line(p.by_matrix, "a product") not in text
