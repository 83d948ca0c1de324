"""What a diff says of two counts, and what holds of every diff."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_ir.compare.diff import compare_tables, diff_counts, diff_programs
from ltc_ir.errors import NotComparableError, UsageError
from ltc_ir.records.count import Count, Group, LevelCount, Tally
from ltc_ir.records.diff import Change, Diff, LevelDiff
from ltc_ir.records.environment import Environment
from ltc_ir.records.op_table import Row, Table
from ltc_ir.records.serialization import dumps, loads

ENVIRONMENT = Environment("0.10.2", "0.10.2", "3.11.7", "cpu", False, 1)
LOCATION = {"phase": 1.0, "source": 1.0}

Split = dict[str, dict[str, int]]


def tally(phases: Split) -> Tally:
    ops: Counter[str] = Counter()
    for split in phases.values():
        ops.update(split)
    return Tally(dict(ops), {phase: split for phase, split in phases.items() if split})


def level(phases: Split, name: str = "jaxpr", by: dict[str, Split] | None = None, **facts: object) -> LevelCount:
    groups = None if by is None else tuple(Group(key, tally(split)) for key, split in by.items())
    return LevelCount(name, tally(phases), LOCATION, by=groups, **{"structure": "s", **facts})  # type: ignore[arg-type]


def count(*levels: LevelCount, program: str = "forward", **fields: object) -> Count:
    made = Count("f", ENVIRONMENT, {program: {one.level: one for one in levels}})
    return replace(made, **fields)  # type: ignore[arg-type]


def both(left: LevelCount, right: LevelCount) -> LevelDiff:
    return diff_counts(count(left), count(right)).pairs[0].levels[left.level]


def row(rows: tuple[Change, ...], name: str) -> Change:
    return next(one for one in rows if one.name == name)


GRADIENT = Count(
    "ltc",
    ENVIRONMENT,
    {
        "forward": {
            "jaxpr": level(
                {"primal": {"tanh": 3, "add": 54, "scan": 6, "dot_general": 16, "while": 1, "transpose": 12}}
            )
        },
        "grad": {
            "jaxpr": level(
                {
                    "forward": {
                        "tanh": 3,
                        "add": 54,
                        "scan": 6,
                        "dot_general": 16,
                        "while": 1,
                        "transpose": 12,
                        "mul": 1,
                    },
                    "backward": {
                        "tanh": 4,
                        "add": 76,
                        "scan": 8,
                        "dot_general": 39,
                        "while": 1,
                        "transpose": 28,
                        "mul": 4,
                    },
                }
            )
        },
    },
    headline=("dot_general", "scan", "while", "tanh", "transpose"),
)


def test_a_gradient_beside_its_forward_shows_the_published_headline_first() -> None:
    diff = diff_programs(GRADIENT, "forward", "grad")
    rows = diff.pairs[0].levels["jaxpr"].ops
    shown = [(one.name, one.baseline, one.current) for one in rows if one.headline]
    assert shown == [("dot_general", 16, 55), ("scan", 6, 14), ("while", 1, 2), ("tanh", 3, 7), ("transpose", 12, 40)]
    assert [one.name for one in rows[5:]] == ["add", "mul"]
    assert rows[0].phases == {"backward": 39}, "a forward's primal operations are the gradient's forward ones"
    assert row(rows, "mul").phases == {"forward": 1, "backward": 4}
    assert row(rows, "mul").status == "new"
    assert row(rows, "mul").ratio is None
    assert any("not differentiated" in note for note in diff.notes)
    assert (diff.baseline.program, diff.current.program) == ("forward", "grad")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no program 'loss'") as caught:
        diff_programs(replace(GRADIENT, unavailable={"loss": "no loss was given"}), "forward", "loss")
    assert caught.value.hint == "no loss was given"


def test_rows_come_largest_change_first_ties_by_name() -> None:
    made = both(
        level({"primal": {"a": 5, "b": 1, "c": 9, "same": 4}}), level({"primal": {"a": 2, "b": 4, "d": 1, "same": 4}})
    )
    assert [(one.name, one.change, one.status) for one in made.ops] == [
        ("c", -9, "gone"), ("a", -3, "shrunk"), ("b", 3, "grown"), ("d", 1, "new"),
    ]  # fmt: skip
    assert row(made.metrics, "total").change == -8


def test_a_move_to_another_phase_is_a_difference_without_a_change() -> None:
    made = both(level({"forward": {"mul": 2}}), level({"backward": {"mul": 2}}))
    assert [(one.name, one.change, one.status) for one in made.ops] == [("mul", 0, "moved")]
    assert made.ops[0].phases == {"forward": -2, "backward": 2}
    assert not made.empty


def test_groups_say_which_line_made_a_change() -> None:
    before = level(
        {"backward": {"dot": 1, "mul": 1}}, by={"a.py:1": {"backward": {"dot": 1}}, "a.py:2": {"backward": {"mul": 1}}}
    )
    after = level(
        {"backward": {"dot": 40, "mul": 1}, "forward": {"mul": 2}},
        by={"a.py:2": {"backward": {"mul": 1}}, "a.py:1": {"backward": {"dot": 40}, "forward": {"mul": 2}}},
    )
    sides = [count(made, grouped=("source",)) for made in (before, after)]
    diff = diff_counts(*sides)
    groups = diff.pairs[0].levels["jaxpr"].by
    assert diff.grouped == ("source",)
    assert groups is not None
    assert [(group.key, group.total.change) for group in groups] == [("a.py:1", 41)]
    assert [(op.name, op.change, dict(op.phases)) for op in groups[0].ops] == [
        ("dot", 39, {"backward": 39}), ("mul", 2, {"forward": 2}),
    ]  # fmt: skip
    other = diff_counts(sides[0], replace(sides[1], grouped=("function",)))
    assert other.pairs[0].levels["jaxpr"].by is None
    assert any("grouped differently" in note for note in other.notes)


def test_figures_that_one_side_lacks_are_unknown_with_a_reason_and_no_change() -> None:
    left = level(
        {}, "stablehlo", lines=None, bytes=10, private_functions=1, reasons={"lines": "the text was not printed"}
    )
    right = level({}, "stablehlo", lines=7, bytes=12, private_functions=1)
    made = both(left, right)
    lines = row(made.metrics, "lines")
    assert (lines.baseline, lines.current, lines.change, lines.status) == (None, 7, None, "unknown")
    assert lines.reason == "the text was not printed"
    assert row(made.metrics, "bytes").change == 2
    assert [one.name for one in made.metrics] == ["total", "lines", "bytes"]
    assert both(left, replace(left, lines=3)).empty, "what is not known is no difference"


def test_hlo_figures_collectives_and_memory_are_compared() -> None:
    left = level(
        {}, "hlo", fusions=1, flops=10.0, bytes_accessed=float("nan"), collectives={}, memory={"temporary_bytes": 4}
    )
    right = level(
        {}, "hlo", fusions=3, flops=10.0, bytes_accessed=2.0, collectives={"all-reduce": {"count": 2, "bytes": 64}},
        memory={"temporary_bytes": 8},
    )  # fmt: skip
    changes = {one.name: one.change for one in both(left, right).metrics}
    assert changes == {
        "total": 0, "fusions": 2, "bytes_accessed": None, "memory.temporary_bytes": 4,
        "collectives": 2, "collectives.bytes": 64, "collectives.all-reduce": 2, "collectives.all-reduce.bytes": 64,
    }  # fmt: skip


def test_unknown_bytes_of_a_collective_are_unknown_and_those_of_an_absent_one_are_0() -> None:
    known = level({}, "hlo", collectives={"all-reduce": {"count": 1, "bytes": 64}})
    unknown = level({}, "hlo", collectives={"all-reduce": {"count": 1, "bytes": None}})
    sides = {one.name: (one.baseline, one.current) for one in both(unknown, known).metrics}
    assert sides == {"total": (0, 0), "collectives.bytes": (None, 64), "collectives.all-reduce.bytes": (None, 64)}
    assert row(both(level({}, "hlo", collectives={}), known).metrics, "collectives.all-reduce.bytes").baseline == 0


def test_tables_are_compared_by_name_phase_and_function() -> None:
    before = {Row("mul", "primal", "m:a"): 2, Row("add", "primal", "m:a"): 1}
    after = {Row("mul", "primal", "m:b"): 3, Row("add", "primal", "m:a", "m.py:4"): 1}
    diff = compare_tables(Table("jaxpr", expanded=before), Table("jaxpr", expanded=after), {})
    (mul,) = diff.ops
    assert (mul.name, mul.baseline, mul.current, mul.change) == ("mul", 2, 3, 1)
    assert mul.moves == {("primal", "m:a"): -2, ("primal", "m:b"): 3}
    assert not diff.types
    assert not diff.figures
    assert not diff.restructured


def test_expanded_totals_constants_and_depth_are_compared() -> None:
    left = level(
        {}, "stablehlo", expanded=tally({"primal": {"a": 1}}), constants={"bytes": 8, "embedded_bytes": 0}, max_depth=2
    )
    right = level(
        {}, "stablehlo", expanded=tally({"primal": {"a": 5}}), constants={"bytes": 9, "embedded_bytes": 9}, max_depth=3
    )
    changes = {one.name: one.change for one in both(left, right).metrics}
    assert changes == {
        "total": 0,
        "constants.bytes": 1,
        "constants.embedded.bytes": 9,
        "expanded.total": 4,
        "max_depth": 1,
    }


def test_pjit_and_jit_are_one_operation() -> None:
    old = count(
        level({"primal": {"pjit": 3}}, by={"a": {"primal": {"pjit": 3}}}), environment=replace(ENVIRONMENT, jax="0.6.2")
    )
    new = count(level({"primal": {"jit": 3}}, by={"a": {"primal": {"jit": 3}}}))
    diff = diff_counts(old, new)
    assert diff.empty
    assert "jaxpr: pjit and jit are one operation under two names, counted as jit" in diff.notes
    assert any("made with JAX 0.6.2 and 0.10.2" in note for note in diff.notes)
    gone = diff_counts(old, count(level({"primal": {"add": 1}}))).pairs[0].levels["jaxpr"]
    assert row(gone.ops, "pjit").status == "gone"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("platform", "cuda", "lowered for cpu and for cuda"),
        ("x64", True, "off on one side and on on the other"),
        ("devices", 4, "1 and with 4"),
    ],
)
def test_other_conditions_are_said_not_refused(field: str, value: object, said: str) -> None:
    other = replace(ENVIRONMENT, **{field: value})  # type: ignore[arg-type]
    diff = diff_counts(count(level({})), count(level({}), environment=other))
    assert any(said in note for note in diff.notes), diff.notes
    assert not diff_counts(count(level({})), count(level({}))).notes


def test_a_stored_file_says_nothing_of_its_making() -> None:
    stored = count(level({"unattributed": {"add": 1}}), program="module", environment=Environment())
    diff = diff_counts(stored, count(level({"primal": {"add": 1}})))
    assert (diff.pairs[0].baseline, diff.pairs[0].current) == ("module", "forward"), "single programs pair up"
    assert "the baseline does not say what it was made with" in diff.notes
    assert any("does not tell phases" in note for note in diff.notes)


def test_what_has_no_counterpart_is_told() -> None:
    left = replace(count(level({})), programs={"forward": {"jaxpr": level({})}, "loss": {"jaxpr": level({})}})
    right = count(level({}), level({}, "hlo"))
    notes = diff_counts(left, right).notes
    assert "only the baseline has loss at jaxpr" in notes
    assert "only the current has forward at hlo" in notes


def test_nothing_in_common_ends_with_exit_code_3_and_says_what_there_is() -> None:
    with pytest.raises(NotComparableError, match=r"forward \(jaxpr\) against forward \(hlo\)") as caught:
        diff_counts(count(level({})), count(level({}, "hlo")))
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_counts_narrowed_differently_are_refused() -> None:
    narrowed = count(level({"primal": {"add": 1}}), filters={"ops": ("add",)})
    with pytest.raises(NotComparableError, match="narrowed differently"):
        diff_counts(narrowed, count(level({"primal": {"add": 1, "mul": 2}})))
    assert diff_counts(narrowed, narrowed).empty


names = st.sampled_from(["add", "mul", "jit", "pjit", "scan", "tanh"])
splits = st.dictionaries(
    st.sampled_from(["primal", "forward", "backward", "recompute", "unattributed"]),
    st.dictionaries(names, st.integers(1, 9), max_size=4),
    max_size=3,
)
keyed = st.dictionaries(st.sampled_from(["a.py:1", "a.py:2", "b.py:1"]), splits, max_size=3)
counts = st.builds(
    lambda split, by, lines: count(
        level(split, "jaxpr", by), level(split, "stablehlo", lines=lines), grouped=("source",)
    ),
    splits,
    keyed,
    st.none() | st.integers(0, 5),
)


def rows_of(diff: Diff) -> list[Change]:
    made = [one for pair in diff.pairs for one in pair.levels.values()]
    rows = [one for each in made for one in (*each.ops, *each.metrics)]
    return rows + [one for each in made for group in each.by or () for one in (group.total, *group.ops)]


@given(counts)
def test_a_count_does_not_differ_from_itself(made: Count) -> None:
    diff = diff_counts(made, made)
    assert diff.empty
    assert not any(one.ops or one.by for pair in diff.pairs for one in pair.levels.values())


@given(counts, counts)
def test_a_diff_that_is_empty_is_of_equal_tallies(a: Count, b: Count) -> None:
    renamed = {
        one.tally.ops.keys() & {"jit", "pjit"} == {"pjit"}
        for one in (a.programs["forward"]["jaxpr"], b.programs["forward"]["jaxpr"])
    }
    differentiated = [
        {"forward", "backward", "recompute"} & x.programs["forward"]["jaxpr"].tally.phases.keys() for x in (a, b)
    ]
    if diff_counts(a, b).empty and len(renamed) == 1 and bool(differentiated[0]) == bool(differentiated[1]):
        assert a.programs["forward"]["jaxpr"].tally == b.programs["forward"]["jaxpr"].tally


@given(counts, counts)
def test_phases_sum_to_their_change_and_ops_to_the_total(a: Count, b: Count) -> None:
    for pair in diff_counts(a, b).pairs:
        for made in pair.levels.values():
            assert all(sum(one.phases.values()) == one.change for one in made.ops)
            assert sum(one.change or 0 for one in made.ops) == row(made.metrics, "total").change
            for group in made.by or ():
                assert sum(one.change or 0 for one in group.ops) == group.total.change


@given(counts, counts)
def test_turned_round_every_change_changes_its_sign(a: Count, b: Count) -> None:
    forth, back = rows_of(diff_counts(a, b)), rows_of(diff_counts(b, a))
    assert [(one.name, one.change, dict(one.phases)) for one in forth] == [
        (one.name, None if one.change is None else -one.change, {phase: -n for phase, n in one.phases.items()})
        for one in back
    ]


@given(counts, counts)
def test_a_diff_survives_its_json(a: Count, b: Count) -> None:
    diff = diff_counts(a, b)
    text = dumps(diff)
    assert loads(text, "here", Diff) == diff
    assert dumps(loads(text, "here", Diff)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a record of ltc-ir"),
        ('{"kind": "count", "schema": 1}', 'is a record of kind "count", not diff'),
        ('{"kind": "diff", "schema": 2}', "has schema 2"),
        ('{"kind": "diff", "schema": 1}', 'missing field "baseline"'),
    ],
)
def test_what_is_no_diff_is_refused_with_its_name(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        loads(text, "a.json", Diff)
    assert caught.value.message.startswith("a.json")


@pytest.mark.versions
def test_the_ltc_against_its_gradient_is_as_published() -> None:
    import ltc_ir

    made = ltc_ir.count("ltc", programs=("forward", "grad"), levels=("jaxpr", "stablehlo"), by=("source",))
    diff = diff_programs(made)
    jaxpr = diff.pairs[0].levels["jaxpr"]
    pairs = {one.name: (one.baseline, one.current) for one in jaxpr.ops if one.headline}
    assert list(pairs) == ["dot_general", "scan", "while", "tanh", "transpose"]
    assert pairs["dot_general"] == (16, 55)
    assert (pairs["while"], pairs["tanh"], pairs["transpose"]) == ((1, 2), (3, 7), (12, 40))
    assert jaxpr.ops[0].phases == {"backward": 39}
    assert jaxpr.by is not None
    by_line = [op for group in jaxpr.by for op in group.ops if op.name == "dot_general"]
    assert sum(op.change or 0 for op in by_line) == 39
    assert row(diff.pairs[0].levels["stablehlo"].metrics, "lines").status == "grown"
