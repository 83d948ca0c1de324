"""Other tools can read what is written for them: speedscope, Chrome's trace viewer, flame graphs, spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_ir.errors import UsageError
from ltc_ir.records.passes import Passes, Thread
from ltc_ir.records.serialization import dumps, from_data
from ltc_ir.render.formats import FORMATS
from ltc_ir.render.layouts.passes import passes_sheets
from ltc_ir.timing.profiler import Event, nest_events
from tests.timing.passes.made import STACKS, by_stack, made


def speedscope(text: str) -> dict[str, Any]:
    """What speedscope would open: frames in range, opened and closed like brackets, at times that never go back."""
    data = json.loads(text)
    assert data["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = range(len(data["shared"]["frames"]))
    for profile in data["profiles"]:
        if profile["type"] == "sampled":
            assert len(profile["samples"]) == len(profile["weights"])
            assert all(frame in frames for sample in profile["samples"] for frame in sample)
            assert sum(profile["weights"]) == pytest.approx(profile["endValue"])
            continue
        open_, now = [], profile["startValue"]
        for event in profile["events"]:
            assert event["frame"] in frames and event["at"] >= now
            now = event["at"]
            if event["type"] == "O":
                open_.append(event["frame"])
            else:
                assert open_.pop() == event["frame"]
        assert not open_ and now <= profile["endValue"]
    return data


def names_of(data: dict[str, Any], numbers: list[int]) -> list[str]:
    return [data["shared"]["frames"][number]["name"] for number in numbers]


def test_speedscope_has_a_profile_a_thread_the_compiling_one_first():
    data = speedscope(FORMATS["passes"]["speedscope"](made()))
    first, pool = data["profiles"]
    assert (first["name"], pool["name"]) == ("python", "codegen 1")
    assert (first["type"], first["unit"], first["endValue"]) == ("evented", "nanoseconds", 100_000_000)
    opened = [event["frame"] for event in pool["events"] if event["type"] == "O"]
    assert names_of(data, opened)[:2] == ["FusionCompiler::Compile add_fusion", "CSEPass"]


@given(st.lists(st.builds(Event, st.sampled_from("abc"), st.integers(0, 60), st.one_of(st.none(), st.integers(0, 40)))))
def test_speedscope_can_open_whatever_a_thread_did(events: list[Event]):
    seen = replace(made(), timeline=(Thread("t", nest_events(events)[0]),))
    (profile,) = speedscope(FORMATS["passes"]["speedscope"](seen))["profiles"]
    assert len(profile["events"]) == 2 * len(events)


def test_speedscope_shows_the_sums_of_a_record_that_was_stored():
    seen = made()
    stored = from_data(json.loads(dumps(seen)), Passes, "it")
    assert stored == replace(seen, timeline=())
    data = speedscope(FORMATS["passes"]["speedscope"](stored))
    assert [profile["endValue"] for profile in data["profiles"]] == pytest.approx([1e8, 6.8e7])
    samples = [names_of(data, sample) for sample in data["profiles"][0]["samples"]]
    assert ["compile", "backend_compile", "pipeline", "algsimp"] in samples


def test_a_chrome_trace_has_each_event_where_it_was():
    data = json.loads(FORMATS["passes"]["chrome-trace"](made()))
    threads = {one["tid"]: one["args"]["name"] for one in data["traceEvents"] if one["name"] == "thread_name"}
    assert threads == {0: "python", 1: "codegen 1"}
    events = [one for one in data["traceEvents"] if one["ph"] == "X"]
    assert len(events) == 10
    (algsimp,) = [one for one in events if one["name"] == "algsimp"]
    assert (algsimp["ts"], algsimp["dur"], algsimp["tid"]) == (4_000, 6_000, 0)
    assert [one["args"]["kernel"] for one in events if "args" in one] == ["add_fusion", "odd;name"]


def test_a_chrome_trace_of_sums_is_refused_with_what_can_be_had():
    with pytest.raises(UsageError, match="when each pass ran"):
        FORMATS["passes"]["chrome-trace"](replace(made(), timeline=()))


def test_folded_stacks_begin_with_the_thread_and_count_microseconds():
    lines = FORMATS["passes"]["folded"](made()).splitlines()
    assert "python;compile;backend_compile;pipeline;algsimp 6000" in lines
    assert "codegen_1;FusionCompiler::Compile 14000" in lines
    assert sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith("python;")) == 100_000


def test_csv_has_a_line_a_pass_and_a_kernel():
    rows = list(csv.DictReader(io.StringIO(FORMATS["passes"]["csv"](made()))))
    assert {row["program"] for row in rows} == {"net grad"}
    (algsimp,) = [row for row in rows if row["path"].endswith("algsimp")]
    assert (algsimp["what"], algsimp["kind"], float(algsimp["exclusive_s"])) == ("pass", "HLO passes", 0.006)
    kernels = [row for row in rows if row["what"] == "kernel"]
    assert [row["source"] for row in kernels] == ["net.py:7", "", ""]
    assert kernels[2]["reason"] == "LLVM: XLA names no kernel there"


def cells(seen: Passes, number: int, **layout: Any) -> list[tuple[Any, ...]]:
    return list(passes_sheets(seen, **layout)[number].rows)


def test_the_table_shows_the_tree_with_times_shares_and_counts():
    assert cells(made(), 0) == [
        ("compile", "100 ms", "100 %", "3.00 ms", 1),
        ("· backend_compile", "97.0 ms", "97 %", "7.00 ms", 1),
        ("· · Codegen", "60.0 ms", "60 %", "60.0 ms", 1),
        ("· · ThunkEmitter::Emit", "20.0 ms", "20 %", "20.0 ms", 1),
        ("· · pipeline", "10.0 ms", "10 %", "4.00 ms", 1),
        ("· · · algsimp", "6.00 ms", "6 %", "6.00 ms", 1),
    ]


def test_the_longest_few_keep_what_they_lie_in_and_the_rest_is_said():
    sheet = passes_sheets(made(), top=3)[0]
    assert [row[0] for row in sheet.rows] == ["compile", "· backend_compile", "· · Codegen"]
    assert sheet.notes[-1] == "3 shorter ones are not shown"
    assert cells(made(), 1, top=2)[-1] == ("4 others", "20.0 ms", "20 %", None)


def test_what_belongs_to_no_kernel_is_a_row_of_its_own_below_them():
    rows = cells(made(), 3, top=1)
    assert [row[0] for row in rows] == ["add_fusion", "1 other kernels", "(no kernel named)"]
    assert rows[2][1:4] == ("50.0 ms", "LLVM: XLA names no kernel there", "unattributed")


def test_markdown_and_the_table_say_the_sentence_and_that_threads_overlap():
    text = FORMATS["passes"]["markdown"](made())
    assert "80 % code generation, 2 kernels" in text and "not to be added" in text
    assert FORMATS["passes"]["table"](made())


def test_a_count_by_stack_opens_in_speedscope():
    data = speedscope(FORMATS["count"]["speedscope"](by_stack()))
    (profile,) = data["profiles"]
    stacks = [";".join(names_of(data, sample)) for sample in profile["samples"]]
    assert dict(zip(stacks, profile["weights"], strict=True)) == {
        key: sum(sum(ops.values()) for ops in phases.values()) for key, phases in STACKS.items()
    }
    assert profile["unit"] == "none"


@pytest.mark.parametrize("format", ["folded", "speedscope", "pprof"])
def test_what_is_not_one_program_by_stack_is_refused(format: str):
    with pytest.raises(UsageError, match="need a count by stack"):
        FORMATS["count"][format](by_stack(grouped=("source",)))
    with pytest.raises(UsageError, match="of one program at one level, not of 2"):
        FORMATS["count"][format](by_stack(programs=("loss", "grad")))
