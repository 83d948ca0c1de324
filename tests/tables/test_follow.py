"""Equations followed to what they became: fates that are known by construction, and sums that must hold for every program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import ltc_ir
from ltc_ir.errors import UsageError
from ltc_ir.records.follow import Fate, Follow, FollowedEquation, FollowedProgram
from ltc_ir.records.serialization import dumps, loads
from tests import catalogue

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("quick_compile")]

S, F = jax.ShapeDtypeStruct, jnp.float32
X = S((6,), F)


def followed(fn: Callable[..., Any], *args: Any, **options: Any) -> FollowedProgram:
    """The followed program of a function."""
    (program,) = ltc_ir.follow(fn, args=args or (X,), **options).programs.values()
    return program


def rows_of(program: FollowedProgram, name: str) -> list[FollowedEquation]:
    """The rows of a primitive, in program order."""
    return [row for row in program.rows if row.name == name]


def row_of(program: FollowedProgram, name: str) -> FollowedEquation:
    """The one row of a primitive."""
    (row,) = rows_of(program, name)
    return row


# --- fates that are known by construction


def test_what_has_instructions_is_kept_with_their_names() -> None:
    row = row_of(followed(jnp.sin), "sin")
    assert (row.fate, row.inferred, dict(row.stablehlo)) == (Fate.KEPT, False, {"stablehlo.sine": 1})
    assert row.hlo is not None and row.hlo["sine"] == 1 and len(row.instructions) == sum(row.hlo.values())
    assert row.types == ("f32[6]",)
    assert (row.number, row.count, row.bytes, row.flops, row.transcendentals) == (1, 1, 24, 0, 6)


@pytest.mark.parametrize("neutral", [lambda x: x * 1.0, lambda x: x / 1.0, lambda x: jnp.negative(-x)])
def test_arithmetic_without_effect_is_folded(neutral: Callable[[Any], Any]) -> None:
    program = followed(lambda x: jnp.sin(neutral(jnp.cos(x))))
    between = [row for row in program.rows if row.name not in {"sin", "cos"}]
    assert between
    for row in between:
        assert (row.fate, row.inferred, row.hlo, row.kernels) == (Fate.FOLDED, True, {}, ())
        assert row.stablehlo
    assert {row.fate for row in program.rows if row.name in {"sin", "cos"}} == {Fate.KEPT}


def test_what_lowering_makes_nothing_of_is_folded_for_certain() -> None:
    row = row_of(followed(lambda x: jnp.sin(lax.copy_p.bind(x))), "copy")
    assert (row.fate, row.inferred, dict(row.stablehlo)) == (Fate.FOLDED, False, {})


def test_an_unused_value_is_gone() -> None:
    def f(x: Any) -> Any:
        jnp.exp(jnp.sin(x))
        return jnp.cos(x)

    program = followed(f)
    assert {row.name: (row.fate, row.inferred) for row in program.rows} == {
        "sin": (Fate.GONE, False), "exp": (Fate.GONE, False), "cos": (Fate.KEPT, False),
    }  # fmt: skip
    assert program.fates == {"kept": {"primal": 1}, "gone": {"primal": 2}}


def test_equal_products_are_merged_and_name_each_other() -> None:
    program = followed(lambda x, y: jnp.sin(x * y) + jnp.cos(x * y), X, X)
    first, second = rows_of(program, "mul")
    merged, kept = sorted((first, second), key=lambda row: row.fate is Fate.KEPT)
    assert (kept.fate, kept.inferred, merged.fate, merged.inferred) == (Fate.KEPT, False, Fate.MERGED, True)
    assert (merged.merged_with, kept.merged_with) == ((kept.number,), (merged.number,))
    assert not merged.hlo and not merged.kernels
    assert {row.merged_with for row in program.rows if row.name != "mul"} == {()}


def test_what_only_a_called_function_returns_unused_is_gone() -> None:
    pair = jax.jit(lambda x: (jnp.sin(x), jnp.exp(x)))
    program = followed(lambda x: jnp.cos(pair(x)[0]))
    assert row_of(program, "exp").fate is Fate.GONE
    assert row_of(program, "sin").fate is Fate.KEPT


def test_a_printed_value_is_not_gone() -> None:
    def f(x: Any) -> Any:
        jax.debug.print("{}", jnp.exp(x))
        return jnp.cos(x)

    assert row_of(followed(f), "exp").fate is Fate.KEPT


def test_a_product_in_a_scan_is_in_its_loop_and_runs_as_often() -> None:
    def f(x: Any) -> Any:
        return lax.scan(lambda carry, _: (jnp.sin(carry) * x, None), x, None, length=7)[0]

    program = followed(f, executed=True)
    scan, sine = row_of(program, "scan"), row_of(program, "sin")
    assert (sine.region, sine.count, sine.executed, program.how) == ("/scan[7]", 1, 7, "static")
    assert len(sine.loops) == 1 and sine.loops == scan.loops
    assert (scan.hlo or {})["while"] == 1
    assert (scan.executed, scan.flops) == (1, None) and "flops" in scan.reasons
    assert sine.number > scan.number


def test_a_loop_whose_trips_depend_on_values_is_measured() -> None:
    def f(x: Any) -> Any:
        return lax.while_loop(lambda carry: carry[0] < 5, lambda carry: (carry[0] + 1, jnp.sin(carry[1])), (x, 1.0))[1]

    program = followed(f, jnp.int32(2), executed=True)
    assert (row_of(program, "sin").executed, row_of(program, "lt").executed, program.how) == (3, 4, "measured")


def test_only_the_branch_that_is_taken_runs() -> None:
    def f(which: Any, x: Any) -> Any:
        return lax.cond(which, jnp.sin, jnp.cos, x)

    program = followed(f, jnp.bool_(True), jnp.ones(6), executed=True)
    assert (row_of(program, "sin").executed, row_of(program, "cos").executed) == (1, 0)


def test_executed_is_null_without_being_asked_for_and_where_it_cannot_be_known() -> None:
    loop = partial(lax.while_loop, lambda x: x[0] < 5.0, jnp.exp)
    program = followed(loop)
    assert {row.executed for row in program.rows} == {None} and not program.reasons
    program = followed(loop, executed=True)
    assert {row.executed for row in program.rows} == {None}
    assert "shape" in program.reasons["executed"]


def test_a_chain_is_one_kernel_and_the_kernel_leads_back_to_it() -> None:
    def f(x: Any, y: Any) -> Any:
        return jnp.sin(x) * jnp.exp(x), jnp.tanh(y @ y)

    args = (S((1000,), F), S((5, 5), F))
    program = followed(f, *args)
    chain = [row_of(program, name) for name in ("sin", "exp", "mul")]
    (kernel,) = {kernel for row in chain for kernel in row.kernels}
    assert kernel not in row_of(program, "tanh").kernels
    upward = followed(f, *args, kernel=kernel)
    assert [row.name for row in upward.rows] == ["sin", "exp", "mul"]
    assert upward.kernel is not None and upward.kernel.opcode == "fusion"
    assert sum(upward.kernel.lines.values()) == upward.kernel.of_equations <= upward.kernel.instructions
    (line,) = upward.kernel.lines
    assert line == chain[0].source
    assert followed(f, *args, kernel=kernel.replace("_", "-")).kernel == upward.kernel
    narrowed = followed(f, *args, kernel=kernel, op="exp")
    assert [row.name for row in narrowed.rows] == ["exp"]
    assert narrowed.kernel == upward.kernel  # what a kernel came from does not depend on what is looked at
    with pytest.raises(UsageError, match=f"no equation of f forward matches --op tanh and --kernel {kernel} together"):
        followed(f, *args, kernel=kernel, op="tanh")


def test_a_loop_as_kernel_holds_what_runs_in_it() -> None:
    def f(x: Any) -> Any:
        return jnp.cos(lax.scan(lambda carry, _: (jnp.sin(carry) * x, None), x, None, length=7)[0])

    (loop,) = row_of(followed(f), "sin").loops
    assert {row.name for row in followed(f, kernel=loop).rows} == {"scan", "sin", "mul"}


def test_a_function_that_is_called_twice_counts_twice() -> None:
    twice = jax.jit(lambda x: jnp.sin(x) + 2)
    program = followed(lambda x: twice(twice(x)))
    sine = row_of(program, "sin")
    assert (sine.count, dict(sine.stablehlo), (sine.hlo or {})["sine"]) == (2, {"stablehlo.sine": 2}, 2)
    calls = [row for row in program.rows if row.name in {"jit", "pjit"}]
    assert [(row.fate, dict(row.stablehlo)) for row in calls] == [(Fate.INLINED, {"func.call": 1})] * 2
    assert [row.number for row in program.rows] == [1, 2, 3, 4]
    assert program.rows[0] in calls and program.rows[3] in calls


def test_a_helper_function_of_the_lowering_belongs_to_its_equation() -> None:
    program = followed(lambda x, y: (jnp.cumsum(x), jnp.cumsum(x * y)), X, X)
    row = row_of(program, "cumsum")
    assert row.count == 2
    assert row.stablehlo["stablehlo.reduce_window"] == 2


def test_a_function_of_both_phases_has_the_phase_shared() -> None:
    helper = jax.jit(lambda x: x * 3.0)

    @jax.custom_vjp
    def f(x: Any) -> Any:
        return helper(x)

    f.defvjp(lambda x: (helper(x), None), lambda _, bar: (helper(bar),))
    (program,) = ltc_ir.follow(ltc_ir.Target(f, (X,), loss="sum"), program="grad").programs.values()
    shared = [row for row in program.rows if row.name == "mul" and row.count == 2]
    assert all(row.phase == "shared" for row in shared)


def test_an_operation_that_lost_its_name_is_unknown_with_the_reason() -> None:
    row = row_of(followed(lambda x: jnp.cumsum(jnp.sin(x))), "cumsum")
    assert row.fate in {Fate.KEPT, Fate.UNKNOWN}
    if row.fate is Fate.UNKNOWN:
        assert "reduce_window" in row.reasons["fate"]


def test_an_expanded_operation_is_never_called_folded_nor_another_s() -> None:
    def f(x: Any, y: Any) -> Any:
        return lax.cumsum(x), lax.cumsum(jnp.sin(y))

    program = followed(f, S((40,), F), S((40,), F))
    first, second = rows_of(program, "cumsum")
    assert first.fate is second.fate and first.fate in {Fate.KEPT, Fate.UNKNOWN}
    assert first.stablehlo == second.stablehlo and first.stablehlo["stablehlo.reduce_window"] == 1
    assert bool(first.instructions) == bool(second.instructions)
    assert row_of(program, "sin").fate is Fate.KEPT


def test_what_a_loop_carries_for_nothing_is_gone() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any, _: Any) -> Any:
            ours, theirs, helper = carry
            return (jnp.sin(ours) * helper, jnp.exp(theirs), jnp.tanh(helper)), jnp.cos(theirs)

        return lax.scan(body, (x, x, x), None, length=3)[0][0]

    program = followed(f)
    assert {row.name: row.fate for row in program.rows} == {
        "scan": Fate.KEPT, "sin": Fate.KEPT, "mul": Fate.KEPT, "tanh": Fate.KEPT, "exp": Fate.GONE, "cos": Fate.GONE,
    }  # fmt: skip


def test_what_a_reduction_carries_for_another_result_is_used() -> None:
    def f(x: Any) -> Any:
        def larger(mine: Any, theirs: Any) -> Any:
            taken = mine[0] > theirs[0]
            return jnp.where(taken, mine[0], theirs[0]), jnp.where(taken, mine[1], theirs[1])

        operands = (x, lax.iota(jnp.int32, 6))
        return lax.reduce(operands, (-jnp.inf, jnp.int32(0)), larger, (0,))[1]

    program = followed(f)
    assert Fate.GONE not in {row.fate for row in program.rows if row.name in {"gt", "select_n", "reduce", "iota"}}


def test_the_equations_of_a_kernel_are_unknown_and_say_why() -> None:
    from jax.experimental import pallas as pl

    def double(x_ref: Any, o_ref: Any) -> None:
        o_ref[...] = x_ref[...] * 2.0

    program = followed(pl.pallas_call(double, out_shape=X, interpret=True), executed=True)
    inner = row_of(program, "mul")
    assert (inner.fate, inner.reasons["fate"]) == (Fate.UNKNOWN, "its kernel is compiled as a whole")
    assert inner.executed is None and inner.reasons["executed"]
    assert row_of(program, "pallas_call").stablehlo


# --- selections


def network(w: Any, x: Any) -> Any:
    hidden = jnp.tanh(x @ w)
    return jnp.sum(hidden**2)


NETWORK = (S((3, 4), F), S((5, 3), F))


def test_selections_narrow_and_combine() -> None:
    everything = followed(network, *NETWORK)
    line = row_of(everything, "tanh").source
    assert line is not None
    by_line = followed(network, *NETWORK, source=line)
    assert {row.name for row in by_line.rows} == {"dot_general", "tanh"}
    assert by_line.rows == tuple(row for row in everything.rows if row.source == line)
    short = line.rpartition("/")[2]
    assert followed(network, *NETWORK, source=short).rows == by_line.rows
    assert followed(network, *NETWORK, source=short.partition(":")[0]).rows == everything.rows
    assert followed(network, *NETWORK, function="network").rows == everything.rows
    assert [row.name for row in followed(network, *NETWORK, source=line, op="tanh").rows] == ["tanh"]
    assert [row.name for row in followed(network, *NETWORK, op="stablehlo.dot_general").rows] == ["dot_general"]
    assert followed(network, *NETWORK, equation=2).rows == everything.rows[1:2]


@pytest.mark.parametrize("executed", [False, True])
def test_the_largest_are_those_of_all_that_do_the_most_work(executed: bool) -> None:
    def f(x: Any, w: Any) -> Any:
        return jnp.sum(lax.scan(lambda carry, _: (jnp.sin(w @ carry), None), x, None, length=7)[0] ** 2)

    args = (X, S((6, 6), F))
    everything = followed(f, *args, executed=executed)
    few = followed(f, *args, executed=executed, largest=3)
    ranked = sorted(everything.rows, key=lambda row: (*(-figure for figure in row.work), row.number))
    assert few.rows == tuple(sorted(ranked[:3], key=lambda row: row.number))
    assert (few.fates, few.equations, few.levels) == (everything.fates, everything.equations, everything.levels)


@pytest.mark.parametrize(
    ("selection", "message", "hint"),
    [
        ({"op": "tahn"}, "network forward has no equation with --op tahn", "tanh"),
        (
            {"source": "test_follow.py:1"},
            "network forward has no equation with --source test_follow.py:1",
            "test_follow.py:",
        ),
        ({"function": "netwrok"}, "network forward has no equation with --function netwrok", "network"),
        ({"equation": 99}, "network forward has no equation with --equation 99", "1 to "),
        ({"kernel": "dot_general.99"}, "the optimised HLO of network forward has no instruction dot_general.99", "dot"),
        (
            {"op": "tanh", "equation": 1},
            "no equation of network forward matches --op tanh and --equation 1 together",
            "",
        ),
    ],
)
def test_what_matches_nothing_is_an_error_with_near_matches(selection: Any, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        followed(network, *NETWORK, **selection)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


def test_another_platform_has_no_optimised_hlo() -> None:
    program = followed(network, *NETWORK, platform="cuda")
    assert program.reasons["hlo"] == "optimised HLO for cuda needs a cuda device; this machine compiles for cpu"
    row = row_of(program, "tanh")
    assert (row.hlo, row.fate, dict(row.stablehlo)) == (None, Fate.UNKNOWN, {"stablehlo.tanh": 1})
    assert row.reasons["fate"] == program.reasons["hlo"]
    assert "hlo" not in program.levels
    with pytest.raises(UsageError, match="needs a cuda device"):
        followed(network, *NETWORK, platform="cuda", kernel="fusion")


def test_a_jax_that_lowers_no_marked_copy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from ltc_ir import compat

    monkeypatch.setattr(compat, "with_jaxpr", lambda traced, jaxpr: None)
    with pytest.raises(UsageError, match="follow cannot mark the equations of a program on this JAX"):
        followed(network, *NETWORK)


# --- what holds for every program

QUICK = [name for name in catalogue.names(devices=1, platform="cpu", x64=False, compiles=True) if "pallas" not in name]


def follow_catalogued(name: str) -> tuple[Follow, Any]:
    """A program of the catalogue followed and counted."""
    case = catalogue.get(name)
    with case.session():
        fn, args = case.make()
        counted = ltc_ir.count(fn, args=args, programs=["forward"], levels=["jaxpr", "stablehlo", "hlo"])
        return ltc_ir.follow(fn, args=args), counted.programs["forward"]


@pytest.mark.parametrize("name", QUICK)
def test_each_operation_is_one_equation_s_or_none_s(name: str) -> None:
    follow, levels = follow_catalogued(name)
    program = follow.programs["forward"]
    rows = program.rows
    assert [row.number for row in rows] == list(range(1, program.equations + 1))
    assert Counter({row.name: 0 for row in rows}) | sum(
        (Counter({row.name: row.count}) for row in rows), Counter()
    ) == (levels["jaxpr"].tally.ops)
    expanded = levels["stablehlo"].expanded
    assert expanded is not None and program.levels["stablehlo"].total == expanded.total
    assert program.levels["hlo"].total == levels["hlo"].tally.total
    for level, of_row, ops in (
        ("stablehlo", lambda row: row.stablehlo, expanded.ops),
        ("hlo", lambda row: row.hlo, levels["hlo"].tally.ops),
    ):
        ours = sum((Counter(of_row(row)) for row in rows), Counter[str]())
        assert sum(ours.values()) == program.levels[level].of_equations
        assert all(number <= ops[operation] for operation, number in ours.items()), level
    names = [name for row in rows for name in row.instructions]
    assert len(names) == len(set(names)) == program.levels["hlo"].of_equations
    assert sum(sum(split.values()) for split in program.fates.values()) == program.equations
    assert Counter(row.fate.value for row in rows) == {
        fate: sum(split.values()) for fate, split in program.fates.items()
    }
    assert loads(dumps(follow)) == follow
