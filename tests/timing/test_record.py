"""The record of a timing: what follows from its stages, in JSON and back, and in every format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from ltc_ir.errors import UsageError
from ltc_ir.records.environment import Environment
from ltc_ir.records.serialization import dumps, dumps_all, loads, to_data
from ltc_ir.records.timing import (
    STAGES,
    Cause,
    Ended,
    Machine,
    Memory,
    Peak,
    ProgramTiming,
    Settings,
    Stage,
    Timing,
    seconds,
)
from ltc_ir.render.formats import FORMATS


def stage(median: float, **more: object) -> Stage:
    return Stage(median, median / 2, median * 2, 7, median * 0.9, median * 1.1, **more)


def first_only(median: float) -> Stage:
    return Stage(median, median, median, 1, stopped="the limit of 2 s; only the first run in the process")


SECONDS = {"trace": 0.5, "lower": 0.25, "compile": 1.25, "first": 0.01, "steady": 0.002, "eager": 0.102}
CAUSE = Cause("compile", 1.25, 2.01, 931, "HLO instructions", "models/ltc.py:57", 335)
MADE = ProgramTiming(
    {name: stage(value) for name, value in SECONDS.items()}, stage(2.02), Memory(Peak(1 << 28, 1 << 20)), CAUSE
)
TIMING = Timing(
    "ltc",
    Environment("0.10.2", "0.10.2", "3.11.7", "cpu", False, 1),
    Machine("A processor", 8, 2, 1 << 34, "cpu", None, 0.5, 1.25),
    Settings(),
    {"forward": MADE},
)


def with_stages(**changed: object) -> ProgramTiming:
    stages = {name: stage(value) for name, value in SECONDS.items()}
    return replace(MADE, stages=stages | changed)


def test_the_compile_has_paid_for_itself_after_so_many_calls():
    assert MADE.cost_s == 2.0
    assert MADE.break_even_calls == 20
    assert MADE.why_no_break_even is None
    assert MADE.eager_over_steady == pytest.approx(51)
    assert with_stages(eager=stage(0.003)).break_even_calls in {2000, 2001}


def test_there_is_no_break_even_where_eager_is_no_slower_or_not_known():
    slow = with_stages(steady=stage(0.102))
    assert (slow.break_even_calls, slow.why_no_break_even) == (
        None,
        "a call without jit takes no longer than a compiled one",
    )
    unknown = with_stages(eager=None)
    assert (unknown.break_even_calls, unknown.why_no_break_even) == (None, "eager was not measured")
    data = to_data(replace(TIMING, programs={"forward": unknown}))["programs"]["forward"]
    assert data["break_even_calls"] is None
    assert data["reasons"]["break_even_calls"] == "eager was not measured"


@pytest.mark.parametrize("of", ["trace", "lower", "compile", "steady", "eager"])
def test_no_ratio_and_no_break_even_is_drawn_from_a_first_run(of):
    made = with_stages(**{of: first_only(SECONDS[of])})
    why = f"only the first run of {of} was had; give --limit more"
    assert (made.break_even_calls, made.why_no_break_even) == (None, why)
    timing = replace(TIMING, programs={"forward": made})
    data = json.loads(dumps(timing))["programs"]["forward"]
    assert (data["break_even_calls"], data["reasons"]["break_even_calls"]) == (None, why)
    if of in {"steady", "eager"}:
        assert (data["eager_over_steady"], data["reasons"]["eager_over_steady"]) == (None, why)
    else:
        assert made.eager_over_steady == pytest.approx(51)
        assert "eager_over_steady" not in data["reasons"]
    assert loads(dumps(timing), "here", Timing) == timing


def test_a_run_after_a_first_one_is_no_first_run():
    asked = with_stages(eager=Stage(0.102, 0.102, 0.102, 1, stopped="--repeat 1", warmup_s=0.5))
    assert not asked.stages["eager"].first_only
    assert asked.break_even_calls == 20
    assert "†" not in FORMATS["time"]["markdown"]([replace(TIMING, programs={"forward": asked})])


def test_there_is_no_ratio_to_what_takes_no_time():
    made = with_stages(steady=stage(0.0))
    data = to_data(replace(TIMING, programs={"forward": made}))["programs"]["forward"]
    assert (data["eager_over_steady"], data["reasons"]["eager_over_steady"]) == (None, "steady took no time")


@pytest.mark.parametrize("targets", [("ltc",), ("ltc", "node")])
def test_a_first_run_is_marked_in_every_table_and_the_mark_explained(targets):
    made = with_stages(eager=first_only(0.102))
    text = FORMATS["time"]["markdown"]([replace(TIMING, target=name, programs={"forward": made}) for name in targets])
    for name in targets:
        assert f"| {name} forward | 500 ms | 250 ms | 1.25 s | 10.0 ms | 2.00 ms | 102 ms† | - | - |" in text
    assert "† one run, the first, which may hold what is done once; no ratio or break-even is made of it" in text
    table = FORMATS["time"]["markdown"]([replace(TIMING, target=name) for name in targets])
    assert "†" not in table, "nothing is to be explained where no first run stands"


def test_the_whole_and_the_stages_of_a_single_target_are_marked_too():
    made = replace(with_stages(compile=first_only(1.25)), whole=first_only(2.02))
    text = FORMATS["time"]["markdown"]([replace(TIMING, programs={"forward": made})])
    assert "| compile | 1.25 s† |" in text
    assert "| whole | 2.02 s† |" in text
    assert text.count("† one run") == 2


def test_json_and_csv_say_which_stages_are_first_runs_only():
    timing = replace(TIMING, programs={"forward": with_stages(eager=first_only(0.102), trace=first_only(0.5))})
    stages = json.loads(dumps(timing))["programs"]["forward"]["stages"]
    assert {name for name, one in stages.items() if one["first_only"]} == {"trace", "eager"}
    (row,) = csv.DictReader(io.StringIO(FORMATS["time"]["csv"]([timing])))
    assert (row["first_only"], row["eager_runs"], row["eager_over_steady"]) == ("trace eager", "1", "")
    (row,) = csv.DictReader(io.StringIO(FORMATS["time"]["csv"]([TIMING])))
    assert row["first_only"] == ""


def test_a_record_from_before_first_runs_were_told_is_read():
    timing = replace(TIMING, programs={"forward": with_stages(eager=first_only(0.102))})
    data = json.loads(dumps(timing))
    made = data["programs"]["forward"]
    for one in (*made["stages"].values(), made["whole"]):
        del one["first_only"]
    del made["reasons"]["eager_over_steady"], made["cause"]["first_only"]
    assert loads(json.dumps(data), "here", Timing) == timing


def test_the_stages_cover_the_whole_as_far_as_they_add_up():
    assert MADE.cold_s == pytest.approx(2.01)
    assert MADE.covered == pytest.approx(2.01 / 2.02)
    assert with_stages(first=None).covered is None


def test_json_has_the_documented_fields_and_comes_back_as_it_was():
    text = dumps(TIMING)
    data = json.loads(text)
    assert (data["schema"], data["kind"], data["target"]) == (1, "time", "ltc")
    made = data["programs"]["forward"]
    assert set(made["stages"]) == set(STAGES)
    for one in made["stages"].values():
        assert {"median_s", "min_s", "max_s", "runs"} <= set(one)
    assert made["break_even_calls"] == 20
    assert "passes" not in made
    assert loads(text, "here", Timing) == TIMING


def test_passes_that_could_not_be_had_are_null_with_their_reason():
    without = replace(TIMING, programs={"forward": replace(MADE, reasons={"passes": "this JAX has no ProfileData"})})
    data = json.loads(dumps(without))["programs"]["forward"]
    assert (data["passes"], data["reasons"]["passes"]) == (None, "this JAX has no ProfileData")
    assert loads(dumps(without), "here", Timing) == without


def test_a_timing_that_was_cut_short_gives_a_reason_for_every_stage_it_lacks():
    short = replace(TIMING, programs={"forward": replace(MADE, stages={"trace": stage(1.0), "lower": None})})
    ended = Ended(5, "it took too long", "give it more", program="forward", stage="compile")
    closed = short.closed(ended)
    data = json.loads(dumps(closed))
    made = data["programs"]["forward"]
    assert {name for name, one in made["stages"].items() if one is None} == set(STAGES) - {"trace"}
    assert all("it took too long" in made["reasons"][name] for name in set(STAGES) - {"trace"})
    assert data["ended"]["code"] == 5
    assert loads(dumps(closed), "here", Timing) == closed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('{"kind": "count", "schema": 1}', 'is a record of kind "count", not time'),
        ('{"kind": "time", "schema": 2}', "schema 2"),
        ('{"kind": "time", "schema": 1}', 'missing field "target"'),
    ],
)
def test_what_is_no_timing_is_refused(text, said):
    with pytest.raises(UsageError, match=said):
        loads(text, "here", Timing)


def test_several_targets_are_one_record_that_lists_them():
    data = json.loads(dumps_all([TIMING, replace(TIMING, target="node")], "times", "timings"))
    assert (data["schema"], data["kind"]) == (1, "times")
    assert [one["target"] for one in data["timings"]] == ["ltc", "node"]
    assert loads(json.dumps(data["timings"][0]), "here", Timing) == TIMING


def test_csv_has_a_line_a_program_the_published_columns_first():
    both = {"forward": MADE, "grad": with_stages(eager=None)}
    text = FORMATS["time"]["csv"]([replace(TIMING, programs=both), replace(TIMING, target="node")])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0])[:7] == ["target", "program", "eager_s", "lower_s", "compile_s", "first_s", "steady_s"]
    assert [(row["target"], row["program"]) for row in rows] == [
        ("ltc", "forward"),
        ("ltc", "grad"),
        ("node", "forward"),
    ]
    assert float(rows[0]["eager_s"]) == 0.102
    assert float(rows[0]["eager_over_steady"]) == pytest.approx(51)
    assert (rows[1]["eager_s"], rows[1]["eager_over_steady"], rows[1]["break_even_calls"]) == ("", "", "")
    assert rows[0]["compile_runs"] == "7"


def test_markdown_says_the_machine_the_cause_and_the_caches():
    text = FORMATS["time"]["markdown"]([TIMING])
    for words in ("A processor, 2 of 8 cores, 16 GiB, on cpu", "JAX 0.10.2", "load 0.50 before, 1.25 after", "cleared"):
        assert words in text
    assert "compile 1.25 s of 2.01 s: 931 HLO instructions, most from models/ltc.py:57 (335)" in text
    assert "| ltc forward | 500 ms | 250 ms | 1.25 s | 10.0 ms | 2.00 ms | 102 ms | 51.0x | 20 |" in text


def test_the_sentence_names_only_what_is_known():
    assert Cause("first", 3.0, 4.0).sentence == "first call 3.00 s of 4.00 s"
    assert Cause("trace", 0.9, 1.7, 3794, "equations").sentence == "trace 900 ms of 1.70 s: 3,794 equations"
    only = Cause("trace", 0.9, 1.7, 3794, "equations", first_only=True)
    assert only.sentence == "trace 900 ms of 1.70 s (one run, the first): 3,794 equations"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 s"), (1.5e-9, "1.50 ns"), (9.9951e-6, "10.0 µs"), (0.0123, "12.3 ms"), (0.99949, "999 ms"),
        (12.34, "12.3 s"), (123.4, "123 s"), (1234.5, "1,234 s"), (None, ""),
    ],
)  # fmt: skip
def test_seconds_have_three_digits_and_a_unit(value, shown):
    assert seconds(value) == shown
