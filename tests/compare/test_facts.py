"""What is kept of a program, and what two captures of it agree on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ltc_ir.compare.diff import compare_rows
from ltc_ir.compare.facts import snapshot_of, stable
from ltc_ir.records.op_table import Row, Table, facts_of
from ltc_ir.records.vocabulary import newer_names
from tests.compare.inventories import HERE, JAXPR, MADE, STABLEHLO, Entry, inventory, table

ENTRIES = st.lists(
    st.builds(
        Entry,
        name=st.sampled_from(["mul", "add", "tanh", "pjit"]),
        phase=st.sampled_from(["primal", "forward", "backward", "recompute", "unattributed"]),
        function=st.sampled_from(["m:a", "m:b"]),
        source=st.sampled_from(["m.py:1", "m.py:2"]),
        number=st.integers(1, 5),
        results=st.lists(st.sampled_from(["f32", "i32", "f64"]), max_size=3).map(tuple),
    ),
    max_size=12,
).map(tuple)


def level(entries, **metrics) -> Table:
    return table("jaxpr", entries, metrics, fingerprint="x")


def test_operations_are_kept_by_phase_and_function_without_their_lines():
    facts = facts_of(level((*JAXPR, Entry("tanh", "forward", "m:act", "m.py:5", 4, ("f32",)))))
    assert facts.ops["forward", "m:act"] == {"tanh": 6}
    assert facts.ops["backward", "m:net"] == {"dot_general": 6}
    assert facts.types == {"forward": {"f32": 3 + 2 + 1 + 4, "i32": 1}, "backward": {"f32": 6}}


def test_only_some_figures_are_kept_and_unknown_ones_are_left_out():
    facts = facts_of(level((), lines=4, **{"constants.bytes": None, "constants.embedded.bytes": 0, "max_depth": 3}))
    assert facts.metrics == {"lines": 4, "constants.embedded.bytes": 0}


def test_a_snapshot_has_jaxpr_and_stablehlo_and_hlo_only_for_a_device():
    read = inventory(hlo=(Entry("fusion", "forward", number=2),))
    assert set(snapshot_of(read, HERE, MADE).levels) == {"jaxpr", "stablehlo"}
    assert snapshot_of(read, HERE, MADE).hlo is None
    hlo = snapshot_of(read, HERE, MADE, device="cpu").hlo
    assert hlo is not None
    assert (hlo.jaxlib, hlo.device, hlo.facts.totals()) == ("0.10.2", "cpu", {"fusion": 2})


@given(ENTRIES)
def test_phases_sum_to_the_total(entries):
    facts = facts_of(level(entries))
    assert facts.total == sum(entry.number for entry in entries)
    for phase in {entry.phase for entry in entries}:
        kept = sum(sum(counts.values()) for (where, _), counts in facts.ops.items() if where == phase)
        assert kept == sum(entry.number for entry in entries if entry.phase == phase)
    results = sum(entry.number * len(entry.results) for entry in entries)
    assert sum(sum(counts.values()) for counts in facts.types.values()) == results


@given(ENTRIES)
def test_a_capture_agrees_with_itself(entries):
    facts = facts_of(level(entries, lines=3))
    assert stable(facts, facts) == facts
    assert not stable(facts, facts).unstable


@given(ENTRIES, ENTRIES)
def test_what_two_captures_agree_on_does_not_depend_on_their_order(first, second):
    one, other = facts_of(level(first)), facts_of(level(second))
    assert stable(one, other) == stable(other, one)


def test_what_two_captures_disagree_on_is_named_and_left_out():
    first = facts_of(level((*JAXPR, Entry("sin", "primal", "m:f", number=1, results=("f64",))), lines=3))
    second = facts_of(table("jaxpr", JAXPR, {"lines": 4}, fingerprint="y"))
    agreed = stable(first, second)
    assert agreed.unstable == ("fingerprint", "metric|lines", "op|primal|m:f|sin", "type|primal|f64")
    assert agreed.totals() == facts_of(level(JAXPR)).totals()
    assert ("primal", "m:f") not in agreed.ops
    assert agreed.metrics == {}
    assert agreed.fingerprint is None


def test_what_was_once_unstable_stays_so():
    first = facts_of(level(JAXPR))
    shaken = stable(first, facts_of(level(JAXPR[:-1])))
    assert stable(first, shaken).unstable == shaken.unstable


def test_operations_that_jax_renamed_have_the_newer_name_at_their_level_only():
    older, newer = {Row("pjit", "primal"): 2, Row("jit", "primal"): 1}, {Row("jit", "primal"): 3}
    assert not compare_rows(older, newer, newer_names("jaxpr"))
    assert [op.name for op in compare_rows(older, newer, newer_names("stablehlo"))] == ["jit", "pjit"]


def test_stablehlo_names_keep_their_dialect():
    assert "stablehlo.while" in facts_of(table("stablehlo", STABLEHLO)).totals()
