"""A timed sweep tells how many runs stand behind each figure, marks first runs, and says where no interval could be had."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from ltc_ir.records.environment import Environment
from ltc_ir.records.serialization import dumps, loads
from ltc_ir.records.sweep import Growth, ProgramSweep, Sweep, SweepPoint
from ltc_ir.records.timing import Machine, Settings
from ltc_ir.render.formats import FORMATS

POINTS = (
    SweepPoint(
        8, {"jaxpr": 10.0, "compile_s": 0.5, "steady_s": 0.001}, {"steady_s": (0.0009, 0.0011)},
        runs={"compile_s": 3, "steady_s": 9},
    ),
    SweepPoint(
        16, {"jaxpr": 20.0, "compile_s": 0.75, "steady_s": 0.002},
        runs={"compile_s": 1, "steady_s": 1}, first_only=frozenset({"steady_s"}),
    ),
)  # fmt: skip
GROWTH = {name: Growth("power", 1.0) for name in ("jaxpr", "compile_s", "steady_s")}
MADE = Sweep(
    "mine", "n", (8, 16), Environment("0.10.2", "0.10.2", "3.11.7", "cpu", False, 1),
    {"forward": ProgramSweep(POINTS, GROWTH)}, Machine("A processor", 8, 2), Settings(limit_s=5.0),
)  # fmt: skip
NOTE = "† one run, the first, which may hold what is done once; growth is fitted through it all the same"


def with_points(*points: SweepPoint, **more: object) -> Sweep:
    made = replace(MADE.programs["forward"], points=points)
    return replace(MADE, programs={"forward": made}, **more)


def table(sweep: Sweep) -> str:
    text = FORMATS["sweep"]["markdown"](sweep)
    assert isinstance(text, str)
    return text


def test_json_has_the_runs_and_the_first_ones_and_comes_back():
    first, last = json.loads(dumps(MADE))["programs"]["forward"]["points"]
    assert (first["runs"], first["first_only"]) == ({"compile_s": 3, "steady_s": 9}, [])
    assert (last["runs"], last["first_only"]) == ({"compile_s": 1, "steady_s": 1}, ["steady_s"])
    assert loads(dumps(MADE), "here", Sweep) == MADE


def test_a_record_from_before_runs_were_kept_is_read():
    data = json.loads(dumps(MADE))
    for point in data["programs"]["forward"]["points"]:
        del point["runs"], point["first_only"]
    read = loads(json.dumps(data), "here", Sweep)
    assert [point.runs for point in read.programs["forward"].points] == [{}, {}]
    assert [point.metrics for point in read.programs["forward"].points] == [point.metrics for point in POINTS]
    assert "†" not in table(read)


def test_csv_has_the_runs_of_what_was_timed():
    text = FORMATS["sweep"]["csv"](MADE)
    assert isinstance(text, str)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0])[-2:] == ["runs", "first_only"]
    found = {(row["metric"], row["value"]): (row["runs"], row["first_only"]) for row in rows}
    assert found["steady_s", "8"] == ("9", "no")
    assert found["steady_s", "16"] == ("1", "yes")
    assert found["jaxpr", "8"] == ("", "")


def test_a_first_run_is_marked_and_the_mark_explained():
    assert "| step | 1.00 ms | 2.00 ms† |" in table(MADE)
    assert "| compile | 500 ms | 750 ms |" in table(MADE), "one run after a first is no first run"
    assert NOTE in table(MADE)
    assert "†" not in table(with_points(POINTS[0]))


def test_what_has_no_interval_at_any_size_is_said():
    words = "compile: too few runs for an interval at 5 s; give --limit more"
    assert words in table(MADE)
    assert "step: too few" not in table(MADE), "one size has an interval"
    neither = with_points(*(replace(point, spans={}) for point in POINTS))
    assert "compile, step: too few runs for an interval at 5 s; give --limit more" in table(neither)
    sure = with_points(replace(POINTS[0], spans={**POINTS[0].spans, "compile_s": (0.4, 0.6)}))
    assert "too few runs for" not in table(sure)


@pytest.mark.parametrize(("repeat", "said"), [(3, "with --repeat 3"), (4, "at 5 s; give --limit more")])
def test_the_runs_that_were_asked_for_are_too_few_or_were_not_reached(repeat, said):
    sweep = replace(MADE, settings=Settings(limit_s=5.0, repeat=repeat))
    assert f"compile: too few runs for an interval {said}" in table(sweep)


def test_figures_that_nothing_was_timed_for_say_nothing_of_runs():
    counted = with_points(SweepPoint(8, {"jaxpr": 10.0}), SweepPoint(16, {"jaxpr": 20.0}), settings=None, machine=None)
    assert "runs" not in table(counted)
