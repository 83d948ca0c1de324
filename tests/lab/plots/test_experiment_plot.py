"""The picture of an experiment shows every seed, median and interval, what was published, and what diverged."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ltc_ir.lab.plots.experiment_plot import experiment_figure, experiment_picture
from ltc_ir.lab.records import Experiment, Row
from ltc_ir.records.environment import Environment
from ltc_ir.records.timing import Machine
from tests.plots.reading import faults, figure_of, texts
from tests.plots.records import ENVIRONMENT, MACHINE

pytestmark = pytest.mark.early

VALUES = (0.02, 0.03, 0.05, 0.04, 0.025)
MODELS = ("ltc", "ctrnn", "node")
WAYS = ("two-pass", "closed loop")
SETTINGS = {"seeds": 5, "first seed": 42, "epochs": 300}


def row(model: str = "ltc", case: str = "0.1", metric: str = "mse", **changed: object) -> Row:
    fields: dict[str, object] = {"values": VALUES, "rollout": "two-pass", "selection": "test", **changed}
    return Row(model, case, metric, **fields)  # type: ignore[arg-type]


def of(*rows: Row, name: str = "base", about: str = "the error of each model") -> Experiment:
    return Experiment(name, about, ENVIRONMENT, MACHINE, SETTINGS, rows)


def drawn(made: Experiment):
    return figure_of(lambda look: experiment_figure(made, look))


def said(made: Experiment) -> str:
    return "\n".join(texts(drawn(made)))


def labelled(axes: Axes, label: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_label() == label]


def heights(axes: Axes, label: str) -> list[float]:
    """The places of everything drawn under a label, of each once."""
    return [float(at) for line in axes.lines if line.get_label() == label for at in dict.fromkeys(line.get_ydata())]


def base(models: Sequence[str] = MODELS) -> Experiment:
    return of(
        *(
            row(model, case, rollout=rollout, published=0.03 if rollout == "two-pass" else None)
            for case in ("0.1", "1.2")
            for model in models
            for rollout in ("two-pass", "closed loop")
        )
    )


def switch() -> Experiment:
    figures = {"mse overall": VALUES, "mse after": VALUES, "recovery points": (0.0, 51.0, 3.0, 51.0, 0.0)}
    rows = [
        row(model, case, metric, rollout=rollout, values=values)
        for metric, values in figures.items()
        for case in ("0.1 -> 1.2", "1.2 -> 0.1")
        for model in MODELS
        for rollout in ("two-pass", "closed loop")
    ]
    return of(*rows, name="switch")


def noise() -> Experiment:
    rows = [
        row(model, case, "ratio", variant=f"sigma {sigma}", values=(0.98, 1.0, 1.01, 1.02, 1.1))
        for case in ("0.1", "0.3", "0.5", "0.8", "1.2")
        for sigma in ("0.01", "0.2")
        for model in MODELS
    ]
    return of(*rows, name="noise")


def mdl() -> Experiment:
    variants = ("no Omega", "static, 0.001", "static, adaptive", "static, 0.1", "trajectory, 0.001", "trajectory, 0.1")
    rows = [
        row("ltc", case, metric, variant=variant, rollout=rollout, values=values)
        for metric, values in (("mse after", VALUES), ("improvement", (-900.0, 0.0, 50.0, 90.0, 99.0)))
        for case in ("0.1 -> 1.2", "1.2 -> 0.1", "0.3 -> 0.8", "0.8 -> 0.3")
        for variant in variants
        for rollout in ("two-pass", "closed loop")
        if metric == "mse after" or variant != "no Omega"
    ]
    return of(*rows, name="mdl")


def tau() -> Experiment:
    metrics = ("tau at the switch", "softplus at the end", "rise", "share of steps up")
    return of(*(row(case=case, metric=metric) for metric in metrics for case in ("0.1", "0.5", "1.2")), name="tau")


def attractor() -> Experiment:
    metrics = ("hausdorff mean", "hausdorff median", "hausdorff of all points", "mse")
    rows = [row(model, "0.3", metric, rollout="teacher-forced") for metric in metrics for model in MODELS]
    return of(*rows, name="attractor")


def transfer() -> Experiment:
    rows = [row(model, f"others on {zeta}", rollout=way) for zeta in ("0.1", "0.3") for model in MODELS for way in WAYS]
    return of(*rows, name="transfer")


def beside_zero() -> Experiment:
    """Three models, and the one that always says 0, alike for each seed."""
    nothing = [row("zero", case, rollout=way, values=(0.04,) * 5) for case in ("0.1", "1.2") for way in WAYS]
    return of(*base().rows, *nothing)


def starts() -> Experiment:
    """Orbits from the published starts, from drawn ones as well where the truth is fed."""
    rows = [
        row(model, "0.3", metric, rollout=rollout, variant=variant)
        for metric in ("hausdorff mean", "hausdorff of all points", "mse")
        for rollout, variant in (("teacher-forced", ""), ("teacher-forced", "drawn starts"), ("closed loop", ""))
        for model in (*MODELS, "zero")
    ]
    return of(*rows, name="attractor")


def test_the_seeds_the_median_and_the_interval_are_drawn_on_a_logarithmic_axis():
    axes = drawn(of(row())).axes[0]
    assert heights(axes, "seeds") == pytest.approx([math.log10(value) for value in VALUES])
    assert heights(axes, "median") == pytest.approx([math.log10(0.03)])
    assert heights(axes, "interval") == pytest.approx([math.log10(row().low), math.log10(row().high)])


def test_each_published_value_has_its_own_mark_beside_the_published_way():
    figure = drawn(base())
    two_pass_rollout, closed_loop_rollout = figure.axes
    assert heights(two_pass_rollout, "published") == pytest.approx(
        [math.log10(0.03)] * 12
    )  # paper and ink, of six rows
    assert heights(closed_loop_rollout, "published") == []
    assert "published" in texts(figure)
    assert "published" not in texts(drawn(of(row())))
    assert "5 seeds, 300 epochs; 6 of 6 published values lie in the interval" in texts(figure)


def test_a_published_value_is_longer_than_the_median_on_it_is_wide():
    rows = [
        row(model, "0.3", f"hausdorff {metric}", rollout=way, published=0.03)
        for way in (*WAYS, "teacher-forced")
        for metric in ("mean", "median", "std", "least", "most", "of all points")
        for model in MODELS
    ]
    figure = drawn(of(*rows))
    axes = figure.axes[0]
    dots = axes.transData.transform
    for bar, median in zip(labelled(axes, "published")[::2], labelled(axes, "median"), strict=True):
        (left, _), (right, _) = dots(list(zip(bar.get_xdata(), bar.get_ydata(), strict=True)))
        assert right - left > 1.3 * median.get_markersize() * figure.dpi / 72


def test_models_are_told_apart_by_colour_and_marker_and_named():
    figure = drawn(base())
    medians = [line for line in figure.axes[0].lines if line.get_label() == "median"]
    assert len({(line.get_color(), line.get_marker()) for line in medians}) == 3
    assert len({line.get_marker() for line in medians}) == 3
    assert {"LTC", "CTRNN", "Neural ODE", "two-pass", "closed loop", "damping ratio"} <= set(texts(figure))


def test_a_model_keeps_its_colour_beside_others_and_alone():
    def colors(models: Sequence[str]) -> list[str]:
        lines = drawn(base(models)).axes[0].lines
        return [str(line.get_color()) for line in lines if line.get_label() == "median"]

    assert colors(("ltc",))[0] == colors(MODELS)[0]
    assert colors(("node",))[0] == colors(MODELS)[2]


def test_what_always_says_0_is_a_line_through_its_ratio_and_no_cloud():
    figure, alone = drawn(beside_zero()), drawn(base())
    for axes, without in zip(figure.axes, alone.axes, strict=True):
        assert heights(axes, "baseline") == pytest.approx([math.log10(0.04)] * 2)
        lines = [line for line in axes.lines if line.get_label() == "baseline"]
        assert [list(line.get_xdata()) for line in lines] == [[-0.5, 0.5], [0.5, 1.5]]
        assert not any(line.get_linestyle() == "-" for line in lines)
        assert places(axes, "seeds") == places(without, "seeds"), "it takes no room from the models"
    assert "always says 0" in texts(figure)
    assert "always says 0" not in texts(alone)


def places(axes: Axes, label: str) -> list[float]:
    return [float(at) for line in axes.lines if line.get_label() == label for at in line.get_xdata()]


def test_a_model_that_is_not_known_has_a_colour_of_its_own():
    lines = drawn(base(("ltc", "mine", "node"))).axes[0].lines
    assert len({str(line.get_color()) for line in lines if line.get_label() == "median"}) == 3
    assert "mine" in said(base(("ltc", "mine", "node")))


def test_a_third_way_to_run_stands_beside_the_other_two():
    made = of(*(row(model, rollout=way) for model in MODELS for way in (*WAYS, "teacher-forced")))
    figure = drawn(made)
    assert len(figure.axes) == 3
    assert {*WAYS, "teacher-forced"} <= set(texts(figure))
    assert faults(figure) == []


def test_drawn_starts_stand_apart_from_the_published_ones():
    figure = drawn(starts())
    assert {"teacher-forced", "drawn starts, teacher-forced", "closed loop", "0.3, drawn starts"} <= set(texts(figure))
    assert [len(heights(axes, "median")) for axes in figure.axes] == [6, 6, 6, 6, 3]


def test_an_svg_places_to_a_hundredth_and_says_the_style_of_a_cloud_once():
    svg = experiment_picture(of(row(values=tuple(0.01 * number for number in range(1, 41)))))
    assert len(re.findall(rb"<use [^>]*fill-opacity: 0.45", svg)) == 3, "those of the legend"
    assert len(re.findall(rb'<use xlink:href="#m\w+" x="[\d.]+" y="[\d.]+"/>', svg)) >= 40
    places = re.findall(rb'[ "(]-?\d+\.(\d+)[ ")]', svg.replace(b"scale(0.015625)", b""))
    assert max(map(len, places)) == 2
    assert b"scale(0.015625)" in svg, "the size of text is no place"


def test_seeds_that_diverged_are_counted_and_marked_at_the_edge():
    made = of(row("ltc"), row("node", values=(0.02, 0.03, math.inf, 2.0, 5000.0)))
    axes = drawn(made).axes[0]
    assert len(heights(axes, "beyond")) == 1
    assert heights(axes, "beyond")[0] < axes.get_ylim()[1]
    assert len(heights(axes, "seeds")) == 5 + 3  # 2.0 has diverged, and still has its place
    assert "3" in [text.get_text() for text in axes.texts]
    assert "figures of seeds that diverged: Neural ODE two-pass 3 of 5" in said(made)
    assert "diverged" not in said(of(row()))


def test_where_most_seeds_diverged_the_median_stands_at_the_edge():
    made = of(row("ltc"), row("node", values=(math.inf,) * 4 + (0.02,)))
    axes = drawn(made).axes[0]
    ends = [heights(drawn(of(row("ltc"))).axes[0], "median")[0], max(heights(axes, "median"))]
    assert ends[0] < math.log10(VALUES[2]) < ends[1] <= axes.get_ylim()[1]
    assert "4" in [text.get_text() for text in axes.texts]


def test_another_seed_without_omega_stands_where_lambda_is_none():
    controls = [
        row("ltc", case, "improvement", variant="no Omega, another seed", values=(-50.0, 0.0, 50.0), rollout=way)
        for case in ("0.1 -> 1.2", "1.2 -> 0.1", "0.3 -> 0.8", "0.8 -> 0.3")
        for way in WAYS
    ]
    figure = drawn(of(*mdl().rows, *controls, name="mdl"))
    assert len(figure.axes) == len(drawn(mdl()).axes)
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()][:2] == ["none", "0.001"]
    assert "an improvement at none is a control: no Omega, another seed" in texts(figure)
    assert faults(figure) == []


def test_long_names_of_variants_do_not_lie_on_one_another():
    assert faults(drawn(of(*(row(case="0.3", variant=f"a variant of a long name {one}") for one in range(9))))) == []


def test_an_improvement_that_is_boundlessly_bad_is_marked_below():
    made = of(row(metric="improvement", variant="static, 0.1", values=(-math.inf, 0.0, 10.0, 50.0, 90.0)), name="mdl")
    axes = drawn(made).axes[0]
    low, high = axes.get_ylim()
    assert low < heights(axes, "beyond")[0] < min(heights(axes, "seeds")) < high
    assert heights(axes, "seeds") == pytest.approx([0.0, -math.log10(0.9), -math.log10(0.5), 1.0])


def test_improvements_far_apart_have_ticks_that_can_be_read():
    bad = (-250_000.0, -3_000.0, 0.0, 90.0, 99.0)
    made = of(row(metric="improvement", variant="static, 0.1", values=bad, published=-250_000.0), name="mdl")
    ticks = [label.get_text() for label in drawn(made).axes[0].get_yticklabels()]
    assert sorted(ticks) == sorted(["99", "90", "0", "−900", "−9,900", "−99,900"])
    assert faults(drawn(made)) == []


def test_a_selection_that_was_not_published_is_left_to_the_table():
    made = of(row(), row(selection="validation", values=(0.9,) * 5))
    assert len(heights(drawn(made).axes[0], "seeds")) == 5
    assert "those chosen otherwise stand in the table" in said(made)


def test_ratios_are_in_their_order_whatever_the_order_of_the_rows():
    made = of(*(row(case=f"others on {zeta}") for zeta in ("0.3", "1.2", "0.1")), name="transfer")
    axes = drawn(made).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.1", "0.3", "1.2"]
    assert axes.get_xlabel() == "damping ratio tested on, trained on each other one"


@pytest.mark.parametrize(
    ("made", "panels", "words"),
    [
        (switch(), 6, "points until recovery"),
        (noise(), 5, "damping ratio 0.5, two-pass"),
        (tau(), 4, "mean softplus in tau at the end"),
        (mdl(), 16, "switch 0.3 → 0.8, closed loop"),
        (attractor(), 2, "Hausdorff distance"),
        (transfer(), 2, "damping ratio tested on, trained on each other one"),
    ],
    ids=lambda value: value.name if isinstance(value, Experiment) else "",
)
def test_each_experiment_has_its_panels(made: Experiment, panels: int, words: str):
    figure = drawn(made)
    assert len(figure.axes) == panels
    assert words in texts(figure)
    assert sum(len(heights(axes, "median")) for axes in figure.axes) == len(made.rows)


def wild() -> Experiment:
    hard = (math.inf, math.nan, 0.0, 1e-12, 1e300)
    return of(*(replace(one, values=hard, published=1e-3) for one in [*base().rows, *noise().rows[:4], *mdl().rows]))


@pytest.mark.parametrize(
    "made",
    [
        base(), beside_zero(), switch(), noise(), tau(), mdl(), attractor(), starts(), transfer(), wild(),
        of(), of(row(values=())), of(row(values=(0.1,))),
        of(row(values=(math.inf,) * 5)), of(row(metric="rise", values=(0.0,) * 5)), of(row("mine", "a case", "a metric")),
        of(row(), name="a" * 90, about="$x$ <b>&-- \n\x07" * 20),
        Experiment("base", "nothing", Environment(), Machine(), {}),
    ],
)  # fmt: skip
def test_nothing_is_clipped_or_overlaps(made: Experiment):
    assert faults(drawn(made)) == []


def test_rows_without_seeds_and_records_without_rows_are_told():
    assert "rows without seeds, which are not drawn: 1" in said(of(row(), row("node", values=())))
    assert "there is no figure that could be drawn" in said(of())


def test_pictures_are_svg_or_png_light_or_dark_and_the_same_each_time():
    made = base()
    svg, dark, png = experiment_picture(made), experiment_picture(made, dark=True), experiment_picture(made, "png")
    assert svg.startswith(b"<?xml")
    assert png.startswith(b"\x89PNG")
    assert experiment_picture(made) == svg != dark
    assert experiment_picture(made, "png") == png
    with pytest.raises(ValueError, match="svg or png"):
        experiment_picture(made, "pdf")
