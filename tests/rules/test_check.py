"""Programs held against their snapshots: every status, what each change says, and what comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given

from ltc_ir.compare.facts import stable
from ltc_ir.records.check import Status
from ltc_ir.records.figures import FIGURES, Figure
from ltc_ir.records.op_table import Constant
from ltc_ir.records.signature import Signature, Value
from ltc_ir.records.snapshot import Identity, Provenance
from ltc_ir.records.snapshot_toml import dumps, loads
from ltc_ir.rules.check import Case, check_all, check_program
from ltc_ir.rules.grammar import parse_rule
from ltc_ir.rules.growth_policy import Waiver
from tests.compare.inventories import HERE, JAXPR, MADE, STABLEHLO, Entry, changed, hashed, inventory, snapshot
from tests.compare.test_facts import ENTRIES

BEFORE = inventory()


def check(now, then=BEFORE, rules=(), waivers=(), **named):
    """One program against the snapshot of another state of it, with the rules that it breaks."""
    case = Case(now, named.pop("current", snapshot(now)), then and named.pop("baseline", snapshot(then)), **named)
    found = check_all([case], [parse_rule(rule) for rule in rules], waivers, today=date(2026, 6, 1))
    return found.checks[0]


def more(name, number, **fields):
    """The program with another number of one operation at both levels, as lowering has it."""
    return inventory(changed(JAXPR, name, number, **fields), changed(STABLEHLO, f"stablehlo.{name}", number, **fields))


def rows(found):
    return [(change.level, change.metric, change.baseline, change.current, change.rule) for change in found.changes]


@given(ENTRIES)
def test_a_program_matches_its_own_snapshot(entries):
    read = inventory(entries, entries)
    found = check(read, read)
    assert (found.status, found.changes, found.notes, found.exit_code(strict=True)) == (Status.MATCH, (), (), 0)
    assert found.totals["jaxpr"] == (snapshot(read).levels["jaxpr"].total,) * 2


def test_no_snapshot_is_missing():
    found = check(BEFORE, None)
    assert (found.status, found.changes, found.exit_code()) == (Status.MISSING, (), 3)
    assert found.totals == {"jaxpr": (None, 12), "stablehlo": (None, 12), "stablehlo lines": (None, 40)}


def test_invariants_are_judged_without_a_snapshot_too_and_steps_are_not():
    found = check(BEFORE, None, rules=["while = 0", "total +0"])
    assert found.status == Status.MISSING
    assert rows(found) == [("stablehlo", "stablehlo.while", None, 1, "while = 0")]
    assert found.exit_code() == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"jax": "0.9"}, "recorded with JAX 0.9, this is JAX 0.10"),
        ({"platform": "cuda"}, "recorded for cuda, this is lowered for cpu"),
        ({"devices": 4}, "it spanned 4 devices, now 1 device"),
        ({"x64": True}, "64-bit types were on, now off"),
        ({"config": {"jax_numpy_rank_promotion": "raise"}}, "jax_numpy_rank_promotion was raise, now unset"),
        ({"declaration": "b", "arguments": "f32[16]"}, "the arguments were f32[16], now f32[8]"),
        ({"declaration": "b"}, "the target is declared otherwise: shardings, static values, argnums or loss"),
    ],
)
def test_each_difference_of_identity_is_not_comparable_and_said(fields, reason):
    found = check(more("tanh", 9), baseline=snapshot(BEFORE, replace(HERE, **fields)), rules=["total +0"])
    assert (found.status, found.reason, found.changes) == (Status.NOT_COMPARABLE, reason, ())
    assert found.exit_code() == 3


def test_several_differences_of_identity_are_all_said():
    found = check(BEFORE, baseline=snapshot(BEFORE, replace(HERE, jax="0.9", x64=True)))
    assert found.reason == "recorded with JAX 0.9, this is JAX 0.10; 64-bit types were on, now off"


def test_growth_fails_and_names_the_block_and_lines_that_grew():
    now = inventory((*JAXPR, Entry("dot_general", "backward", "m:new", "m.py:20", 2, ("f32",))))
    found = check(now)
    (change,) = found.changes
    assert (found.status, found.exit_code()) == (Status.GROWN, 1)
    assert rows(found) == [("jaxpr", "dot_general", 9, 11, "no growth")]
    assert (change.phase, change.function, change.sources, change.where) == (
        "backward",
        "m:new",
        ("m.py:20",),
        "default",
    )
    assert found.totals["jaxpr"] == (12, 14)


def test_growth_under_another_patch_release_is_drift():
    older = snapshot(BEFORE, provenance=Provenance("0.10.1", "0.10.2"))
    found = check(more("tanh", 3), baseline=older)
    assert (found.status, found.exit_code()) == (Status.DRIFT, 1)
    assert "recorded with JAX 0.10.1 and jaxlib 0.10.2, this is JAX 0.10.2 and jaxlib 0.10.2" in found.notes
    assert check(BEFORE, baseline=older).status == Status.MATCH


def test_an_operation_that_grew_in_one_block_and_shrank_as_much_in_another_moved():
    now = inventory(changed(JAXPR, "tanh", 2, function="m:renamed"))
    found = check(now)
    (change,) = found.changes
    assert (found.status, found.exit_code(), found.exit_code(strict=True)) == (Status.MOVED, 0, 1)
    assert (change.metric, change.baseline, change.current, change.rule) == ("tanh", 2, 2, None)
    assert (change.function, change.sources) == ("m:renamed", ("m.py:4",))


def test_fewer_operations_are_shrunk_and_more_of_another_are_growth():
    found = check(more("tanh", 1))
    assert (found.status, found.exit_code(), found.exit_code(strict=True)) == (Status.SHRUNK, 0, 1)
    assert rows(found) == [
        ("jaxpr", "tanh", 2, 1, None),
        ("stablehlo", "stablehlo.tanh", 2, 1, None),
    ]
    traded = inventory((*changed(JAXPR, "dot_general", 1), Entry("sin", "forward", "m:f", "m.py:2", 1)))
    assert check(traded).status == Status.GROWN


def test_figures_that_are_no_operations_grow_too():
    found = check(inventory(lines=41))
    assert (found.status, rows(found)) == (Status.GROWN, [("stablehlo", "lines", 40, 41, "no growth")])
    found = check(inventory(constants_bytes=500))
    assert (found.status, rows(found)) == (Status.GROWN, [("stablehlo", "constants.bytes", 400, 500, "no growth")])
    assert (found.changes[0].function, found.changes[0].sources) == ("m:act", ("m.py:3",))


def test_the_largest_constant_is_named_first():
    now = inventory(constants_bytes=8500)
    held = (Constant(400, "f32", "forward", "m:act", "m.py:3"), Constant(8100, "f32", "primal", "m:table", "m.py:30"))
    level = replace(now.levels["stablehlo"], constants=held)
    found = check(replace(now, levels={**now.levels, "stablehlo": level}))
    assert (found.changes[0].function, found.changes[0].sources) == ("m:table", ("m.py:30",))


def test_equal_counts_with_other_types_are_changed():
    found = check(inventory(changed(JAXPR, "tanh", 2, results=("f64",))))
    assert (found.status, found.exit_code(), found.exit_code(strict=True)) == (Status.CHANGED, 0, 1)
    assert rows(found) == [("jaxpr", "types.f64", 0, 2, None), ("jaxpr", "types.f32", 12, 10, None)]
    assert (found.changes[0].function, found.changes[0].sources) == ("m:act", ("m.py:4",))
    assert found.changes[0].words == "2 tanh at m.py:4 became f64 (was f32)"


def test_a_type_that_is_new_is_said_beside_growth():
    found = check(inventory((*JAXPR, Entry("sin", "forward", "m:f", "m.py:2", 1, ("f64",)))))
    assert rows(found) == [("jaxpr", "sin", 0, 1, "no growth"), ("jaxpr", "types.f64", 0, 1, None)]


def test_equal_facts_with_another_fingerprint_are_changed():
    level = replace(BEFORE.levels["jaxpr"], fingerprint="0f" * 8)
    found = check(replace(BEFORE, levels={**BEFORE.levels, "jaxpr": level}))
    assert (found.status, rows(found)) == (Status.CHANGED, [("jaxpr", "fingerprint", None, None, None)])


def test_what_the_snapshot_does_not_hold_is_skipped_with_a_note():
    stored, other = snapshot(BEFORE), snapshot(more("tanh", 5))
    levels = {name: stable(stored.levels[name], other.levels[name]) for name in stored.levels}
    found = check(more("tanh", 7), baseline=replace(stored, levels=levels))
    assert (found.status, found.changes) == (Status.MATCH, ())
    assert any("op|forward|m:act|tanh" in note for note in found.notes)
    assert check(more("dot_general", 8), baseline=replace(stored, levels=levels)).status == Status.GROWN


def test_what_a_second_capture_denies_is_unstable():
    now = more("tanh", 5)
    found = check(now, confirm=lambda: snapshot(BEFORE))
    assert (found.status, found.changes, found.exit_code()) == (Status.UNSTABLE, (), 1)
    assert "jaxpr op|forward|m:act|tanh" in (found.reason or "")
    assert check(now, confirm=lambda: snapshot(now)).status == Status.GROWN


def test_a_second_capture_is_asked_only_where_something_differs():
    def never():
        raise AssertionError("nothing differs")

    assert check(BEFORE, confirm=never).status == Status.MATCH


def test_an_operation_that_jax_renamed_is_no_growth():
    older = inventory((*JAXPR, Entry("pjit", "primal", "m:f", number=2)))
    newer = inventory((*JAXPR, Entry("jit", "primal", "m:f", "m.py:1", number=2)))
    found = check(newer, older)
    assert found.status in {Status.MATCH, Status.CHANGED}  # their fingerprints are no matter of names
    assert not [change for change in found.changes if change.metric != "fingerprint"]
    grown = inventory((*JAXPR, Entry("jit", "primal", "m:f", "m.py:1", number=3)))
    assert rows(check(grown, older))[0] == ("jaxpr", "jit", 2, 3, "no growth")


def test_a_level_on_one_side_only_is_said_and_no_match():
    half = replace(BEFORE, levels={"jaxpr": BEFORE.levels["jaxpr"]})
    for now, then, says in ((half, BEFORE, "in the snapshot only"), (BEFORE, half, "not in the snapshot")):
        found = check(now, then)
        assert (found.status, found.exit_code(strict=True)) == (Status.CHANGED, 1)
        assert any(says in note for note in found.notes)
    neither = replace(BEFORE, levels={"stablehlo": BEFORE.levels["stablehlo"]})
    assert check(half, neither).status == Status.NOT_COMPARABLE


def test_recomputation_that_is_gone_is_said_so():
    remat = inventory((*JAXPR, Entry("tanh", "recompute", "m:act", "m.py:4", 4)))
    found = check(BEFORE, remat)
    assert found.status == Status.SHRUNK
    assert [note for note in found.notes if note.startswith("recompute gone: 4 jaxpr operations")]


@pytest.mark.parametrize(
    ("rules", "status", "code"),
    [
        ([], Status.GROWN, 1),
        (["tanh +1"], Status.CHANGED, 0),
        (["total +1"], Status.CHANGED, 0),
        (["total +10%"], Status.CHANGED, 0),
        (["total +5%"], Status.GROWN, 1),
        (["grad/forward.tanh +1"], Status.CHANGED, 0),
        (["backward.tanh +1"], Status.GROWN, 1),
        (["jaxpr:tanh +1"], Status.GROWN, 1),
        (["jaxpr:tanh +1", "stablehlo:tanh +1"], Status.CHANGED, 0),
        (["total +1", "tanh +0"], Status.CHANGED, 1),
        (["dot_general +5"], Status.GROWN, 1),
        (["tanh <= 9"], Status.GROWN, 1),
        (["tanh <= 2", "tanh +1"], Status.CHANGED, 1),
    ],
)
def test_a_step_rule_permits_growth(rules, status, code):
    now = inventory(changed(JAXPR, "tanh", 3), changed(STABLEHLO, "stablehlo.tanh", 3), lines=41)
    found = check(now, rules=rules)
    assert (found.status, found.exit_code()) == (status, code)


def test_a_figure_is_kept_compared_and_bounded_once_it_is_registered(monkeypatch):
    monkeypatch.setitem(FIGURES, "wide.ops", Figure("wide.ops", ("stablehlo",), stored=True))
    then, now = inventory(**{"wide.ops": 3}), inventory(**{"wide.ops": 5})
    baseline = loads(dumps(snapshot(then)), "then.toml")
    assert baseline.levels["stablehlo"].metrics["wide.ops"] == 3
    found = check(now, baseline=baseline)
    assert (found.status, rows(found)) == (Status.GROWN, [("stablehlo", "wide.ops", 3, 5, "no growth")])
    assert check(now, baseline=baseline, rules=["wide.ops +2"]).status == Status.CHANGED
    broken = check(now, baseline=baseline, rules=["wide.ops <= 4", "wide.ops +2"])
    assert rows(broken)[0] == ("stablehlo", "wide.ops", 3, 5, "wide.ops <= 4")
    assert check(then, baseline=snapshot(now)).status == Status.SHRUNK


def test_constants_grow_by_their_own_rule_only():
    now = inventory(constants_bytes=500)
    assert check(now, rules=["total +100"]).status == Status.GROWN
    assert check(now, rules=["constants.bytes +99"]).status == Status.GROWN
    assert check(now, rules=["constants.bytes +100"]).status == Status.CHANGED


def test_a_waiver_tolerates_growth_and_its_lines():
    now = inventory(changed(JAXPR, "tanh", 3), changed(STABLEHLO, "stablehlo.tanh", 3), lines=41)
    found = check(now, waivers=[Waiver("tanh", "known", date(2026, 6, 1))])
    assert (found.status, found.exit_code()) == (Status.CHANGED, 0)
    assert {change.metric: change.waived for change in found.changes} == {
        "tanh": "known", "stablehlo.tanh": "known", "lines": None,
    }  # fmt: skip


def test_the_worst_comes_first_and_twins_last():
    jaxpr = changed(changed(JAXPR, "dot_general", 13), "tanh", 1)
    stablehlo = changed(changed(STABLEHLO, "stablehlo.dot_general", 13), "stablehlo.tanh", 1)
    jaxpr += (Entry("sin", "forward", "m:f", "m.py:2", 2),)
    found = check(inventory(jaxpr, stablehlo, lines=80), rules=["while = 0"])
    assert [(change.level, change.metric) for change in found.changes] == [
        ("stablehlo", "stablehlo.while"),
        ("jaxpr", "dot_general"),
        ("jaxpr", "sin"),
        ("stablehlo", "lines"),
        ("stablehlo", "stablehlo.dot_general"),
        ("jaxpr", "tanh"),
        ("stablehlo", "stablehlo.tanh"),
    ]


def test_the_functions_around_operations_stand_behind_them():
    around = tuple(Entry(name, "forward", "m:loop", "m.py:12", 9) for name in ("func.call", "func.func"))
    found = check(inventory(stablehlo=(*changed(STABLEHLO, "stablehlo.tanh", 3), *around)))
    assert [change.metric for change in found.changes] == ["stablehlo.tanh", "func.call", "func.func"]


def test_what_is_tolerated_stands_before_what_shrank():
    jaxpr = changed(changed(JAXPR, "tanh", 3), "dot_general", 1)
    found = check(inventory(jaxpr), rules=["tanh +1"])
    assert [change.metric for change in found.changes] == ["tanh", "dot_general"]
    waived = check(inventory(jaxpr), waivers=[Waiver("tanh", "known", date(2026, 6, 1))])
    assert [change.metric for change in waived.changes] == ["tanh", "dot_general"]


def test_many_unstable_facts_are_not_all_listed():
    names = [f"op|primal|m:f|op{number}" for number in range(5)]
    stored = snapshot(BEFORE)
    levels = {**stored.levels, "jaxpr": replace(stored.levels["jaxpr"], unstable=tuple(names))}
    (note,) = check(BEFORE, baseline=replace(stored, levels=levels)).notes
    assert note.endswith(
        "jaxpr op|primal|m:f|op0, op|primal|m:f|op1, op|primal|m:f|op2 and 2 more are marked unstable: no reason is recorded"
    )


def test_optimised_hlo_is_noted_and_gates_nothing():
    then, now = (
        inventory(hlo=(Entry("fusion", "forward", number=number), Entry("copy", "forward", number=3 + number // 5)))
        for number in (2, 5)
    )
    found = check(now, current=snapshot(now, device="cpu"), baseline=snapshot(then, device="cpu"))
    assert (found.status, found.exit_code(strict=True)) == (Status.MATCH, 0)
    assert found.notes == ("hlo (not held): total 5 -> 9, fusion 2 -> 5, copy 3 -> 4",)
    other = check(now, current=snapshot(now, device="TPU v5"), baseline=snapshot(then, device="cpu"))
    assert other.notes == ("hlo is not compared: recorded with jaxlib 0.10.2 on cpu, not 0.10.2 on TPU v5",)


def test_a_check_of_several_targets_has_their_problems_once():
    cases = [Case(inventory(target=name), snapshot(inventory(target=name)), None) for name in ("a", "b")]
    found = check_all(cases, [parse_rule("dot_genral = 0")], unchecked={"c": "no gradient"})
    assert len(found.problems) == 1
    assert (found.exit_code, found.unchecked) == (2, {"c": "no gradient"})


def test_the_command_and_the_file_are_handed_on():
    case = Case(BEFORE, snapshot(BEFORE), file="snapshots/m.toml", accept="ltc-ir snapshot update m")
    found = check_program(case)
    assert (found.file, found.accept) == ("snapshots/m.toml", "ltc-ir snapshot update m")


def test_identity_compares_without_its_reading_aid():
    assert Identity("0.10", arguments="f32[8]") == Identity("0.10", arguments="other")
    assert check(BEFORE, baseline=snapshot(BEFORE, replace(HERE, arguments="other"), MADE)).status == Status.MATCH


W = Value("w", "bf16[8,128]", donated=True, aliases=0, sharding="")


def signed(argument=W, result="bf16[8,128]"):
    """The program with that argument and a result of that type, on which its fingerprint depends."""
    made = inventory(donated_bytes=2048 if argument.donated else 0)
    levels = {
        name: replace(table, fingerprint=hashed((name, result)), structure=hashed((result, name)))
        for name, table in made.levels.items()
    }
    return replace(made, levels=levels, signature=Signature((argument,), (Value("0", result, sharding=""),)))


SIGNED = signed()
LOST = signed(replace(W, donated=False, aliases=None))
WIDE = signed(result="f32[8,128]")
NARROW = signed(result="i8[8,128]")


@pytest.mark.parametrize(
    ("now", "row"),
    [
        (LOST, ("stablehlo", "donated.bytes", 2048, 0, "no growth")),
        (WIDE, ("jaxpr", "types", 16, 32, "no growth")),
    ],
)
def test_a_lost_donation_and_a_wider_type_are_growth(now, row):
    found = check(now, SIGNED)
    assert (found.status, found.exit_code(), rows(found)) == (Status.GROWN, 1, [row])
    older = snapshot(SIGNED, provenance=Provenance("0.10.1", "0.10.2"))
    assert check(now, baseline=older).status == Status.DRIFT
    metric = row[1]
    waived = check(now, SIGNED, waivers=[Waiver(metric, "for now", date(2026, 7, 1))])
    assert (waived.status, waived.exit_code(), waived.changes[0].waived) == (Status.CHANGED, 0, "for now")
    wrong = check(now, SIGNED, rules=["total +50%", "lines +9"])
    assert wrong.status == Status.GROWN


def test_steps_in_types_and_donations_permit_so_much_and_no_more():
    assert check(WIDE, SIGNED, rules=["types +1"]).status == Status.CHANGED
    found = check(WIDE, SIGNED, rules=["types +0"])
    assert (found.status, rows(found)[0]) == (Status.GROWN, ("jaxpr", "types", 0, 1, "types +0"))
    before, after = SIGNED, LOST
    assert check(after, before, rules=["donated.bytes +2KiB"]).status == Status.CHANGED
    found = check(after, before, rules=["donated.bytes +1KiB"])
    assert (found.status, found.exit_code()) == (Status.GROWN, 1)
    assert ("stablehlo", "donated.bytes", 2048, 0, "donated.bytes +1KiB") in rows(found)
    assert check(before, after).status == Status.CHANGED


def test_other_changes_of_a_signature_are_changed_and_said():
    found = check(NARROW, SIGNED)
    assert (found.status, found.exit_code(), found.exit_code(strict=True)) == (Status.CHANGED, 0, 1)
    assert [change.words for change in found.changes] == ["result 0 became i8[8,128] (was bf16[8,128])"]
    assert check(NARROW, SIGNED, confirm=lambda: snapshot(SIGNED)).status == Status.UNSTABLE


def test_phases_of_an_older_attribution_are_not_compared():
    moved = inventory(tuple(entry._replace(phase="primal", function="m:other") for entry in JAXPR))
    same = replace(moved.levels["jaxpr"], fingerprint=BEFORE.levels["jaxpr"].fingerprint)
    now = replace(moved, levels={**moved.levels, "jaxpr": same})
    older = replace(snapshot(BEFORE), attribution=1)
    assert check(moved).status == Status.MOVED
    found = check(now, baseline=older)
    assert (found.status, found.changes, found.exit_code()) == (Status.MATCH, (), 0)
    assert found.notes == ("phases are known better now: update the snapshot",)
    newer = check(now, baseline=replace(older, attribution=99))
    assert (newer.status, newer.notes) == (Status.MATCH, ("a newer ltc-ir recorded the phases: not compared",))
    grown = check(more("tanh", 5), baseline=older)
    assert grown.status == Status.GROWN
    assert (grown.changes[0].phase, grown.changes[0].sources) == ("forward", ("m.py:4",))


@pytest.mark.parametrize("rule", ["forward.tanh +0", "forward.tanh +9"])
def test_a_step_on_a_phase_waits_for_an_update(rule):
    older = replace(snapshot(BEFORE), attribution=1)
    made = check_all([Case(BEFORE, snapshot(BEFORE), older)], [parse_rule(rule)])
    assert [problem.code for problem in made.problems] == [3]
    assert made.exit_code == 3
    assert made.checks[0].changes == ()
    assert (
        check_all(
            [Case(BEFORE, snapshot(BEFORE), older)], [parse_rule("tanh +0"), parse_rule("forward.tanh <= 2")]
        ).exit_code
        == 0
    )


def test_another_order_of_independent_operations_matches():
    def hashed(fingerprint, structure):
        level = replace(BEFORE.levels["jaxpr"], fingerprint=fingerprint, structure=structure)
        return replace(BEFORE, levels={**BEFORE.levels, "jaxpr": level})

    assert check(hashed("a", "s"), hashed("b", "s")).status == Status.MATCH
    for now, then in ((("a", "s"), ("b", "t")), (("a", None), ("b", None)), (("a", "s"), ("b", None))):
        assert check(hashed(*now), hashed(*then)).status == Status.CHANGED
