"""Experiments over seeds: every published value has its row, divergence is counted, claims are judged on every rollout."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_ir.errors import UsageError
from ltc_ir.lab import experiment_runs, measurements, published, training_pool
from ltc_ir.lab.claims import compare_pairs, judge_claims
from ltc_ir.lab.data import switch_set
from ltc_ir.lab.layouts import experiment_rows, experiment_sheets
from ltc_ir.lab.measurements import Measurement
from ltc_ir.lab.plans import PLANS, Settings, build_rows, unmatched_values
from ltc_ir.lab.published import STARTS
from ltc_ir.lab.records import Claim, Experiment, Row, quantile
from ltc_ir.lab.training import Recipe, Trained, start
from ltc_ir.lab.training_pool import IN_THIS_PROCESS
from ltc_ir.records.environment import Environment
from ltc_ir.records.serialization import dumps, loads
from ltc_ir.records.timing import Machine
from ltc_ir.render.tabular import to_csv

pytestmark = [pytest.mark.early, pytest.mark.usefixtures("quick_compile")]

SHORT = Settings((42, 43), epochs=2, trajectory_seeds=1)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Experiment]:
    """All experiments with two seeds and two epochs, few draws of noise and few orbits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurements, "REPEATS", 2)
        patch.setattr(measurements, "STARTS", STARTS[:4])
        measurements.true_orbits.cache_clear()
        made = experiment_runs.run_experiments("all", SHORT, tmp_path_factory.mktemp("all"), jobs=IN_THIS_PROCESS)
    measurements.true_orbits.cache_clear()
    return {one.name: one for one in made}


@pytest.mark.parametrize("name", PLANS)
def test_every_published_figure_has_a_row(name: str, everything: dict[str, Experiment]):
    rows = everything[name].rows
    assert rows
    assert unmatched_values(PLANS[name], rows) == set()
    assert {row.published for row in rows} - {None} == set(published.PUBLISHED[name].values())
    assert all(row.seeds == (1 if row.variant.startswith("trajectory") else 2) for row in rows)


@pytest.mark.parametrize("name", PLANS)
def test_a_published_value_stands_beside_the_published_way_alone(name: str, everything: dict[str, Experiment]):
    for row in everything[name].rows:
        if row.published is not None:
            assert (row.rollout, row.selection) == (PLANS[name].rollout, "test")


def test_both_rollouts_and_both_selections_are_shown(everything: dict[str, Experiment]):
    ways = {(row.rollout, row.selection) for row in everything["base"].rows}
    assert ways == {(roll, split) for roll in ("two-pass", "closed loop") for split in ("test", "validation")}


@pytest.mark.parametrize("name", ["base", "switch", "transfer", "extrapolation", "attractor"])
def test_beside_the_models_stands_one_that_says_0_for_every_seed(name: str, everything: dict[str, Experiment]):
    rows = everything[name].rows
    ltc = {replace(row, model="", values=(), published=None) for row in rows if row.model == "ltc"}
    zero = [row for row in rows if row.model == "zero"]
    assert {replace(row, model="", values=()) for row in zero} == ltc
    assert all(row.low == row.high for row in zero)
    assert experiment_sheets([everything["base"]])[0].rows[3][3] == "0.125"


def test_the_error_of_saying_0_is_the_mean_square_of_what_is_to_be_said(everything: dict[str, Experiment]):
    split = switch_set()["0.3 -> 0.8"].test
    clean = split.clean[split.times >= 10]
    found = [
        row.median
        for row in everything["switch"].rows
        if (row.model, row.case, row.metric) == ("zero", "0.3 -> 0.8", "mse after")
    ]
    assert found == pytest.approx([float((clean**2).mean())] * 6)


def test_another_seed_with_no_omega_stands_beside_the_improvement(everything: dict[str, Experiment]):
    found = {(row.case, row.variant, row.metric): row for row in everything["mdl"].rows if row.rollout == "two-pass"}
    first, second = found["0.3 -> 0.8", "no Omega", "mse after"].values
    control = found["0.3 -> 0.8", "no Omega, another seed", "improvement"].values
    assert control == pytest.approx((100 * (first - second) / first, 100 * (second - first) / second))


def test_an_improvement_on_what_diverged_is_counted():
    seed_values = [
        Measurement("ltc", "0.3 -> 0.8", variant, "mse after", "two-pass", "test", seed, value)
        for seed, plain, omega in ((1, math.inf, 0.1), (2, 0.2, 0.1))
        for variant, value in (("no Omega", plain), ("static, adaptive", omega))
    ]
    rows = {(row.variant, row.metric): row for row in build_rows(PLANS["mdl"], seed_values)}
    row = rows["static, adaptive", "improvement"]
    assert (row.values, row.diverged, row.low) == ((-math.inf, 50.0), 1, -math.inf)
    made = Experiment("mdl", "errors", Environment("0", "0", "3", "cpu", False, 1), Machine(), {"seeds": 2}, (row,))
    assert loads(dumps(made), "here", Experiment) == made


def test_omega_is_compared_from_the_same_start(everything: dict[str, Experiment]):
    found = {(row.case, row.variant, row.metric): row for row in everything["mdl"].rows if row.rollout == "two-pass"}
    plain = found["0.3 -> 0.8", "no Omega", "mse after"].values
    with_omega = found["0.3 -> 0.8", "static, adaptive", "mse after"].values
    improvement = found["0.3 -> 0.8", "static, adaptive", "improvement"].values
    assert improvement == tuple(100 * (a - b) / a for a, b in zip(plain, with_omega, strict=True))


def test_transfer_is_the_mean_over_the_other_ratios(everything: dict[str, Experiment]):
    one = next(row for row in everything["transfer"].rows if row.case == "others on 1.2" and row.model == "ltc")
    others = [
        row
        for row in everything["extrapolation"].rows
        if row.model == "ltc" and (row.rollout, row.selection) == (one.rollout, one.selection)
    ]
    assert len(others) == 4
    assert one.values == pytest.approx(np.mean([row.values for row in others], axis=0))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.floats(0, 1))
def test_quantiles_are_numpy_s(values: list[float], share: float):
    assert quantile(tuple(values), share) == pytest.approx(float(np.quantile(values, share)), abs=1e-9)


def test_a_seed_that_diverged_is_counted_and_never_a_silent_number():
    assert quantile((-math.inf, 1.0, 2.0), 0.1) == -math.inf
    row = Row("node", "0.1", "mse", (0.1, 2.0, math.inf), "two-pass", "test", published=1.5)
    assert (row.diverged, row.median, row.high, row.seeds) == (2, 2.0, math.inf, 3)
    made = Experiment("base", "errors", Environment("0", "0", "3", "cpu", False, 1), Machine(), {"seeds": 3}, (row,))
    data = json.loads(dumps(made))
    (found,) = data["rows"]
    assert (found["high"], found["diverged"], found["values"]) == (None, 2, [0.1, 2.0, None])
    assert loads(dumps(made), "here", Experiment) == made
    assert "2 of 3 diverged" in str(experiment_sheets([made])[0].rows)
    assert to_csv(experiment_rows([made])).splitlines()[1].endswith(",3,True,2")


@pytest.mark.filterwarnings("error")
def test_a_training_that_gave_no_numbers_is_counted_and_no_median_hangs_on_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def trained(recipe: Recipe, *_: object) -> Trained:
        params = np.asarray(start(recipe).params) * (np.nan if recipe.seed == 43 else 1)
        return Trained(recipe, params, params, params, np.zeros(2, np.float32), np.zeros((1, 2), np.float32))

    monkeypatch.setattr(training_pool, "train", trained)
    (made,) = experiment_runs.run_experiments("tau", Settings((42, 43, 44), epochs=2), tmp_path, jobs=IN_THIS_PROCESS)
    rows = [row for row in made.rows if row.metric != "share of steps up"]
    assert [row.diverged for row in rows] == [1] * 15
    assert all(row.values[1] == math.inf and row.median == max(row.values[0], row.values[2]) for row in rows)


def test_a_record_with_claims_comes_back(everything: dict[str, Experiment]):
    made = everything["switch"]
    assert made.claims
    assert loads(dumps(made), "here", Experiment) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ('{"kind": "time"}', 'is a record of kind "time", not experiment'),
        ('{"kind": "experiment", "schema": 7}', "schema 7"),
    ],
)
def test_what_is_no_experiment(text: str, message: str):
    with pytest.raises(UsageError, match=message):
        loads(text, "here", Experiment)


def rows_with(node: tuple[float, ...], ltc: tuple[float, ...]) -> tuple[Row, ...]:
    values = {"node": node, "ltc": ltc, "ctrnn": ltc}
    return tuple(
        Row(model, case, "mse after", values[model], "two-pass", "test") for model in values for case in switch_set()
    )


@pytest.mark.parametrize(
    ("node", "ltc", "verdicts"),
    [
        ((3.0, 3.0), (0.1, 0.1), ("holds", "does not hold", "holds")),
        ((0.1, 3.0), (0.1, 0.1), ("holds", "does not hold", "a matter of the seed")),
        ((0.1, 0.1), (4.0, math.inf), ("does not hold", "does not hold", "does not hold")),
    ],
)
def test_a_claim_is_held_against_the_seeds(node: tuple[float, ...], ltc: tuple[float, ...], verdicts: tuple[str, ...]):
    claims = judge_claims("switch", rows_with(node, ltc))
    assert tuple(claim.verdict for claim in claims[:3]) == verdicts
    assert all((claim.seeds, claim.rollout) == (2, "two-pass") for claim in claims)


def test_a_claim_is_held_against_the_tables_it_was_made_of(everything: dict[str, Experiment]):
    said = {(name, claim.name): claim.published for name, one in everything.items() for claim in one.claims}
    against = {"the only one", "second-best", "harder back", "range", "more from higher", "paired 0.3 -> 0.8"}
    assert {name for (_, name), holds in said.items() if holds is False} == against
    assert {name for (_, name), holds in said.items() if holds is None} == {"monotonically"}


def test_claims_are_held_against_every_rollout(everything: dict[str, Experiment]):
    rollouts = {claim.rollout for claim in everything["switch"].claims}
    assert rollouts == {"two-pass", "closed loop", "teacher-forced"}
    assert {claim.rollout for claim in everything["tau"].claims} == {"two-pass"}


def test_what_compares_unlike_things_is_called_so(everything: dict[str, Experiment]):
    found: dict[str, Claim] = {claim.name: claim for claim in everything["tau"].claims}
    assert found["tau rises"].verdict == "compares unlike things"
    assert "no switch" in found["tau rises"].why


def test_a_paired_comparison_names_test_and_effect():
    before = np.linspace(1, 2, 12)
    assert "effect +1.00" in compare_pairs(before, before - 0.5)
    assert "effect -1.00" in compare_pairs(before, before + 0.5)
    assert compare_pairs(before, before) == "too few pairs that differ for a test"
    assert "p = 0.00049" in compare_pairs(before, before - np.linspace(0.1, 0.5, 12))


def test_raws_of_seeds_become_rows_in_the_order_of_seeds():
    seed_values = [Measurement("ltc", "0.3", "", "mse", "two-pass", "test", seed, float(seed)) for seed in (44, 42, 43)]
    row, zero = build_rows(PLANS["base"], seed_values)
    assert zero.model == "zero"
    assert row.values == (42.0, 43.0, 44.0)
    assert replace(row, published=43.0).inside


def test_the_share_of_steps_up_of_what_is_no_number_is_counted_as_lost():
    assert measurements.share_of_steps_up(np.array([1.0, 2.0, 1.5, 3.0], np.float32)) == pytest.approx(2 / 3)
    assert measurements.share_of_steps_up(np.array([1.0, np.nan, 1.5], np.float32)) == math.inf
