"""Holds every count to its oracle, and every split of a count to its total, on all test programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pytest

from tests import oracles
from tests.ir.hlo_programs import xla_listing, xla_module
from tests.registry import PROGRAMS, get, names
from tests.tables.counted import GROUPINGS, counted, staged, tallies

pytestmark = [pytest.mark.versions, pytest.mark.early, pytest.mark.usefixtures("quick_compile")]

EVERY = pytest.mark.parametrize("name", PROGRAMS)
SPLITS = [(name, by) for name in PROGRAMS if name != "doubling" for by in GROUPINGS]
"""Twenty levels of calls have a million call paths: by stack they are refused, see `test_scale_limits`."""


@cache
def texts() -> dict[str, str]:
    """The text of every program to be had here, lowered by JAX alone."""
    return {name: program.lower().as_text() for name, program in PROGRAMS.items() if not program.unavailable()}


def total(parts: Iterable[Mapping[str, int]]) -> Counter[str]:
    whole: Counter[str] = Counter()
    for part in parts:
        whole.update(part)
    return whole


@EVERY
def test_a_jaxpr_is_counted_as_a_recursion_over_equations_counts_it(name: str) -> None:
    assert counted(name)["jaxpr"].tally.ops == oracles.jaxpr_recursion(get(name).trace().jaxpr)


@EVERY
def test_a_module_is_counted_as_mlir_counts_it(name: str) -> None:
    get(name)
    theirs = dict(zip(texts(), oracles.op_stats_many(list(texts().values())), strict=True))
    assert counted(name)["stablehlo"].tally.ops == theirs[name]


@EVERY
def test_calls_are_expanded_as_a_recursion_from_main_expands_them(name: str) -> None:
    get(name)
    expanded = counted(name)["stablehlo"].expanded
    assert expanded is not None
    assert expanded.ops == oracles.expanded_ops(texts()[name])


@pytest.mark.parametrize("name", names(compiles=True))
def test_optimised_hlo_is_counted_as_xla_lists_it(name: str) -> None:
    hlo = counted(name)["hlo"].tally.ops
    compiled = staged(name).compiled
    assert hlo == Counter(item.opcode for item in xla_listing(xla_module(compiled).as_serialized_hlo_module_proto()))
    listed = oracles.xla_instructions(compiled)
    assert listed is None or hlo == listed


@EVERY
def test_lines_and_bytes_are_those_of_the_printed_text(name: str) -> None:
    get(name)
    found, text = counted(name)["stablehlo"], texts()[name]
    if (
        name.startswith("pallas") and not get(name).compiles
    ):  # JAX 0.6.x packs the traceback of the lowering into a kernel
        text = staged(name).lowered.as_text()
    assert (found.lines, found.bytes) == (len(text.splitlines()), len(text.encode()))


@EVERY
def test_phases_partition_every_count(name: str) -> None:
    for level, found in counted(name).items():
        for which, tally in tallies(found).items():
            assert total(tally.phases.values()) == tally.ops, (level, which)
            assert all(number > 0 for ops in tally.phases.values() for number in ops.values())


@EVERY
def test_only_a_module_as_it_stands_shares_operations_between_phases(name: str) -> None:
    for level, found in counted(name).items():
        assert level == "stablehlo" or "shared" not in found.tally.phases
        assert found.expanded is None or "shared" not in found.expanded.phases
    assert "unattributed" not in counted(name)["jaxpr"].tally.phases


@EVERY
def test_the_share_attributed_is_what_the_phases_say(name: str) -> None:
    for found in counted(name).values():
        share = 1 - found.tally.phase_total("unattributed") / found.tally.total
        assert found.attributed["phase"] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(("name", "by"), SPLITS)
def test_groups_sum_to_the_totals_phase_by_phase(name: str, by: str) -> None:
    for level, found in counted(name, (by,)).items():
        plain = counted(name)[level]
        for groups, whole in ((found.by, plain.tally), (found.expanded_by, plain.expanded)):
            assert (groups is None) == (whole is None)
            if groups is not None and whole is not None:
                _check_groups(groups, whole)


def _check_groups(groups: Any, whole: Any) -> None:
    assert len({group.key for group in groups}) == len(groups)
    assert total(group.tally.ops for group in groups) == whole.ops
    for phase in {phase for group in groups for phase in group.tally.phases} - {"shared", "unattributed"}:
        of_phase = total(group.tally.phases.get(phase, {}) for group in groups)
        assert of_phase == whole.phases.get(phase, {})


@pytest.mark.parametrize("by", GROUPINGS)
def test_a_grouping_changes_no_count(by: str) -> None:
    for level, found in counted("ode_grad", (by,)).items():
        assert found.tally == counted("ode_grad")[level].tally
        assert found.expanded == counted("ode_grad")[level].expanded


def test_the_share_with_a_source_is_what_the_groups_say() -> None:
    for level, found in counted("ode_grad", ("source",)).items():
        assert found.by is not None
        placed = sum(g.tally.total for g in found.by if g.key != "(no source)" and not g.key.endswith("(library)"))
        assert found.attributed["source"] == pytest.approx(placed / found.tally.total, abs=1e-6), level


def test_functions_are_called_as_often_as_their_callers_multiply() -> None:
    functions = {function.name: function for function in counted("doubling_small")["stablehlo"].functions}
    assert sorted(f.calls for f in functions.values() if f.sites and f.calls) == [2, 4, 8]
    assert all(f.sites == 2 for f in functions.values() if f.sites)
    leaf = max(functions.values(), key=lambda f: f.calls or 0)
    expanded = counted("doubling_small")["stablehlo"].expanded
    assert expanded is not None
    assert (leaf.calls, leaf.sites, expanded.ops["stablehlo.sine"]) == (8, 2, 8)


@EVERY
def test_the_depth_of_a_jaxpr_is_that_of_its_deepest_equation(name: str) -> None:
    known: dict[int, int] = {}

    def depth(jaxpr: Any) -> int:
        if id(jaxpr) not in known:
            inner = [j for e in jaxpr.eqns for j in oracles.jaxprs_within(list(e.params.values()))]
            known[id(jaxpr)] = max((1 + depth(j) for j in inner), default=0)
        return known[id(jaxpr)]

    traced = get(name).trace().jaxpr
    assert counted(name)["jaxpr"].max_depth == depth(getattr(traced, "jaxpr", traced))
