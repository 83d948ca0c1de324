"""Bloat planted in a small project: each kind is flagged, with the phase it is in and the line it stands on."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Ran
from tests.snapshots.guard.conftest import HEAD, NET, Project, line_of

pytestmark = pytest.mark.early

SCAN = "    last, _ = jax.lax.scan(body, x, None, length=50)\n"
LOOP = "    last = x\n    for _ in range(50):\n        last = jnp.tanh(last @ w)  # planted\n"
RETURN = "    return last.sum()\n"
CELL = "    return jnp.tanh(x @ w)\n"


def says(ran: Ran, program: str) -> list[str]:
    """The message on one program."""
    lines = ran.out.splitlines()
    (start,) = (number for number, line in enumerate(lines) if line.startswith(f"net.py:step {program} has"))
    return lines[start : lines.index("", start)]


def assert_flagged(ran: Ran, program: str, phase: str, line: int) -> None:
    told = says(ran, program)
    assert len(told) <= 12
    assert "has grown" in told[0]
    assert f", {phase}" in "\n".join(told), told
    assert any(f"net.py:{line}" in place.replace(",", " ").split() for place in told), told


def planted(before: str, after: str) -> str:
    assert before in NET
    return NET.replace(before, after)


@pytest.mark.versions
@pytest.mark.parametrize(
    ("before", "after", "forward", "grad"),
    [
        pytest.param(SCAN, LOOP, "primal", "backward", id="unrolled"),
        pytest.param(
            RETURN,
            "    return last.sum() + jax.grad(lambda v: jnp.tanh(v @ w).sum())(x).sum()  # planted\n",
            "backward", "backward", id="a second gradient",
        ),
        pytest.param(
            "        return cell(w, carry), None\n",
            "        jax.debug.callback(print, carry)  # planted\n        return cell(w, carry), None\n",
            "primal", "forward", id="a callback in the loop",
        ),
        pytest.param(
            "        return cell(w, carry), None\n",
            "        extra = jax.pure_callback(abs, carry[0], jax.lax.stop_gradient(carry[0]))  # planted\n"
            "        return cell(w, carry) + extra, None\n",
            "primal", "forward", id="a pure callback in the loop",
        ),
    ],
)  # fmt: skip
def test_planted_bloat_is_flagged(before: str, after: str, forward: str, grad: str, project: Project) -> None:
    text = planted(before, after)
    project.write(text)
    ran = project.check()
    assert ran.code == 1, ran.out + ran.err
    line = line_of(text, "# planted")
    assert_flagged(ran, "forward", forward, line)
    assert_flagged(ran, "grad", grad, line)


@pytest.mark.versions
@pytest.mark.parametrize(
    "made", ["jnp.arange(1024.0 * 1024)", "np.arange(1024.0 * 1024, dtype=np.float32)"], ids=["jnp", "np"]
)
def test_a_captured_constant_is_flagged_by_its_bytes(made: str, project: Project) -> None:
    text = planted("def cell", f"TABLE = {made}.reshape(1024, 1024)\n\n\ndef cell")
    text = text.replace("import jax\n", "import jax\nimport numpy as np\n", 1)
    text = text.replace(CELL, "    return jnp.tanh(x @ w) * jnp.asarray(TABLE)[3, 5]  # planted\n")
    project.write(text)
    ran = project.check()
    assert ran.code == 1, ran.out + ran.err
    for program, phase in (("forward", "primal"), ("grad", "forward")):
        assert "constants.bytes: 4 MiB (4,194,304 bytes)" in says(ran, program)[1]
        assert_flagged(ran, program, phase, line_of(text, "# planted"))


RAMP = """    last, _ = jax.lax.scan(body, x, None, length=50)
    ramp = jnp.arange(4, dtype="float32")  # planted
    return last.sum() * (ramp > 1.5).sum()
"""


@pytest.mark.versions
def test_a_leak_of_float64_that_converts_has_grown(bare_project: Project, quick: None) -> None:
    net = NET.replace("import jax\n", "import jax\nimport numpy as np\n", 1)
    net = net.replace(CELL, "    return jnp.tanh(x @ w) * np.float32(2.0)  # planted\n")
    net = net.replace(SCAN, "    last = body(x, None)[0]\n")
    bare_project.write(net)
    assert bare_project.update("net.py:step", "--x64").code == 0
    text = net.replace("np.float32(2.0)", "np.float64(2.0)")
    bare_project.write(text)
    ran = bare_project.check("net.py:step", "--x64")
    assert ran.code == 1, ran.out + ran.err
    for program, phase in (("forward", "primal"), ("grad", "forward")):
        assert_flagged(ran, program, phase, line_of(text, "# planted"))
        told = "\n".join(says(ran, program))
        assert "convert_element_type" in told
        assert "types.f64" in told


@pytest.mark.versions
def test_a_leak_of_float64_among_equal_counts_has_changed(bare_project: Project, quick: None) -> None:
    net = NET.replace(SCAN + RETURN, RAMP)
    bare_project.write(net)
    assert bare_project.update("net.py:step", "--x64").code == 0
    bare_project.write(net.replace('"float32")  # planted', '"float64")  # planted'))
    for strict, code in (((), 0), (("--strict",), 1)):
        ran = bare_project.check("net.py:step", "--x64", *strict)
        assert ran.code == code, ran.out + ran.err
        for program in ("forward", "grad"):
            told = says(ran, program)
            assert "has changed" in told[0]
            assert f"  iota at net.py:{line_of(net, '# planted')} became f64 (was f32)" in told
            assert told[-1].startswith("  record: ltc-ir snapshot update net.py:step")
            assert "accept-growth" not in told[-1]


SHARDED = (
    HEAD
    + """
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

try:
    from jax import shard_map
except ImportError:
    from jax.experimental.shard_map import shard_map

mesh = Mesh(jax.devices()[:4], ("d",))


def block(x):
    return jnp.tanh(x) * x.sum()


def step(x):
    return shard_map(block, mesh=mesh, in_specs=P("d"), out_specs=P("d"))(x).sum()


step_args = (jax.ShapeDtypeStruct((8, 8), "float32"),)


def auto(x, w):
    return jnp.tanh(x)


auto_args = tuple(jax.ShapeDtypeStruct((8, 8), "float32", sharding=NamedSharding(mesh, P("d"))) for _ in range(2))
"""
)


@pytest.mark.versions
def test_a_gather_written_in_a_shard_map_is_flagged(bare_project: Project, quick: None) -> None:
    bare_project.write(SHARDED)
    assert bare_project.update().code == 0
    text = SHARDED.replace("x.sum()\n", 'jax.lax.all_gather(x, "d").sum()  # planted\n', 1)
    bare_project.write(text)
    ran = bare_project.check()
    assert ran.code == 1, ran.out + ran.err
    for program, phase in (("forward", "primal"), ("grad", "forward")):
        assert_flagged(ran, program, phase, line_of(text, "# planted"))
        assert "new all_gather: 1" in "\n".join(says(ran, program))


@pytest.mark.versions
def test_a_gather_of_automatic_sharding_breaks_a_rule_on_optimised_hlo(bare_project: Project, quick: None) -> None:
    bare_project.write(SHARDED)
    asked = ("net.py:auto", "--program", "forward")
    assert bare_project.update(*asked).code == 0
    rule = ("--rule", "hlo:collectives = 0")
    held = bare_project.check(*asked, *rule)
    assert held.code == 0, held.out + held.err
    text = SHARDED.replace("    return jnp.tanh(x)\n\n\nauto_args", "    return x @ w  # planted\n\n\nauto_args")
    bare_project.write(text)
    ran = bare_project.check(*asked, *rule)
    assert ran.code == 1, ran.out + ran.err
    told = ran.out.split("net.py:auto forward", 2)[2].split("\n\n")[0].splitlines()
    assert len(told) <= 12
    assert told[1].startswith("  new HLO collectives: 1") or told[1].startswith("  HLO collectives: 1"), told
    assert f"net.py:{line_of(text, '# planted')}" in "\n".join(
        told
    )  # from 0.12 on the gather itself names its argument
    assert "  rule: hlo:collectives = 0 (--rule)" in told


@pytest.mark.versions
def test_a_checkpoint_that_is_gone_is_told_as_that(bare_project: Project, quick: None) -> None:
    net = NET.replace(SCAN, "    last = jax.checkpoint(lambda v: jnp.sin(cell(w, v)))(x)\n")
    bare_project.write(net)
    assert bare_project.update().code == 0
    bare_project.write(net.replace("jax.checkpoint", ""))
    ran = bare_project.check()
    assert ran.code == 0, ran.out + ran.err
    told = "\n".join(says(ran, "grad"))
    assert "recompute gone" in told
    assert "jax.checkpoint" in told
    held = bare_project.check("net.py:step", "--rule", "grad/recompute.total >= 1")
    assert held.code == 1, held.out + held.err
    assert "breaks a rule" in says(held, "grad")[0]
    assert "recompute gone" in "\n".join(says(held, "grad"))
    assert not [line for line in held.out.splitlines() if line.startswith("net.py:step forward breaks")]
