"""The picture of a sweep says what its record does, whatever that lacks, and says what it could not draw."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from ltc_ir.plots.sweep import MOST, growth_words, sweep_figure
from ltc_ir.records.sweep import Growth, ProgramSweep, Sweep, SweepPoint
from ltc_ir.records.timing import Ended
from tests.plots.reading import faults, figure_of, texts
from tests.plots.records import ENVIRONMENT, VALUES, program_sweep, sweep

pytestmark = pytest.mark.early


def drawn(made: Sweep):
    return figure_of(lambda look: sweep_figure(made, look))


def said(made: Sweep) -> str:
    return "\n".join(texts(drawn(made)))


def test_it_names_target_parameter_program_sizes_and_figures():
    words = texts(drawn(sweep()))
    assert {"mine:net over width", "grad", "width", *map(str, VALUES)} <= set(words)
    assert {"size: operations in the IR", "time", "memory", "jaxpr", "stablehlo", "hlo", "compile", "step"} <= set(
        words
    )
    assert "16 GiB" in "\n".join(words) or "16.0 GiB" in "\n".join(words)


def test_the_legend_has_the_growth_and_its_interval():
    words = texts(drawn(sweep()))
    assert words[words.index("jaxpr") + 1] == "constant"
    assert words[words.index("hlo") + 1] == "n^2.00 (2.00 to 2.00)"
    assert words[words.index("stablehlo") + 1] == "n^1.00 (1.00 to 1.00)"
    assert words[words.index("compile") + 1] == "n^3.00 (3.00 to 3.00)"


def test_what_grows_faster_is_named():
    words = texts(drawn(sweep()))
    assert [one for one in words if one.startswith("▲")] == [
        "▲ stablehlo grows faster than jaxpr", "▲ hlo grows faster than stablehlo", "▲ compile grows faster than hlo",
    ]  # fmt: skip
    assert "▲" not in said(replace(sweep(), programs={"grad": replace(program_sweep(), faster=())}))


def test_points_intervals_and_the_fitted_curve_are_at_their_figures():
    axes = drawn(sweep()).axes[0]
    curves = {tuple(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == len(VALUES)}
    assert tuple(float(value * value) for value in VALUES) in curves
    fits = [line for line in axes.lines if len(line.get_xdata()) > len(VALUES)]
    assert any(line.get_ydata()[-1] == pytest.approx(128**2) for line in fits)
    times = drawn(sweep()).axes[1]
    spans = [tuple(line.get_ydata()) for line in times.lines if list(line.get_xdata()) == [128, 128]]
    assert (pytest.approx(0.9 * 2e-5 * 128), pytest.approx(1.2 * 2e-5 * 128)) in spans


def test_a_zero_is_left_out_and_said():
    assert "temporary memory by XLA is 0 at 8, 16, and not drawn: a logarithmic axis has no 0" in said(sweep())
    axes = drawn(sweep()).axes[2]
    assert any(list(line.get_xdata()) == [32, 64, 128] for line in axes.lines)


def test_what_is_missing_is_said_with_its_reason():
    made = program_sweep()
    last = made.points[-1]
    metrics = {name: figure for name, figure in last.metrics.items() if name != "hlo"}
    points = (*made.points[:-1], replace(last, metrics=metrics, reasons={"hlo": "XLA gave up"}))
    words = said(replace(sweep(), programs={"grad": replace(made, points=points)}))
    assert "hlo: missing at 128: XLA gave up" in words


def test_a_first_run_is_a_hollow_point_and_explained():
    made = program_sweep()
    only = replace(made, points=(*made.points[:-1], replace(made.points[-1], first_only=frozenset({"steady_s"}))))
    figure = drawn(replace(sweep(), programs={"grad": only}))
    paper = figure.get_facecolor()
    hollow = [line for axes in figure.axes for line in axes.lines if line.get_markerfacecolor() == to_hex(paper)]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in hollow] == [([128], [2e-5 * 128])]
    note = "hollow points: one run, the first, which may hold what is done once"
    assert note in "\n".join(texts(figure))
    assert "hollow" not in said(sweep())


def test_what_has_no_interval_at_any_size_is_said():
    made = program_sweep()
    bare = tuple(
        replace(point, spans={name: span for name, span in point.spans.items() if name != "compile_s"})
        for point in made.points
    )
    words = said(replace(sweep(), programs={"grad": replace(made, points=bare)}))
    assert "compile: too few runs for an interval at 30 s; give --limit more" in words
    assert "too few runs" not in said(sweep())


def test_only_panels_with_figures_are_drawn():
    only = ProgramSweep(tuple(SweepPoint(value, {"jaxpr": 7.0 * value}) for value in VALUES))
    figure = drawn(replace(sweep(), programs={"grad": only}))
    assert len(figure.axes) == 1
    assert "time" not in texts(figure)


@pytest.mark.parametrize(
    "made",
    [
        sweep((8, 64)),
        sweep((8,)),
        sweep((1, 2, 5, 100, 101, 102, 5000, 1_000_000)),
        sweep(tuple(range(8, 29))),
        sweep((1000, 1001, 1002, 1003)),
        sweep(programs=("forward", "loss", "grad", "train_step")),
        sweep(programs=("a$x$ <b>&-- \n\x07", "n" * 200)),
        replace(sweep(), target="t" * 300, parameter="p" * 200, ended=Ended(5, "at 16: " + "too long " * 60)),
        replace(sweep(), programs={}),
        replace(sweep(), programs={"grad": ProgramSweep()}),
        replace(sweep(), programs={"grad": ProgramSweep((SweepPoint(8, {}, {}, {"hlo": "no " * 80}),))}),
        replace(sweep(), programs={"grad": program_sweep(hlo=lambda n: 1e12 * n, steady_s=lambda n: 3e-9 / n)}),
        replace(sweep(), programs={"grad": program_sweep(compile_s=lambda n: 0.0)}),
        Sweep("x", "n", (1, 2), ENVIRONMENT),
    ],
)
def test_nothing_is_clipped_or_overlaps(made: Sweep):
    assert faults(drawn(made)) == []


def test_a_sweep_cut_short_at_once_shows_the_point_it_has():
    made = replace(sweep((8,)), values=(8, 16, 32), ended=Ended(5, "at 16: took longer than 600 s"))
    words = said(made)
    assert "cut short: at 16: took longer than 600 s" in words
    assert "no growth fitted" in words
    assert "32" in words.split("\n")


def test_more_programs_than_fit_are_said():
    words = said(sweep(programs=tuple(f"p{number}" for number in range(MOST + 2))))
    assert "2 more programs are not drawn" in words
    assert f"p{MOST - 1}" in words.split("\n")
    assert f"p{MOST}" not in words.split("\n")


def test_more_notes_than_fit_are_said():
    reasons = {value: SweepPoint(value, {"jaxpr": 3.0}, {}, {"hlo": f"reason {value}"}) for value in range(1, 40)}
    made = replace(sweep(), programs={"grad": ProgramSweep(tuple(reasons.values()))})
    assert "more lines of notes stand in the table" in said(made)


def test_growth_in_words():
    assert growth_words(Growth("power", 2.0, 1.99, 2.01, 1.0, grows=True)) == "n^2.00 (1.99 to 2.01)"
    assert growth_words(Growth("constant", 0.0, 0.0, 0.0, 7.0)) == "constant"
    assert growth_words(Growth("power", 0.1, -0.1, 0.3, 1.0)) == "no growth seen"
    assert growth_words(Growth("power", 0.9, None, None, 1.0)) == "n^0.90 (too few sizes)"
    assert growth_words(Growth(reason="there is none")) == "no growth fitted"
