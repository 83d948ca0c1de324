"""The page of experiments is its data: every table, claim, published value and picture."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

from benchmarks.experiments import COMMAND, PAGE, STORED, blocks, picture, stored
from ltc_ir.lab import published
from ltc_ir.lab.data import ZETAS, oscillator_set
from ltc_ir.lab.layouts import experiment_rows
from ltc_ir.lab.plans import PLANS
from ltc_ir.lab.plots.experiment_plot import experiment_picture
from ltc_ir.lab.plots.publication_figures import FIGURES
from ltc_ir.lab.records import Experiment
from ltc_ir.render.tabular import to_csv

TEXT = PAGE.read_text(encoding="utf-8")
MADE = stored()
PICTURED = [*(f"experiment-{one.name}" for one in MADE), *(f"figure-{name}" for name in FIGURES)]


def test_every_block_of_the_page_is_what_the_stored_experiments_render_to():
    for name, block in blocks(MADE).items():
        assert f"<!-- {name}: begin -->\n{block}\n<!-- {name}: end -->" in TEXT, (
            "python -m benchmarks.experiments --stored"
        )


def test_every_experiment_is_there_over_the_seeds_the_command_asks_for():
    assert [one.name for one in MADE] == list(PLANS)
    assert COMMAND.endswith("--seeds 20")
    assert {one.settings["seeds"] for one in MADE} == {20}
    assert all(row.seeds >= 20 or row.variant.startswith("trajectory") for one in MADE for row in one.rows)


def test_the_published_values_beside_ours_are_those_of_the_text():
    for one in MADE:
        assert {row.published for row in one.rows} - {None} == set(published.PUBLISHED[one.name].values())


def test_what_saying_nothing_would_cost_is_what_the_page_says():
    errors = [float((series.test.clean**2).mean()) for series in oscillator_set().values()]
    base = published.PUBLISHED["base"]
    better = {
        model: [zeta for zeta, error in zip(ZETAS, errors, strict=True) if base[model, f"{zeta:g}", "", "mse"] < error]
        for model in published.MODELS
    }
    assert better == {"ltc": [0.5], "ctrnn": [0.3], "node": [1.2]}
    assert "three of fifteen cases of *base*: LTC at 0.5, CTRNN at 0.3, Neural ODE at 1.2" in " ".join(TEXT.split())


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("made", MADE, ids=lambda made: made.name)
def test_a_picture_shows_the_stored_experiment(made: Experiment, dark: bool):
    text = picture(f"experiment-{made.name}", dark).read_text(encoding="utf-8")
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    written = re.findall(r"<!-- (.*?) -->", text)
    assert written == re.findall(r"<!-- (.*?) -->", experiment_picture(made, "svg", dark).decode())


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_the_text_is_that_of_the_seeds_and_epochs_of_the_tables(name: str, dark: bool):
    text = picture(f"figure-{name}", dark).read_text(encoding="utf-8")
    written = " ".join(re.findall(r"<!-- (.*?) -->", text))
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    if name != "data":
        assert f"{MADE[0].settings['epochs']} epochs" in written
    if name not in {"data", "phase"}:
        assert f"{MADE[0].settings['seeds']} seeds from {MADE[0].settings['first seed']}" in written


def test_the_page_shows_every_picture_light_and_dark():
    files = [picture(kind, dark).relative_to(PAGE.parent).as_posix() for kind in PICTURED for dark in (False, True)]
    assert [file for file in files if f'="{file}"' not in TEXT] == []


def test_pictures_are_not_too_large_to_be_looked_at():
    files = [picture(kind, dark) for kind in PICTURED for dark in (False, True)]
    assert {file.name: file.stat().st_size for file in files if file.stat().st_size > 500_000} == {}


def test_the_csv_holds_the_rows_of_the_json():
    assert STORED.with_suffix(".csv").read_text(encoding="utf-8") == to_csv(experiment_rows(MADE))
    rows = json.loads(STORED.read_text(encoding="utf-8"))["experiments"][0]["rows"]
    assert all(row["low"] <= row["median"] <= row["high"] for row in rows if None not in (row["low"], row["high"]))
