"""The figures of the text: truth, medians and intervals over seeds, published levels, and what leaves an axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ltc_ir.errors import UsageError
from ltc_ir.lab import published
from ltc_ir.lab.data import oscillator_set, switch_set
from ltc_ir.lab.plans import Settings
from ltc_ir.lab.plots import publication_figures as figures
from ltc_ir.lab.plots.publication_figures import FIGURES
from ltc_ir.lab.training import Recipe, Trained
from ltc_ir.plots import style
from tests.plots.reading import faults, texts

pytestmark = pytest.mark.long  # three models are compiled for each way they run

SHORT = Settings((42, 43), epochs=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the trainings of all these tests are kept."""
    return tmp_path_factory.mktemp("figures")


def drawn(name: str, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Figure:
    """The figure that becomes the bytes."""
    made: list[Figure] = []
    saved = style._saved

    def keep(figure: Figure, form: str) -> bytes:
        made.append(figure)
        return saved(figure, form)

    monkeypatch.setattr(style, "_saved", keep)
    FIGURES[name](folder, settings, "png", False)
    return made[0]


def labelled(axes: Axes, label: str) -> list[np.ndarray]:
    """The heights of the lines under a label."""
    return [np.asarray(line.get_ydata(), float) for line in axes.lines if line.get_label() == label]


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_is_svg_or_png_and_the_same_each_time(name: str, folder: Path):
    png = FIGURES[name](folder, SHORT, "png", True)
    svg = FIGURES[name](folder, SHORT, "svg", False)
    assert png.startswith(b"\x89PNG")
    assert svg.startswith(b"<?xml")
    assert FIGURES[name](folder, SHORT, "svg", False) == svg


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_clipped_or_overlaps(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    assert faults(drawn(name, folder, SHORT, monkeypatch)) == []


def test_kept_trainings_are_taken_up(folder: Path, monkeypatch: pytest.MonkeyPatch):
    FIGURES["losses"](folder, SHORT, "png", False)
    before = {path: path.stat().st_mtime_ns for path in (folder / "trained").iterdir()}
    FIGURES["losses"](folder, SHORT, "png", False)
    assert {path: path.stat().st_mtime_ns for path in (folder / "trained").iterdir()} == before
    assert len([path for path in before if "seed43" in path.name]) == 15


def test_the_data_are_the_five_ratios_and_a_part_in_which_points_are_seen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    figure = drawn("data", folder, SHORT, monkeypatch)
    assert len(figure.axes) == 6
    heights = np.asarray(figure.axes[0].lines[0].get_ydata())
    np.testing.assert_array_equal(heights, oscillator_set()["0.1"].clean[:, 0])
    words = texts(figure)
    assert {"training points", "test points", "damping ratio 0.8, underdamped", "damping ratio 1.2, overdamped"} <= set(
        words
    )
    magnified = next(axes for axes in figure.axes if axes.get_xlim()[0] > 1)
    points = [len(line.get_xdata()) for line in magnified.lines if line.get_linestyle() == "None"]
    assert points == [20, 10, 10]  # noisy, training, test


def test_the_switches_show_truth_median_and_the_time_of_the_switch(folder: Path, monkeypatch: pytest.MonkeyPatch):
    figure = drawn("switches", folder, SHORT, monkeypatch)
    assert len(figure.axes) == 12
    assert {"LTC, 0.1 → 1.2", "Neural ODE, 0.8 → 0.3", "truth", "90 % of the seeds"} <= set(texts(figure))
    truth = switch_set()["0.1 -> 1.2"].test.clean[:, 0]
    for axes in figure.axes[:3]:
        assert any(np.array_equal(line.get_ydata(), truth) and line.is_dashed() for line in axes.lines)
        assert any(list(line.get_xdata()) == [10.0, 10.0] for line in axes.lines)
        assert len(labelled(axes, "median")[0]) == 100


def test_seeds_that_leave_the_axis_are_counted(folder: Path, monkeypatch: pytest.MonkeyPatch):
    calls = iter(range(1000))

    def blown_up(_model: str, _params: object, times: np.ndarray, _first: object) -> np.ndarray:
        return np.full((len(times), 2), np.nan if next(calls) % 2 else 0.25, np.float32)

    monkeypatch.setattr(figures, "two_pass", blown_up)
    figure = drawn("switches", folder, SHORT, monkeypatch)
    assert texts(figure).count("1 of 2") == 12


def test_losses_that_run_away_are_counted(folder: Path, monkeypatch: pytest.MonkeyPatch):
    true = figures.train

    def run_away(recipe: Recipe, *given: Any) -> Trained:
        made = true(recipe, *given)
        return made._replace(losses=made.losses + (np.inf if (recipe.model, recipe.seed) == ("node", 43) else 0))

    monkeypatch.setattr(figures, "train", run_away)
    figure = drawn("losses", folder, SHORT, monkeypatch)
    assert texts(figure).count("1 of 6") == 5
    assert figure.axes[0].get_ylim()[1] < 1.0


def test_tau_stands_beside_the_published_levels(folder: Path, monkeypatch: pytest.MonkeyPatch):
    figure = drawn("tau", folder, SHORT, monkeypatch)
    known = published.PUBLISHED["tau"]
    for axes, zeta in zip(figure.axes, ("0.1", "0.5", "1.2"), strict=True):
        levels = [known["ltc", zeta, "", metric] for metric in ("tau at the switch", "tau at the end")]
        assert list(labelled(axes, "published")[0]) == levels
        low, high = axes.get_ylim()
        assert all(low < at < high for at in [*levels, *labelled(axes, "median")[0]])
    assert {"switch 0.1 → 1.2", "0.5, no switch", "a seed", "published"} <= set(texts(figure))


def test_portraits_hold_true_orbits_and_each_models(folder: Path, monkeypatch: pytest.MonkeyPatch):
    figure = drawn("phase", folder, SHORT, monkeypatch)
    assert len(figure.axes) == 6
    for axes in figure.axes:
        assert len(labelled(axes, "truth")) == len(labelled(axes, "model")) == figures.ORBITS
        assert axes.get_xlim() == axes.get_ylim()
    assert "CTRNN, closed loop" in texts(figure)


def test_losses_are_those_of_the_trainings(folder: Path, monkeypatch: pytest.MonkeyPatch):
    figure = drawn("losses", folder, SHORT, monkeypatch)
    assert len(figure.axes) == 5
    medians = labelled(figure.axes[0], "median")
    trained = figures._load_or_train(folder, SHORT, "ltc", 0.1)
    np.testing.assert_allclose(medians[0], np.median([one.losses for one in trained], axis=0), rtol=1e-6)
    strokes = {str(line.get_linestyle()) for line in figure.axes[0].lines if line.get_label() == "median"}
    assert len(medians) == len(strokes) == 3


@pytest.mark.parametrize("name", ["switches", "tau", "phase", "losses"])
def test_no_seeds_are_told(name: str, tmp_path: Path):
    with pytest.raises(UsageError, match="no seeds"):
        FIGURES[name](tmp_path, Settings(()), "svg", False)
