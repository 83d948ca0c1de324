"""The page of benchmarks holds one whole run, what falls short first; and each benchmark runs. No figure is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import executing, others, page, passes, timing, work
from benchmarks.catalogue import BENCHMARKS
from benchmarks.common import Result, child, quiet_environment, report

pytestmark = pytest.mark.early

ROOT = Path(__file__).resolve().parents[2]


def line(figure: str, bound: str, what: str = "ours / theirs") -> Result:
    return Result(what, figure, bound, "3 pairs")


def text() -> str:
    return page.PAGE.read_text(encoding="utf-8")


def figures() -> str:
    found = page.MARKED.search(text())
    assert found, "docs/benchmarks.md has no marks"
    return found[0]


def test_the_page_has_a_table_of_every_benchmark():
    tables = page.read(figures())
    assert list(dict.fromkeys(tables)) == list(BENCHMARKS), "run python -m benchmarks --update"
    for name, benchmark in BENCHMARKS.items():
        assert f"### {name}: {benchmark.about}" in figures()
        assert f"| `{name}` |" in text(), f"the page does not say what {name} compares"
        assert tables[name]


def test_no_figure_of_the_page_is_missing():
    told = {"not installed", "not to be had"}
    for name, lines in page.read(figures()).items():
        for one in lines:
            assert any(letter.isdigit() for letter in one.figure) or one.figure in told, f"{name}: {one}"
            assert "nan" not in one.figure
            assert one.how.strip()


def test_the_page_shows_first_what_falls_short():
    shown = figures()
    short = [one for lines in page.read(shown).values() for one in lines if one.short]
    first = shown[shown.index("### What falls short") : shown.index("### startup")]
    assert report(short) in f"{first}\n" if short else "Nothing" in first


def test_the_page_names_the_machine():
    head = figures().splitlines()[1]
    assert all(word in head for word in ("cores", "JAX", "Python", "load"))
    assert "no accelerator" in figures() or "\n## On " in figures()


@pytest.mark.parametrize(
    ("figure", "bound", "short"),
    [
        ("1.20", "1.5", False),
        ("1.51", "1.5", True),
        ("6.1 %", "5 %", True),
        ("0.02 x", "1.2 x", False),
        ("-3.0 ms", "10 ms", False),
        ("0.89", "at least 0.90", True),
        ("0.999", "at least 0.90", False),
        ("1.06", "0.95 to 1.05", True),
        ("0.94", "0.95 to 1.05", True),
        ("1.000", "0.95 to 1.05", False),
        ("12,800 of 12,800", "exactly 12,800", False),
        ("130 of 12,800", "exactly 12,800", True),
        ("7.0", "shown, not asserted", False),
        ("7.0", "-", False),
        ("7.0", "none below 0.1 ms", False),
        ("not installed", "1.5", False),
    ],
)
def test_what_falls_short(figure, bound, short):
    assert line(figure, bound).short is short


def test_a_run_reads_as_it_was_written():
    processor = {"work": [line("130 of 12,800", "exactly 12,800", "flops")], "timing": [line("1.010", "-")]}
    made = page.Run("a machine, 2 cores", (0.1, 1.9), 9.6, processor, "gpu NVIDIA H100", {"timing": [line("9", "1.5")]})
    shown = made.text()
    assert page.read(shown) == {"work": processor["work"], "timing": [*processor["timing"], line("9", "1.5")]}
    assert "2 of the 2 figures that have a bound" in shown
    assert shown.index("What falls short") < shown.index("### work") < shown.index("## On gpu NVIDIA H100")
    assert "One run of 10 min on a machine, 2 cores; load 0.10 before, 1.90 after." in shown


def test_what_is_written_replaces_the_figures_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "benchmarks.md"
    target.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(page, "PAGE", target)
    page.write(page.Run("a machine", (0.0, 0.0), 1.0, {"work": [line("1", "-")]}))
    written = target.read_text(encoding="utf-8")
    assert written.startswith("before\n<!-- figures: begin -->\nOne run of 1 min on a machine")
    assert written.endswith("<!-- figures: end -->\nafter\n")
    assert "old" not in written


def test_executed_counts_run_beside_what_one_would_write():
    made = executing.benchmark(1, quick=True)
    assert sum("counted run / plain run" in one.what for one in made) == len(executing.PROGRAMS) + 1
    assert all("results identical" in one.how for one in made if "counted run / plain run" in one.what)
    hosted = [one for one in made if one.what.endswith("callback")]
    assert len(hosted) == 2 * len(executing.WITH_NOTES)
    assert all(one.how.endswith("the same count") for one in [*hosted, made[-1]] if "interpreter" not in one.what)
    assert made[-1].how.endswith("the same counts")


def test_flops_of_what_ran_are_the_true_ones():
    made = work.benchmark(quick=True)
    ours = [one for one in made if "--executed" in one.what]
    assert len(ours) == 3
    assert all(one.bounded and not one.short for one in ours)
    xla = {one.what.partition(":")[0]: one.figure for one in made if "cost_analysis" in one.what}
    assert xla["10 matrix-vector products in a scan"] != "1,280 of 1,280"
    assert xla["10 matrix-vector products, unrolled"] == "1,280 of 1,280"


def test_timings_run_beside_what_one_would_write():
    made = timing.benchmark(1, quick=True)
    assert [
        word for word in ("timeit", "perf_counter", "a plain first call") if not any(word in one.what for one in made)
    ] == []


def test_a_compile_by_pass_runs_beside_what_one_would_read():
    made = passes.benchmark(1, quick=True)
    if len(made) == 1:
        pytest.skip(made[0].how)
    assert len(made) == 5
    (dumped,) = (one for one in made if "--xla_dump_to" in one.what)
    files = int(dumped.how.split("; ")[1].split()[0].replace(",", ""))
    assert files > 10


def test_other_ways_to_count_find_what_they_find():
    made = {one.what: one for one in others.benchmark(900, 1)}
    assert "of a program with branches 4 of 8" in made["ours / a recursion over make_jaxpr, by hand"].how
    statistics = made["ours / MLIR's print-op-stats"].how.split("; ")[1]
    found, _, there = statistics.removesuffix(" operations").partition(" of ")
    assert found == there
    assert all(one.figure for one in made.values())


def test_a_child_has_one_device_and_the_accelerators_is_the_users_to_choose(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert quiet_environment()["JAX_PLATFORMS"] == "cpu"
    assert quiet_environment("")["JAX_PLATFORMS"] == "cuda"
    assert "XLA_FLAGS" not in quiet_environment("")


def test_one_benchmark_gives_its_lines_as_json():
    made = [Result(**one) for one in child("benchmarks.one", "work", "--quick")]
    assert json.dumps([vars(one) for one in made])
    assert all("flops" in one.what for one in made)
