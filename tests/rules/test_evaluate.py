"""Rules held against programs: which hold, which break and where, and which could not have been broken."""

from __future__ import annotations

import pytest

from ltc_ir.errors import UsageError
from ltc_ir.records.vocabulary import Part
from ltc_ir.rules.evaluate import judge
from ltc_ir.rules.grammar import holds, parse_rule
from ltc_ir.rules.running import RunningJudgement
from ltc_ir.rules.value import measure
from tests.compare.inventories import JAXPR, STABLEHLO, Entry, changed, inventory, snapshot

ASYNC = (
    Entry("all-reduce", "forward", "m:net", "m.py:9", 1, ("f32",), bytes=512),
    Entry("all-reduce-start", "backward", "m:net", "m.py:9", 2, ("f32", "f32"), bytes=2048),
    Entry("all-reduce-done", "backward", "m:net", "m.py:9", 2, ("f32",), bytes=1024),
    Entry("all-gather", "forward", "m:net", "m.py:8", 1, ("i32",), bytes=64),
    Entry("copy-start", "forward", "m:net", "m.py:8", 1, ("f32",), bytes=64),
)
CALLS = (
    Entry("ffi_call", "forward", "m:k", "m.py:3", 2, ("f32",), attributes=(("attribute", "True"), ("target", "te_gemm"))),
    Entry("ffi_call", "forward", "m:k", "m.py:5", 2, ("f32",), attributes=(("attribute", "False"), ("target", "te_gemm"))),
)  # fmt: skip
CUSTOM = (
    Entry("stablehlo.custom_call", "forward", "m:k", "m.py:3", 1, attributes=(("target", "tpu_custom_call"),)),
    Entry("stablehlo.custom_call", "forward", "m:k", "m.py:4", 3, attributes=(("target", "Sharding"),)),
)


def one(text, read=None, baseline=None, level=None):
    """The changes and problems of one rule on one program."""
    read = read or inventory()
    judged = judge([parse_rule(text, level=level)], {"grad": read}, {"grad": baseline} if baseline else None)
    return judged.changes["grad"], judged.problems


def outcome(*given, **named):
    changes, problems = one(*given, **named)
    return "problem" if problems else "broken" if changes else "holds"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dot_general = 9", "holds"),
        ("dot_general = 8", "broken"),
        ("dot_general != 9", "broken"),
        ("dot_general != 8", "holds"),
        ("dot_general < 9", "broken"),
        ("dot_general <= 9", "holds"),
        ("dot_general > 9", "broken"),
        ("dot_general >= 9", "holds"),
        ("backward.dot_general = 6", "holds"),
        ("forward.dot_general = 3", "holds"),
        ("recompute.dot_general = 0", "holds"),
        ("dot-general = 9", "holds"),
        ("total = 12", "holds"),
        ("jaxpr:total = 12", "holds"),
        ("backward.total = 6", "holds"),
        ("total[i32] = 1", "holds"),
        ("total[f64] = 0", "holds"),
        ("dot_general[f32,f32->f32] = 9", "holds"),
        ("dot_general[int8,int8->int32] = 0", "holds"),
        ("dot_general.bytes = 144", "holds"),
        ("while = 0", "broken"),
        ("jaxpr:while = 0", "holds"),
        ("scan = 1", "holds"),
        ("transpose = 0", "holds"),
        ("lines <= 40", "holds"),
        ("lines < 40", "broken"),
        ("constants.bytes <= 1KiB", "holds"),
        ("constants.embedded.bytes = 0", "holds"),
        ("max_depth = 3", "holds"),
        ("case = 0", "holds"),
        ("grad/while = 1", "holds"),
    ],
)
def test_invariants(text, expected):
    assert outcome(text) == expected


@pytest.mark.parametrize(
    ("text", "says", "hints"),
    [
        ("dot_genral = 0", "no level knows", "did you mean dot_general?"),
        ("jaxpr:multiply = 0", "only at stablehlo, hlo", "stablehlo:multiply"),
        ("conditional = 0", "only at hlo", "hlo:conditional"),
        ("fusion = 0", "only hlo has it", "hlo:fusion"),
        ("hlo:fusion = 0", "not read at hlo", "ask for the level hlo"),
        ("train_step/while = 0", "matches no program", "m grad"),
        ("total +3", "a step, and there is no snapshot", "absolute bound"),
        ("dot_general[precission=HIGHEST] = 0", "has an attribute 'precission'", "none"),
        ("all_gather = 0", "automatic sharding exist only in optimised HLO", "hlo:all_gather"),
        ("stablehlo:all_reduce <= 3", "automatic sharding exist only in optimised HLO", "hlo:all_reduce"),
    ],
)
def test_what_could_not_have_been_broken_is_a_problem_and_no_pass(text, says, hints):
    changes, problems = one(text)
    assert not changes
    (problem,) = problems
    assert says in problem.message
    assert hints in problem.hint
    assert problem.code == 2
    assert problem.message.startswith(f"--rule: rule '{text}'")


def undifferentiated(program="forward", target="m"):
    sides = (tuple(entry._replace(phase="primal") for entry in side) for side in (JAXPR, STABLEHLO))
    return inventory(*sides, program=program, target=target)


@pytest.mark.parametrize(
    "text", ["while >= 0", "pjit >= 0", "flops >= 0", "backward.dot_general >= 0.0", "total >= 0B"]
)
def test_a_bound_below_which_nothing_is_is_no_rule(text):
    with pytest.raises(UsageError) as found:
        parse_rule(text.replace("total", "dot_general.bytes").replace("0.0", "0"))
    assert "cannot be broken" in found.value.message
    assert found.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("forward/backward.dot_general <= 6", "problem"),
        ("forward/forward.dot_general < 10", "problem"),
        ("forward/recompute.dot_general = 0", "problem"),
        ("stablehlo:forward/backward.tanh != 2", "problem"),
        ("backward.dot_general <= 6", "problem"),
        ("forward/backward.dot_general = 6", "broken"),
        ("forward/backward.dot_general >= 1", "broken"),
        ("forward/primal.dot_general <= 9", "holds"),
        ("forward/dot_general <= 9", "holds"),
    ],
)
def test_a_phase_of_differentiation_bounds_nothing_where_nothing_is_differentiated(text, expected):
    read = undifferentiated()
    assert outcome(text, read) == expected
    if expected == "problem":
        (problem,) = one(text, read)[1]
        assert "cannot be broken: m forward is not differentiated" in problem.message
        assert problem.code == 2


def test_a_rule_of_several_programs_needs_one_that_is_differentiated():
    rules = [parse_rule("backward.dot_general <= 6"), parse_rule("recompute.dot_general = 0")]
    both = {"forward": undifferentiated(), "grad": inventory()}
    assert not judge(rules, both).problems
    assert len(judge(rules, {"forward": undifferentiated(), "loss": undifferentiated("loss")}).problems) == 2
    assert not judge(rules, {"forward": undifferentiated()}, complete=False).problems
    assert not judge(rules, {"forward": undifferentiated()}, complete=["m"]).problems


def test_one_device_shows_no_collectives():
    for text in ("hlo:collectives = 0", "collectives <= 3", "hlo:all_gather < 1", "hlo:all_gather.bytes = 0"):
        assert outcome(text, inventory(hlo=())) == "problem"
        assert outcome(text, inventory(hlo=(), devices=2)) == "holds"
    assert outcome("hlo:collectives >= 1", inventory(hlo=())) == "broken"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("collectives = 4", "holds"),
        ("hlo:all_reduce = 3", "holds"),
        ("hlo:backward.all_reduce = 2", "holds"),
        ("hlo:all_reduce.bytes = 2560", "holds"),
        ("hlo:collectives.bytes = 2624", "holds"),
        ("hlo:all_gather[float] = 0", "holds"),
        ("hlo:all_gather[int] = 1", "holds"),
        ("hlo:collective_permute = 0", "holds"),
        ("hlo:copy_start = 1", "holds"),
        ("flops <= 12.5", "holds"),
        ("memory.temporary_bytes <= 2KiB", "holds"),
        ("memory.temporary_bytes <= 2047B", "broken"),
        ("bytes_accessed <= 5", "problem"),
        ("memory.other <= 5", "problem"),
    ],
)
def test_an_asynchronous_pair_counts_once_at_hlo(text, expected):
    assert outcome(text, inventory(hlo=ASYNC, devices=4)) == expected


MERGED = (
    Entry(
        "all-reduce",
        "mixed",
        "m:net",
        "m.py:9",
        1,
        ("f32", "f32"),
        bytes=52,
        parts=(Part("forward", 4), Part("backward", 48)),
    ),
    Entry("all-reduce", "backward", "m:net", "m.py:9", 1, ("f32",), bytes=100),
    Entry("dot", "mixed", "m:net", "m.py:4", 3, ("f32",), bytes=16, parts=(Part("forward"), Part("recompute"))),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hlo:backward.collectives = 0", "broken"),
        ("hlo:backward.collectives <= 1", "broken"),
        ("hlo:backward.collectives = 2", "holds"),
        ("hlo:forward.all_reduce = 1", "holds"),
        ("hlo:all_reduce = 2", "holds"),
        ("hlo:mixed.all_reduce = 1", "holds"),
        ("hlo:primal.all_reduce = 0", "holds"),
        ("hlo:unattributed.all_reduce = 0", "holds"),
        ("hlo:backward.collectives.bytes <= 148", "holds"),
        ("hlo:backward.collectives.bytes <= 147", "broken"),
        ("hlo:forward.all_reduce.bytes = 4", "holds"),
        ("hlo:mixed.all_reduce.bytes = 52", "holds"),
        ("hlo:all_reduce.bytes = 152", "holds"),
        ("hlo:forward.dot = 3", "holds"),
        ("hlo:recompute.dot = 0", "broken"),
        ("hlo:recompute.dot.bytes = 48", "holds"),
        ("hlo:dot = 3", "holds"),
    ],
)
def test_what_was_merged_from_several_phases_counts_once_for_each(text, expected):
    assert outcome(text, inventory(hlo=MERGED, devices=4)) == expected


@pytest.mark.parametrize(
    ("parts", "bound", "expected"),
    [
        ((), "backward.collectives = 0", "problem"),
        ((), "backward.collectives <= 1", "holds"),
        ((), "backward.collectives.bytes <= 51", "problem"),
        ((Part("forward", 4), Part("unattributed", 48)), "backward.collectives = 0", "problem"),
        ((Part("forward", 4), Part("unattributed", 48)), "backward.collectives.bytes <= 47", "problem"),
        ((Part("forward", 4), Part("unattributed", 48)), "backward.collectives.bytes <= 48", "holds"),
        ((Part("forward", 4), Part("unattributed", 48)), "forward.collectives = 1", "holds"),
        ((Part("forward", 4), Part("unattributed", 48)), "forward.collectives.bytes <= 4", "problem"),
        ((Part("forward", 4), Part("unattributed", 48)), "primal.collectives = 0", "problem"),
        ((Part("forward", 4), Part("primal", 48)), "backward.collectives = 0", "holds"),
    ],
)
def test_a_part_of_unknown_phase_is_never_a_pass(parts, bound, expected):
    merged = Entry("all-reduce", "mixed", "m:net", "m.py:9", 1, ("f32", "f32"), bytes=52, parts=parts)
    assert outcome(f"hlo:{bound}", inventory(hlo=(merged,), devices=4)) == expected


def test_a_figure_that_is_not_known_names_its_program_and_level():
    (problem,) = one("bytes_accessed <= 3", inventory(hlo=()))[1]
    assert "bytes_accessed of m grad is not known at hlo: XLA did not say" in problem.message


def test_unknown_bytes_are_no_zero():
    read = inventory(jaxpr=(Entry("tanh", "forward", bytes=None),))
    assert outcome("tanh.bytes <= 100", read) == "problem"
    assert outcome("sin.bytes = 0", read) == "holds"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("te_gemm = 4", "holds"),
        ("te-gemm = 4", "holds"),
        ("te_gemm = 3", "broken"),
        ("te_gemm[attribute=True] = 2", "holds"),
        ("te_gemm[attribute=True] = 4", "broken"),
        ("te_gemm[atribute=True] = 0", "problem"),
        ("ffi_call[te_gemm] = 4", "holds"),
        ("te_gem = 4", "problem"),
        ("forward.custom_call[tpu_custom_call] = 1", "holds"),
        ("recompute.custom_call[tpu_custom_call] = 0", "holds"),
        ("custom_call = 4", "holds"),
        ("Sharding = 3", "holds"),
    ],
)
def test_calls_of_a_kernel(text, expected):
    assert outcome(text, inventory(jaxpr=CALLS, stablehlo=CUSTOM)) == expected


def test_a_kernel_that_another_program_calls_is_known_here():
    programs = {"grad": inventory(jaxpr=CALLS), "forward": inventory(program="forward")}
    judged = judge([parse_rule("forward/te_gemm = 0"), parse_rule("te_gemm = 0")], programs)
    assert not judged.problems
    assert not judged.changes["forward"]
    assert [change.rule for change in judged.changes["grad"]] == ["te_gemm = 0"]


def test_operand_types_that_were_not_read_are_no_match_and_no_pass():
    assert outcome("dot_general[int8,int8->int32] = 0", inventory(detailed=False)) == "problem"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stablehlo:backward.tanh = 0", "problem"),
        ("stablehlo:backward.tanh <= 1", "problem"),
        ("stablehlo:backward.tanh <= 2", "holds"),
        ("stablehlo:forward.tanh = 2", "problem"),
        ("stablehlo:forward.tanh >= 2", "holds"),
        ("stablehlo:forward.tanh != 4", "problem"),
        ("stablehlo:forward.tanh != 5", "holds"),
        ("stablehlo:forward.tanh <= 1", "broken"),
        ("stablehlo:unattributed.tanh = 2", "holds"),
        ("stablehlo:tanh = 4", "holds"),
    ],
)
def test_a_phase_that_the_level_does_not_tell_cannot_be_bounded(text, expected):
    unknown = Entry("stablehlo.tanh", "unattributed", number=2)
    assert outcome(text, inventory(stablehlo=(*STABLEHLO, unknown))) == expected


def test_a_broken_rule_names_the_block_and_the_lines_that_have_most():
    more = (
        *JAXPR,
        Entry("dot_general", "backward", "m:net", "m.py:7", 1),
        Entry("dot_general", "primal", "m:x", "x.py:1", 2),
    )
    ((change,), _) = one("dot_general <= 6", inventory(jaxpr=more))
    assert (change.metric, change.level, change.current, change.baseline) == ("dot_general", "jaxpr", 12, None)
    assert (change.phase, change.function) == ("backward", "m:net")
    assert change.sources == ("m.py:9", "m.py:7")
    assert (change.rule, change.where, change.fails) == ("dot_general <= 6", "--rule", True)


def test_a_broken_bound_on_constants_names_who_uses_the_largest():
    ((change,), _) = one("constants.bytes = 0")
    assert (change.metric, change.current) == ("constants.bytes", 400)
    assert (change.phase, change.function, change.sources) == ("forward", "m:act", ("m.py:3",))


def test_a_broken_invariant_says_what_the_snapshot_had():
    ((change,), _) = one("while = 0", baseline=snapshot(inventory(stablehlo=changed(STABLEHLO, "stablehlo.while", 4))))
    assert (change.metric, change.baseline, change.current) == ("stablehlo.while", 4, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("total +2", "broken"),
        ("total +3", "holds"),
        ("total +24%", "broken"),
        ("total +25%", "holds"),
        ("dot_general +3", "holds"),
        ("dot_general +2", "broken"),
        ("dot_general +33%", "broken"),
        ("dot_general +33.4%", "holds"),
        ("backward.dot_general +0", "holds"),
        ("forward.dot_general +2", "broken"),
        ("tanh +0", "holds"),
        ("stablehlo:total +0", "holds"),
        ("lines +0", "holds"),
        ("lines +0%", "holds"),
        ("sin +5%", "holds"),
        ("grad/total +0", "broken"),
        ("te_gemm +0", "problem"),
    ],
)
def test_steps(text, expected):
    grown = inventory(jaxpr=changed(JAXPR, "dot_general", 6))
    assert outcome(text, grown, snapshot(inventory())) == expected


def test_a_baseline_of_nothing_has_no_percentage():
    grown = inventory(jaxpr=(*JAXPR, Entry("sin", "forward", "m:f", "m.py:2", 1)))
    assert outcome("sin +500%", grown, snapshot(inventory())) == "broken"
    assert outcome("sin +1", grown, snapshot(inventory())) == "holds"


def test_a_broken_step_names_what_grew_most_and_not_what_is_largest():
    grown = inventory(jaxpr=changed(JAXPR, "tanh", 5))
    ((change,), _) = one("total +2", grown, snapshot(inventory()))
    assert (change.metric, change.baseline, change.current) == ("total", 12, 15)
    assert (change.function, change.sources) == ("m:act", ("m.py:4",))


def test_a_step_is_not_judged_where_the_snapshot_is_missing_but_its_name_is():
    rules = [parse_rule("total +0"), parse_rule("dot_genral +0")]
    judged = judge(rules, {"grad": inventory()}, {"grad": None})
    assert judged.changes == {"grad": ()}
    (problem,) = judged.problems
    assert "dot_genral" in problem.message


def test_what_a_snapshot_does_not_hold_for_unstable_is_not_stepped():
    from ltc_ir.compare.facts import stable

    read = inventory()
    stored = snapshot(read)
    shaken = stable(stored.levels["jaxpr"], snapshot(inventory(jaxpr=changed(JAXPR, "tanh", 7))).levels["jaxpr"])
    baseline = type(stored)(**(vars(stored) | {"levels": {**stored.levels, "jaxpr": shaken}}))
    grown = inventory(jaxpr=changed(JAXPR, "tanh", 9))
    assert outcome("tanh +0", grown, baseline) == "holds"
    assert outcome("dot_general +0", inventory(jaxpr=changed(JAXPR, "dot_general", 9)), baseline) == "broken"


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        (0, "stablehlo:forward.tanh +0", "problem"),
        (0, "stablehlo:forward.tanh +2", "holds"),
        (2, "stablehlo:forward.tanh +0", "holds"),
        (0, "stablehlo:unattributed.tanh +2", "holds"),
        (0, "stablehlo:tanh +2", "holds"),
        (0, "stablehlo:tanh +1", "broken"),
    ],
)
def test_a_step_in_a_phase_is_not_shown_where_more_have_no_phase_than_before(before, text, expected):
    def program(number):
        return inventory(stablehlo=(*STABLEHLO, Entry("stablehlo.tanh", "unattributed", number=number)))

    assert outcome(text, program(2), snapshot(program(before))) == expected


def test_a_kernel_of_another_target_is_unknown_to_a_rule_of_this_one():
    programs = {"m": inventory(), "other": inventory(jaxpr=CALLS, target="other")}
    assert judge([parse_rule("te_gemm = 0", targets=["m"])], programs).problems
    assert not judge([parse_rule("te_gemm <= 9", targets=["other"])], programs).problems
    assert not judge([parse_rule("te_gemm <= 9")], programs).problems


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("hlo:collectives = 9", "collectives"),
        ("hlo:all_reduce.bytes = 9", "all-reduce.bytes"),
        ("hlo:total = 9", "total"),
    ],
)
def test_a_broken_rule_names_its_figure_as_the_level_spells_it(text, metric):
    read = inventory(hlo=(Entry("all-reduce", "forward", "m:f", "m.py:1", 2, bytes=4),), devices=2)
    ((change,), _) = one(text, read)
    assert change.metric == metric


def test_rules_are_judged_on_their_targets_only():
    rule = parse_rule("while = 0", targets=["other"])
    assert not judge([rule], {"grad": inventory()}, complete=False).changes["grad"]
    assert judge([rule], {"grad": inventory()}).problems
    assert not judge([rule], {"grad": inventory()}, complete={"m"}).problems
    both = {("m", "grad"): inventory(), ("other", "grad"): inventory(target="other")}
    judged = judge([rule], both)
    assert [key for key, changes in judged.changes.items() if changes] == [("other", "grad")]


def test_a_program_that_was_not_asked_for_is_no_problem():
    rule = parse_rule("train_step/while = 0")
    assert not judge([rule], {"grad": inventory()}, complete=False).problems


def test_the_older_name_of_an_operation_means_the_newer_too():
    read = inventory(jaxpr=(Entry("jit", "primal", number=2),))
    older = inventory(jaxpr=(Entry("pjit", "primal", number=2),))
    assert {outcome(f"{name} = 2", program) for name in ("pjit", "jit") for program in (read, older)} == {"holds"}


def test_measuring_and_holding_apart():
    rule = parse_rule("backward.dot_general <= 6")
    found = measure(rule.selector, inventory())
    assert (found.value, [row.source for row in found.rows]) == (6, ["m.py:9"])
    assert holds(rule, found.value)
    with pytest.raises(UsageError, match="no snapshot"):
        holds(parse_rule("total +5%"), 3)


@pytest.mark.parametrize("complete", [True, False])
def test_rules_judged_program_by_program_say_what_they_say_of_all_together(complete):
    programs = {
        1: inventory(),
        2: inventory(jaxpr=(*JAXPR, *CALLS)),
        3: undifferentiated(target="other"),
    }
    baselines = {1: snapshot(inventory()), 2: None, 3: None}
    texts = [
        "te_gemm <= 3", "te_gemm = 0", "dot_general = 8", "total +0", "while = 0", "backward.dot_general <= 2", "nosuch = 0",
        "custom_call[tpu_custom_cal] = 0", "total[f64] = 0", "train_step/while = 0", "constants.bytes <= 1", "lines <= 4",
    ]  # fmt: skip
    rules = [parse_rule(text) for text in texts]
    running = RunningJudgement(rules)
    for key, tables in programs.items():
        running.add(key, tables, baselines[key])
    whole = judge(rules, programs, baselines, complete=complete)
    assert running.judgement(list(programs), complete, ()) == whole
    assert any(change.sources for changes in whole.changes.values() for change in changes)


def test_programs_alike_share_what_is_kept_of_them():
    running = RunningJudgement([parse_rule("dot_general = 9")])
    for number in range(2):
        lines = [row._replace(source=f"m.py:{number}") for row in JAXPR]
        running.add(number, inventory(jaxpr=lines), None)
    first, second = (running.kept[number].levels["jaxpr"].weights for number in range(2))
    assert [id(row) for row in first] == [id(row) for row in second]
    assert {row.source for row in first} == {"(no source)"}
