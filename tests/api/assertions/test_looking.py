"""Looking at a function's IR: counts, bytes and sources by phase, filter, level and program; Targets, names and wide types."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ltc_ir
from ltc_ir import Inspection, Target, assert_ir, inspect
from tests.api.assertions import programs as p
from tests.api.assertions.programs import failure, line, spread
from tests.ir.hlo_programs import xla_listing, xla_module
from tests.oracles import jaxpr_recursion

pytestmark = pytest.mark.versions

X = jax.ShapeDtypeStruct((8, 8), jnp.float32)


def net(x, w):
    return jnp.tanh(x @ w).sum()


def halves(x):
    wide = x.astype(jnp.float32)
    return (wide @ wide).astype(jnp.bfloat16), x @ x


def test_counts_by_phase_level_and_program():
    found = inspect(jax.grad(net), (X, X))
    assert isinstance(found, Inspection)
    assert found.count("dot_general") == 2
    assert found.count("dot_general", phase="forward") == 1
    assert found.count("dot_general", phase="backward") == 1
    assert found.count("dot_general", phase="primal") == 0
    assert found.count("tanh", level="stablehlo") == 1
    traced = jax.jit(jax.grad(net)).trace(X, X)
    assert found.count() == jaxpr_recursion(traced.jaxpr).total()
    listed = xla_listing(xla_module(traced.lower().compile()).as_serialized_hlo_module_proto())
    assert found.count("parameter", level="hlo") == sum(one.opcode == "parameter" for one in listed)
    assert found.count("hlo:parameter", phase="backward") < found.count("hlo:parameter")


def test_programs_of_one_function():
    found = inspect(net, (X, X))
    assert found.count("dot_general") == 1
    assert found.count("dot_general", program="grad") == 2
    assert found.count("grad/dot_general") == 2
    assert found.count("grad/dot_general", phase="backward") == 1
    assert_ir(net, (X, X), "grad/dot_general = 2", "dot_general = 1", "grad/forward.tanh = 1")
    text = failure(lambda: assert_ir(net, (X, X), "grad/backward.dot_general = 0", "forward/dot_general = 0"))
    assert "net grad breaks a rule" in text
    assert "net forward breaks a rule" in text
    assert text.count("tests/api/assertions/test_looking.py:") == 2


def test_filters():
    found = inspect(halves, (jax.ShapeDtypeStruct((8, 8), jnp.bfloat16),))
    assert found.count("dot_general") == 2
    for bf16 in ("bf16", "bfloat16"):
        assert found.count(f"dot_general[{bf16},{bf16}->{bf16}]") == 1
    for f32 in ("f32", "float32"):
        assert found.count(f"dot_general[{f32}]") == found.count(f"dot_general[{f32},{f32}]") == 1
    assert found.count("dot_general[float]") == 2
    assert found.count("dot_general[int]") == 0
    assert found.count("convert_element_type[->f32]") == found.count("convert[bf16->f32]", level="stablehlo") == 1
    assert found.count("convert_element_type[new_dtype=bfloat16]") == 1


def test_bytes():
    found = inspect(halves, (jax.ShapeDtypeStruct((8, 8), jnp.bfloat16),))
    assert found.bytes("dot_general") == 64 * 4 + 64 * 2
    assert found.bytes("dot_general[f32]") == found.bytes("dot_general[f32]", level="stablehlo") == 64 * 4
    assert inspect(p.holds_table, (p.TABLE,)).bytes("constants") == 4096
    assert inspect(p.reduces, (spread((4096,), 4),)).bytes("all_reduce", level="hlo") == 4096


def test_sources_largest_first():
    found = inspect(jax.grad(p.products), (X,))
    at = line(p.products, "transposed")
    assert found.sources("dot_general") == {at: found.count("dot_general")}
    twice = inspect(p.two_loops, (1.0,)).sources("total")
    assert list(twice.values()) == sorted(twice.values(), reverse=True)
    assert twice[line(p.one_loop, "while_loop")] > twice[line(p.two_loops, "one_loop(one_loop")]


def test_nothing_depends_on_what_was_traced_before():
    """What JAX's own functions trace is cached with the lines of their first caller; and a trace may be stale."""
    c = np.ones(4, np.complex64)
    jax.block_until_ready(jax.jit(p.by_matrix)(c))
    assert line(p.spectral, "ifft") in inspect(p.spectral, (c,)).sources("fft")
    assert line(p.by_matrix, "a product") in inspect(p.by_matrix, (c,)).sources("fft")
    use = [jnp.sin]

    def mine(x):
        return use[0](x)

    assert inspect(mine, (X,)).count("sin") == 1
    use[0] = jnp.cos
    assert inspect(mine, (X,)).count("sin") == 0


def test_names_and_targets():
    found = inspect("ltc")
    assert found.name == "ltc"
    published = ltc_ir.count("ltc", programs=["forward", "grad"]).programs
    for program, levels in published.items():
        assert found.count("dot_general", program=program) == levels["jaxpr"].tally.ops["dot_general"]
        assert found.count("while", program=program) == levels["stablehlo"].expanded.ops["stablehlo.while"]
        assert found.count(program=program) == levels["jaxpr"].tally.total
    assert_ir("ltc", None, "scan >= 1", "grad/backward.dot_general >= 1")
    assert "ltc grad breaks a rule" in failure(lambda: assert_ir("ltc", None, "grad/backward.dot_general = 0"))


def test_keywords_and_statics_of_a_target():
    def scaled(x, times, *, by):
        for _ in range(times):
            x = x * by
        return x.sum()

    target = Target(scaled, (X, 3), {"by": X}, static_argnums=(1,), name="scaled")
    assert inspect(target).count("mul") == 3
    assert_ir(target, None, "mul = 3", "grad/backward.mul = 3")
    assert "mul: 3" in failure(lambda: assert_ir(target, None, "mul = 2"))


def test_wide_types_only_where_asked_for():
    x = np.ones(3)
    assert_ir(jnp.sin, (x,), "sin[f32] = 1", x64=False)
    assert_ir(jnp.sin, (x,), "sin[f64] = 1", "sin[f64] = 1", x64=True)
    assert "sin: 0" in failure(lambda: assert_ir(jnp.sin, (x,), "sin[f64] = 1"))
    wide = inspect(lambda y: jnp.sin(y).sum(), (x,), x64=True)
    assert wide.count("sin[f64]") == 1
    assert wide.count("sin[f64]", program="grad") + wide.count("cos[f64]", program="grad") == 2
    assert wide.count("hlo:total[f64]") > 0
    assert not jax.config.jax_enable_x64


def test_a_level_once_for_all():
    found = inspect(p.rolled, (1.0, p.STEPS), level="stablehlo")
    assert found.count("while") == 1
    assert found.count() == found.inventory().levels["stablehlo"].total
    assert found.count("scan", level="jaxpr") == 1


def test_public_names():
    for name in ("assert_ir", "assert_ir_flat", "inspect", "Inspection"):
        assert name in ltc_ir.__all__
        assert getattr(ltc_ir, name).__doc__
