"""Holds phases to what was reasoned out by hand, and to a recursion over JAX's own name stacks, on every level."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import ltc_ir
from ltc_ir.ir.hlo import parser as hlo_text
from ltc_ir.ir.hlo import reader as hlo
from ltc_ir.ir.origin import Evidence, ambiguous
from ltc_ir.ir.stablehlo import reader as stablehlo
from ltc_ir.lab.models.common import HEADLINE
from ltc_ir.records.count import LevelCount
from ltc_ir.records.op_table import tally_of
from ltc_ir.records.vocabulary import Level, Phase
from ltc_ir.tables.build import build
from tests.registry import JAX, PROGRAMS, get
from tests.tables.counted import by_phase, count, counted
from tests.tables.phase_programs import ALIKE, CASES, CLEAR, SCOPED, scoped, sine, vector
from tests.tables.phase_truth import ONE_TO_ONE, lowered_phases_of, phases_of

pytestmark = [pytest.mark.versions, pytest.mark.early, pytest.mark.usefixtures("quick_compile")]

LOWERED_LESS = {
    "linear_solve_grad": "carries solvers of which only some are lowered",
    "custom_linear_solve_grad": "carries solvers of which only some are lowered",
    "pallas_tpu": "its kernel is one custom call",
    "pallas_cuda": "its kernel is one custom call",
}
MISNAMED = {
    "hessian": "its bases and slices have no name",
    "jacfwd": "its bases and slices have no name",
    "second_derivative": "its bases and slices have no name",
    "linear_transpose": "what the function computes without its argument has no name",
    "transpose_alone": "what the function computes without its argument has no name",
    "linear_solve_grad": "its equation carries a transposed solve that does not run",
    "custom_linear_solve_grad": "its equation carries a transposed solve that does not run",
    "shard_map_grad": "a reshard of cotangents has no name",
    "scan_of_rematerialised": "what does not depend on the carry leaves the loop without a name",
}
"""Programs in which names mislead, with the reason; the tests of phases by halves hold what is right."""
UNREAL = {"doubling"}
"""Programs too large for a recursion that remembers nothing."""


@cache
def case_counts(name: str) -> tuple[Any, Mapping[str, LevelCount]]:
    """The jaxpr of a case, traced by JAX alone, and its counts."""
    case = (CASES | SCOPED)[name]
    function, arguments = case.make()
    traced = jax.jit(function).trace(*arguments).jaxpr
    function, arguments = case.make()
    return traced, count(function, *arguments)


def check_expanded(level: LevelCount, truth: Mapping[str, Mapping[str, int]], whole: bool = True) -> None:
    """What maps to one operation each has the phases of its primitive in StableHLO, or none; it is never another's."""
    assert level.expanded is not None
    for primitive, operation in ONE_TO_ONE.items():
        found, true = by_phase(level.expanded, operation), truth.get(primitive, {})
        known = {phase: number for phase, number in found.items() if phase != "unattributed"}
        assert all(number <= true.get(phase, 0) for phase, number in known.items()), (primitive, true, found)
        assert not whole or sum(found.values()) == sum(true.values()), (primitive, true, found)


def check_names(name: str, level: LevelCount, truth: Mapping[str, Mapping[str, int]]) -> None:
    """The phases of a jaxpr are those of its name stacks, but where these mislead: there the two differ."""
    found = {op: by_phase(level.tally, op) for op in truth}
    assert {op: sum(phases.values()) for op, phases in found.items()} == {op: sum(truth[op].values()) for op in truth}
    assert (found != truth) == (name in MISNAMED)


def phases_in(truth: Mapping[str, Mapping[str, int]]) -> set[str]:
    return {phase for phases in truth.values() for phase in phases}


def check_no_other_phase(levels: Mapping[str, LevelCount], truth: Mapping[str, Mapping[str, int]]) -> None:
    """No level has a phase that no equation has; only optimised HLO mixes several."""
    for level, found in levels.items():
        mixed = {"mixed"} if level == "hlo" and len(phases_in(truth)) > 1 else set()
        assert set(by_phase(found.tally)) - {"shared", "unattributed"} <= phases_in(truth) | mixed, level


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in UNREAL])
def test_every_program_has_the_phases_of_its_name_stacks(name: str) -> None:
    traced = get(name).trace().jaxpr
    found = counted(name)
    truth = phases_of(traced)
    check_names(name, found["jaxpr"], truth)
    if name not in MISNAMED:
        check_expanded(found["stablehlo"], lowered_phases_of(traced), whole=name not in LOWERED_LESS)
        check_no_other_phase(found, truth)


@pytest.mark.parametrize("name", [*CASES, *SCOPED])
def test_every_case_has_the_phases_of_its_name_stacks(name: str) -> None:
    traced, found = case_counts(name)
    truth = phases_of(traced)
    check_names(name, found["jaxpr"], truth)
    if name not in MISNAMED:
        check_expanded(found["stablehlo"], lowered_phases_of(traced))
        check_no_other_phase(found, truth)


@pytest.mark.parametrize("name", [*CASES, *SCOPED])
def test_a_jaxpr_has_the_phases_reasoned_out_by_hand(name: str) -> None:
    expected = (CASES | SCOPED)[name].phases
    found = case_counts(name)[1]["jaxpr"].tally
    assert {op: by_phase(found, op) for op in expected} == expected


DEAD = {"tangent_rule_of_its_own", "second_derivative", "gradient_in_a_jit_in_a_jvp"}
"""Cases with equations that JAX drops before it lowers: a value that only its derivative was wanted of."""


@pytest.mark.parametrize("name", [name for name in CASES if name not in DEAD])
def test_stablehlo_with_calls_expanded_has_the_phases_reasoned_out_by_hand(name: str) -> None:
    expanded = case_counts(name)[1]["stablehlo"].expanded
    assert expanded is not None
    expected = CASES[name].phases
    assert {op: by_phase(expanded, ONE_TO_ONE[op]) for op in expected} == expected


@pytest.mark.parametrize("name", [f"{place}: {scope}" for scope in CLEAR for place in ("primal", "gradient", "shared")])
def test_a_scope_spelled_like_a_transform_changes_nothing(name: str) -> None:
    expanded = case_counts(name)[1]["stablehlo"].expanded
    assert expanded is not None
    expected = SCOPED[name].phases
    assert {op: by_phase(expanded, ONE_TO_ONE[op]) for op in expected} == expected


@pytest.mark.parametrize("scope", ALIKE)
@pytest.mark.parametrize("place", ["primal", "primal in jit", "primal in scan"])
def test_where_nothing_is_differentiated_no_scope_makes_a_phase(scope: str, place: str) -> None:
    for level, found in case_counts(f"{place}: {scope}")[1].items():
        assert set(by_phase(found.tally)) <= {"primal", "unattributed"}, level
        assert by_phase(found.tally, "sin", "sine").get("primal", 0) >= 1, level


def test_a_plain_gradient_without_inner_jits_is_right_on_every_level() -> None:
    _, found = case_counts("plain_network")
    expanded = found["stablehlo"].expanded
    assert expanded is not None
    right = {"forward": 2, "backward": 3}
    assert by_phase(found["jaxpr"].tally, "dot_general") == right
    assert by_phase(found["stablehlo"].tally, "dot_general") == by_phase(expanded, "dot_general") == right
    products = by_phase(found["hlo"].tally, "dot")
    assert sum(products.values()) == 5 or JAX >= (0, 7)  # newer ones may fold a product with ones into a reduction
    assert "primal" not in by_phase(found["hlo"].tally)
    assert products.get("forward", 0) <= 2
    assert products.get("backward", 0) <= 3


NEVER_DIFFERENTIATED = [
    name for name, program in PROGRAMS.items()
    if not program.grad and name not in {"jacfwd", "jvp_only", "linearize_only", "linear_transpose"}
]  # fmt: skip


@pytest.mark.parametrize("name", NEVER_DIFFERENTIATED)
def test_what_nobody_differentiates_is_primal_on_every_level(name: str) -> None:
    for level, found in counted(name).items():
        assert set(by_phase(found.tally)) <= {"primal", "unattributed"}, level
        assert found.tally.phase_total("primal") >= 0.7 * found.tally.total or found.tally.total < 8, level


@pytest.mark.parametrize("name", [name for name, program in PROGRAMS.items() if program.grad])
def test_a_gradient_runs_backward_on_every_level(name: str) -> None:
    for level, found in counted(name).items():
        if (name, level) != ("debug_print_grad", "hlo"):  # XLA multiplies by one in no instruction
            assert by_phase(found.tally).get("backward", 0) > 0, level


@pytest.mark.parametrize("name", ["rematerialised", "scan_of_rematerialised", "rematerialised_and_primal"])
def test_recomputation_is_seen_on_every_level(name: str) -> None:
    for level, found in case_counts(name)[1].items():
        assert by_phase(found.tally).get("recompute", 0) > 0, level


def test_the_transposed_half_of_a_jit_in_a_remat_is_backward() -> None:
    """JAX 0.6.x puts the scope of the recomputed half on it too."""
    gradient = jax.value_and_grad(lambda x: jax.checkpoint(jax.jit(sine))(x).sum())
    found = by_phase(count(gradient, vector(), levels=("jaxpr",))["jaxpr"].tally, "dot_general")
    assert found == {"forward": 1, "recompute": 1, "backward": 1}


def test_a_function_of_several_phases_stands_in_the_module_as_shared() -> None:
    stable = case_counts("helper_in_a_jvp_and_beside")[1]["stablehlo"]
    assert by_phase(stable.tally, "sine", "dot_general") == {"shared": 2}
    assert stable.expanded is not None
    assert by_phase(stable.expanded, "sine", "dot_general") == {"primal": 2, "forward": 2}


def test_a_shard_map_runs_in_the_phase_of_its_caller() -> None:
    expanded = counted("shard_map_grad")["stablehlo"].expanded
    assert expanded is not None
    assert by_phase(expanded, "dot_general") == {"forward": 1, "backward": 1}
    assert by_phase(counted("shard_map_grad")["hlo"].tally, "add").get("primal") is None


def loop_on_devices(x: Any) -> Any:
    """A loop in a shard_map: names begin again in the body of the shard_map, and not in that of the loop."""
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("d",))
    part = jax.sharding.PartitionSpec("d")

    def body(c: Any, _: None) -> Any:
        return lax.ppermute(jnp.sin(c), "d", [(0, 1), (1, 0)]), None

    ring = jax.shard_map(lambda x: lax.scan(body, x, None, length=3)[0], mesh=mesh, in_specs=part, out_specs=part)
    return jnp.sum(ring(x))


@pytest.mark.skipif(jax.device_count() < 2, reason="on one device JAX lowers no body of its own")
def test_a_loop_in_a_shard_map_runs_in_the_phase_of_the_caller() -> None:
    expanded = count(lambda x: jnp.floor(jax.grad(loop_on_devices)(x)), jnp.ones(4), levels=("stablehlo",))
    assert expanded["stablehlo"].expanded is not None
    phases = expanded["stablehlo"].expanded.phases
    assert phases["primal"] == {"stablehlo.floor": 1}
    for phase in ("forward", "backward"):
        assert phases[phase]["stablehlo.collective_permute"] == 1


@pytest.fixture(scope="module")
def ltc() -> Mapping[str, Mapping[str, LevelCount]]:
    return ltc_ir.count("ltc", programs=("loss", "grad")).programs


@pytest.mark.parametrize("primitive", HEADLINE)
def test_the_forward_phase_of_the_ltc_gradient_is_the_loss(ltc: Any, primitive: str) -> None:
    phases = by_phase(ltc["grad"]["jaxpr"].tally, primitive)
    assert by_phase(ltc["loss"]["jaxpr"].tally, primitive) == {"primal": phases["forward"]}
    assert set(phases) == {"forward", "backward"}


@pytest.mark.parametrize("operation", ["dot_general", "tanh", "transpose", "while"])
def test_the_forward_phase_of_the_ltc_gradient_is_the_loss_in_stablehlo_too(ltc: Any, operation: str) -> None:
    """Here ``while`` stands for every loop, scans included."""
    phases = by_phase(ltc["grad"]["stablehlo"].expanded, operation)
    assert by_phase(ltc["loss"]["stablehlo"].expanded, operation) == {"primal": phases["forward"]}
    assert set(phases) == {"forward", "backward"}


def test_a_module_that_was_parsed_from_text_claims_no_more_than_its_names() -> None:
    """What JAX 0.6.x wrote has lost transforms; newer files are as good as the program itself."""
    gradient = jax.jit(jax.value_and_grad(lambda x: lax.sin(x * x).sum()))
    text = gradient.lower(vector()).as_text(debug_info=True)
    from jax._src.interpreters import mlir
    from jaxlib.mlir import ir

    with mlir.make_ir_context():
        stream = stablehlo.read(ir.Module.parse(text))
    found = by_phase(tally_of(build(Level.STABLEHLO, stream, ()).shown), "sine", "cosine")
    assert found == ({"unattributed": 2} if JAX < (0, 7) else {"forward": 2})


def test_a_user_scope_is_kept_as_a_scope_whatever_its_spelling() -> None:
    for level, found in count(scoped("transpose(x)"), vector(), by=("scope",)).items():
        assert found.by is not None
        keys = {group.key for group in found.by if set(map(str, group.tally.ops)) & {"sin", "sine", "stablehlo.sine"}}
        assert keys == {"transpose(x)"}, level


def test_no_argument_is_taken_for_a_transform() -> None:
    """XLA names parameters after the arguments' paths, which may hold anything."""
    arguments = {"a/transpose(jvp())/b": jnp.ones(3), "jvp(x)": jnp.ones(3)}
    found = count(lambda tree: lax.sin(tree["a/transpose(jvp())/b"]) @ tree["jvp(x)"], arguments)
    for level in found.values():
        assert set(by_phase(level.tally)) <= {"primal", "unattributed"}


HLO = """HloModule m

ENTRY add {{
  p = f32[] parameter(0), metadata={{op_name="reduce_sum"}}
  q = f32[] parameter(1), metadata={{op_name="a/transpose(jvp())/b"}}
  ROOT s = f32[] {opcode}(p, q), metadata={{op_name="{name}"}}
}}
"""


@pytest.mark.parametrize(
    ("opcode", "name", "phase"),
    [
        ("add", "jit(f)/reduce_sum", "primal"),
        ("add", "jit(f)/jvp()/reduce_sum", "forward"),
        ("add", "reduce_sum", "unattributed"),  # written in a function for its callers to complete
        ("add", "jvp()/reduce_sum", "unattributed"),
        ("add", "transpose(jvp())/reduce_sum", "backward"),
        ("dot", "jit(f)/jit(g)/while", "unattributed"),  # rewritten in a loop's body: the name is the loop's
        ("dot", "jit(f)/jvp(jit(g))/while", "unattributed"),
        ("dot", "jit(f)/transpose(jvp(jit(g)))/while", "backward"),
        ("copy", "jit(f)/jit(g)/while", "primal"),
        ("dot", "jit(f)/while/body/dot_general", "primal"),
    ],
)
def test_a_name_in_hlo_proves_no_more_than_it_says(opcode: str, name: str, phase: str) -> None:
    evidence = Evidence.of_program(frozenset(), frozenset({Phase.PRIMAL, Phase.FORWARD, Phase.BACKWARD}))
    text = HLO.format(opcode=opcode, name=name)
    text = text.replace("copy(p, q)", "copy(p)")
    stream = hlo.read(hlo_text.parse(text), evidence=evidence)
    found = tally_of(build(Level.HLO, stream, ()).shown)
    assert by_phase(found, opcode) == {phase: 1}
    assert by_phase(found, "parameter") == {"unattributed": 2}


@pytest.mark.parametrize(
    ("masked", "scopes", "expected"),
    [
        ({"transpose(x)"}, {"transpose(x)"}, set()),
        ({"transpose(x)"}, {"transpose(x)", "x"}, {"transpose(x)"}),
        ({"transpose(x)"}, {"transpose(x)", "w/x"}, {"transpose(x)"}),
        ({"jvp(jvp(y))"}, {"jvp(jvp(y))", "jvp(y)"}, {"jvp(jvp(y))"}),
        ({"jvp()"}, {"jvp()"}, {"jvp()"}),
        ({"a/jvp(jit(f))"}, {"a/jvp(jit(f))"}, {"a/jvp(jit(f))"}),
        ({"f(x)"}, {"f(x)", "x"}, set()),
    ],
)
def test_a_scope_is_ambiguous_where_ad_may_have_written_it(
    masked: set[str], scopes: set[str], expected: set[str]
) -> None:
    assert ambiguous(masked, scopes) == expected


def test_a_scope_named_like_recomputation_is_none_where_nothing_is_recomputed() -> None:
    for level, found in count(jax.value_and_grad(scoped("rematted_computation")), vector()).items():
        assert "recompute" not in by_phase(found.tally), level
        assert by_phase(found.tally)["backward"] >= (2 if level == "hlo" else 3), level
