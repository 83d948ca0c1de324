"""The picture of timings shows what the profiling table does: bars, intervals, ratio, break-even, why a stage is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ltc_ir.plots.timing import MOST, timing_figure
from ltc_ir.records.environment import Environment
from ltc_ir.records.timing import Ended, Machine, Settings, Stage, Timing
from tests.plots.reading import faults, figure_of, texts
from tests.plots.records import SECONDS, stage, timing

WHY = (
    "its arguments are shapes alone; give their values with --fill zeros or --fill normal:SEED, or take another target"
)


def drawn(made: Sequence[Timing]):
    return figure_of(lambda look: timing_figure(made, look))


def said(*made: Timing) -> str:
    return "\n".join(texts(drawn(made)))


def test_each_program_has_its_name_its_stages_its_ratio_and_its_break_even():
    words = texts(drawn([timing("ltc"), timing("node", steady=0.0001)]))
    assert "ltc, node: time of each stage" in words
    assert words[words.index("ltc forward") + 1] == "eager/steady 51.0x, pays after 20 calls"
    assert words[words.index("node forward") + 1] == "eager/steady 1,020x, pays after 20 calls"
    for name in ("eager", "trace", "lower", "compile", "first call", "steady"):
        assert words.count(name) == 2
    assert {"1.25 s", "500 ms", "102 ms", "2.00 ms", "100 µs"} <= set(words)


def test_bars_end_at_medians_and_whiskers_at_intervals():
    axes = drawn([timing()]).axes[0]
    ends = sorted(bar.get_x() + bar.get_width() for bar in axes.patches)
    assert ends == pytest.approx(sorted(SECONDS.values()))
    whiskers = {tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "|"}
    assert (0.9 * 1.25, 1.2 * 1.25) in whiskers
    assert axes.get_xscale() == "log"


def test_a_stage_that_was_not_measured_has_its_reason_and_no_bar():
    made = timing(why="no values were given", steady=None, first=None, eager=None)
    assert said(made).count("none: no values were given") == 3
    assert "ltc forward: no break-even: steady was not measured" in said(made)
    assert len(drawn([made]).axes[0].patches) == 3


def test_a_median_of_few_runs_says_so():
    assert "1.25 s  (1 run, no interval)" in said(timing(compile=Stage(1.25, 1.25, 1.25, 1, warmup_s=2.0)))
    assert "1.25 s  (2 runs, no interval)" in said(timing(compile=Stage(1.25, 1.2, 1.3, 2)))


def test_a_first_run_is_marked_and_no_ratio_is_drawn_from_it():
    words = said(timing(eager=Stage(0.102, 0.102, 0.102, 1)))
    assert "102 ms†  (1 run, the first)" in words
    assert "† one run, the first, which may hold what is done once" in words
    assert "ltc forward: no break-even: only the first run of eager was had; give --limit more" in words
    assert "eager/steady" not in words
    assert "†" not in said(timing())


def test_stages_that_were_asked_for_are_there():
    words = texts(drawn([timing(op_by_op=0.7, compile_warm=0.06)]))
    assert {"op by op", "700 ms", "compile, warm", "60.0 ms"} <= set(words)
    assert "op by op" not in said(timing())


def test_the_machine_and_what_is_not_there_stand_below():
    ended = Ended(5, "forward took longer than 600 s")
    words = said(replace(timing(), unavailable={"grad": "it returns integers"}, ended=ended))
    assert "A processor, 2 of 8 cores, 16 GiB, on cpu; Python 3.11.7, JAX 0.10.2, jaxlib 0.10.2" in words
    assert "ltc: load 0.50 before, 1.25 after" in words
    assert "ltc grad left out: it returns integers" in words
    assert "ltc: cut short: forward took longer than 600 s" in words
    assert "whiskers: the 90% interval of each median" in words


@pytest.mark.parametrize(
    "made",
    [
        [timing()],
        [timing("ltc"), timing("ctrnn"), timing("node", trace=1e-9, compile=5000.0)],
        [timing("examples/a/very/long/path/" * 4 + "models.py:Class.method", WHY * 3, eager=None, steady=None)],
        [timing(why=WHY, **dict.fromkeys(SECONDS))],
        [timing(trace=0.0, lower=0.0)],
        [timing("a$x$ <b>&-- \n\x07")],
        [Timing("nothing", Environment(), Machine(), Settings())],
        [timing(compile=Stage(1.25, 1.25, 1.25, 1), steady=stage(1e-8))],
        [],
    ],
)
def test_nothing_is_clipped_or_overlaps(made: list[Timing]):
    assert faults(drawn(made)) == []


def test_more_programs_than_fit_are_said():
    assert "3 more programs are not drawn" in said(*(timing(f"t{number}") for number in range(MOST + 3)))
