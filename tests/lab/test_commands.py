"""The experiment command beside its tables: pictures of one experiment, the figures of the text, the data."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ltc_ir.lab import experiment_runs
from ltc_ir.lab.data import load, oscillator_set, switch_set
from ltc_ir.lab.plans import PLANS, Settings
from ltc_ir.lab.plots import publication_figures as figures
from ltc_ir.lab.training import Recipe
from tests.cli.conftest import Command, data_of, record_of
from tests.house.test_cold_start import imported

pytestmark = [pytest.mark.early, pytest.mark.usefixtures("quick_compile")]

SHORT = ("--seeds", "1", "--epochs", "1", "--jobs", "1")
ONE = Recipe("ctrnn", "0.1", 42, 1, 1)
NAME = "extrapolation"


@pytest.fixture(autouse=True)
def one_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `NAME` were about one model and one damping ratio."""
    monkeypatch.setitem(PLANS, NAME, replace(PLANS[NAME], recipes=lambda _: [ONE]))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which what was trained is kept for the next test."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def one_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the text had one figure, which needs one training."""
    monkeypatch.setattr(figures, "FIGURES", {"data": figures.FIGURES["data"]})
    monkeypatch.setattr(figures, "untrained", lambda _setup, _folder: [ONE])


def test_one_experiment_is_drawn_as_its_file_is(command: Command, results: Path):
    ran = command("experiment", NAME, *SHORT, "--dir", str(results), "-f", "svg")
    assert ran.code == 0, ran.err
    assert ran.out == (results / f"{NAME}.svg").read_text()
    assert ran.out.startswith("<?xml")


def test_a_picture_goes_into_a_file(command: Command, results: Path, tmp_path: Path):
    ran = command("experiment", NAME, *SHORT, "--dir", str(results), "-f", "png", "-o", str(tmp_path / "one.png"))
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("form", ["svg", "png"])
@pytest.mark.parametrize("name", ["all", "figures", "data"])
def test_a_picture_of_what_is_not_one_experiment_is_refused_before_the_work(
    command: Command, tmp_path: Path, name: str, form: str
):
    ran = command("experiment", name, "--dir", str(tmp_path / "new"), "-f", form)
    assert (ran.code, ran.out) == (2, "")
    assert "a picture shows one experiment" in ran.errors[0]
    assert len(ran.errors) == len(ran.hints) == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("form", ["table", "svg"])
def test_an_unknown_name_is_answered_with_all_that_are_known(command: Command, form: str):
    ran = command("experiment", "speed", "-f", form)
    assert (ran.code, ran.out) == (2, "")
    assert "unknown experiment 'speed'" in ran.errors[0]
    assert all(known in ran.hints[0] for known in (*PLANS, "all", "figures", "data"))


def test_an_unknown_format_is_answered_with_the_pictures_too(command: Command):
    ran = command("experiment", "base", "-f", "pdf")
    assert ran.code == 2
    assert "table, json, csv, markdown, svg, png" in ran.hints[0]


def test_figures_are_written_and_listed(command: Command, tmp_path: Path, one_figure: None):
    ran = command("experiment", "figures", *SHORT, "--dir", str(tmp_path), "-f", "json")
    made = record_of(ran)
    path = tmp_path / "figure-data.svg"
    assert made["kind"] == "files"
    assert [one["file"] for one in made["files"]] == [str(path)]
    assert "<svg" in path.read_text()
    assert (tmp_path / "trained" / f"{ONE.name}.npz").is_file()
    assert str(path) in data_of(command("experiment", "figures", *SHORT, "--dir", str(tmp_path)))


def test_all_writes_the_figures_too(command: Command, results: Path, one_figure: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(experiment_runs, "PLANS", {NAME: PLANS[NAME]})
    ran = command("experiment", "all", *SHORT, "--dir", str(results))
    assert ran.code == 0, ran.err
    assert f"wrote {results / 'figure-data.svg'}" in ran.err
    assert "<svg" in (results / "figure-data.svg").read_text()
    assert "figure-data" not in ran.out


@pytest.mark.long  # fifteen trainings, and three models compiled for each way they run
def test_every_figure_is_written_and_nothing_is_trained_twice(command: Command, tmp_path: Path):
    made = record_of(command("experiment", "figures", *SHORT, "--dir", str(tmp_path), "-f", "json"))
    assert {Path(one["file"]).name for one in made["files"]} == {f"figure-{name}.svg" for name in figures.FIGURES}
    assert all("<svg" in Path(one["file"]).read_text() for one in made["files"])
    assert figures.untrained(Settings((42,), 1), tmp_path) == []
    assert len(list((tmp_path / "trained").iterdir())) == 15


def test_what_the_figures_still_need_is_what_is_not_kept(tmp_path: Path):
    needed = figures.untrained(Settings((42, 43), 1), tmp_path)
    assert len({recipe.name for recipe in needed}) == 30
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / f"{needed[0].name}.npz").touch()
    assert figures.untrained(Settings((42, 43), 1), tmp_path) == needed[1:]


def test_the_data_are_written_and_listed(command: Command, tmp_path: Path):
    made = record_of(command("experiment", "data", "--dir", str(tmp_path), "-f", "json"))
    assert [one["file"] for one in made["files"]] == [str(tmp_path / "data.npz"), str(tmp_path / "data.csv")]
    held = load(str(tmp_path / "data.npz"))
    assert list(held) == [*oscillator_set(), *switch_set()]
    assert (held["0.1 -> 1.2"].clean == switch_set()["0.1 -> 1.2"].clean).all()


def test_the_data_are_printed_as_csv(command: Command, tmp_path: Path):
    text = data_of(command("experiment", "data", "--dir", str(tmp_path), "-f", "csv"))
    assert text == (tmp_path / "data.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 9 * 200
    assert [float(rows[0][column]) for column in ("time", "u", "v")] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("name", ["figures", "data"])
def test_a_folder_that_cannot_be_made_is_refused(command: Command, tmp_path: Path, name: str):
    (tmp_path / "file").write_text("")
    ran = command("experiment", name, "--dir", str(tmp_path / "file" / "below"))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot write to" in ran.errors[0]
    assert "--dir" in ran.hints[0]


def test_a_file_that_cannot_be_written_is_answered_with_another_folder(command: Command, tmp_path: Path):
    (tmp_path / "data.csv").mkdir()
    ran = command("experiment", "data", "--dir", str(tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert f"cannot write {tmp_path / 'data.csv'}" in ran.errors[0]
    assert ran.hints == ["hint: name a writable folder with --dir"]


def test_the_help_waits_for_nothing(tmp_path: Path):
    assert imported(["experiment", "--help"], tmp_path) == []


def test_the_command_keeps_what_it_prints(command: Command, tmp_path: Path):
    ran = command(
        "experiment", "tau", "--seeds", "1", "--epochs", "2", "--jobs", "1", "--dir", str(tmp_path), "-f", "json"
    )
    assert ran.code == 0, ran.err
    assert ran.out == (tmp_path / "tau.json").read_text()
    made = json.loads(ran.out)
    assert made["kind"] == "experiment"
    assert {"published", "median", "low", "high", "seeds"} <= set(made["rows"][0])
    assert "<svg" in (tmp_path / "tau.svg").read_text()
    assert (tmp_path / "tau.csv").read_text().startswith("experiment,model,case,variant,metric")


def test_an_unknown_experiment_is_refused(command: Command):
    ran = command("experiment", "speed")
    assert (ran.code, ran.out) == (2, "")
    assert "unknown experiment 'speed'" in ran.errors[0]
    assert "base, switch" in ran.hints[0]


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(command: Command, tmp_path: Path):
    (tmp_path / "file").write_text("")
    ran = command("experiment", "all", "--dir", str(tmp_path / "file" / "below"))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot write to" in ran.errors[0]
    assert "--dir" in ran.hints[0]
