"""Experiments over seeds: every published figure has its row, a killed run ends in the same table, divergence is told."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_ir.errors import UsageError
from ltc_ir.lab import evaluation, experiment_runs, measurements, published, training_pool
from ltc_ir.lab.claims import compare_pairs, judge_claims
from ltc_ir.lab.data import exact, oscillator_set, switch_set
from ltc_ir.lab.layouts import experiment_sheets, to_experiment_csv
from ltc_ir.lab.measurements import Measurement
from ltc_ir.lab.plans import PLANS, Settings, build_rows, unmatched_values
from ltc_ir.lab.pooled_values import pool_values
from ltc_ir.lab.published import STARTS
from ltc_ir.lab.records import Claim, Experiment, Row, experiment_to_json, loads_experiment, quantile
from ltc_ir.lab.training import Recipe, Trained, start
from ltc_ir.lab.training_pool import IN_THIS_PROCESS, plan_trainings, run_trainings
from ltc_ir.records.environment import Environment
from ltc_ir.records.timing import Machine
from tests.cli.conftest import Command

SHORT = Settings((42, 43), epochs=2, trajectory_seeds=1)
TABLES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "published"


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


@pytest.mark.long
def test_the_numbers_are_the_same_bit_for_bit_however_many_processes_there_are(tmp_path: Path):
    work = plan_trainings(["tau", "attractor"], Settings((42, 43), epochs=2))
    one, two = (run_trainings(work, tmp_path / str(jobs), jobs) for jobs in (1, 2))
    assert one == two
    for name in (path.name for path in (tmp_path / "1" / "trained").iterdir()):
        files = [(tmp_path / jobs / "trained" / name).read_bytes() for jobs in "12"]
        assert files[0] == files[1]


def test_a_second_run_gives_the_same_bits(tmp_path: Path):
    work = plan_trainings(["tau"], SHORT)
    assert run_trainings(work, tmp_path / "one", IN_THIS_PROCESS) == run_trainings(
        work, tmp_path / "two", IN_THIS_PROCESS
    )


def test_processes_end_with_the_one_that_started_them():
    """They hold its standard output open, so this waits until the last of them is gone."""
    killed = (
        "import os, signal\n"
        "from ltc_ir.lab.training_pool import _process_pool\n"
        "with _process_pool(1) as pool:\n"
        "    pool.submit(os.getpid).result()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", killed], capture_output=True, timeout=60, check=False)
    assert ended.returncode == -9, ended.stderr


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


def test_a_rollout_on_its_own_is_never_told_of_the_switch_and_one_fed_the_truth_is():
    params = np.asarray(start(Recipe("ltc", "0.3", 1)).params) + 0.2
    switched, calm = switch_set()["0.3 -> 0.8"].test, switch_set()["0.3 -> 0.8"].test
    calm = calm._replace(clean=exact(calm.times.astype(np.float64), (0.3,)).astype(np.float32))
    assert np.abs(switched.clean - calm.clean).max() > 0.01
    for roll in evaluation.ROLLOUTS.values():
        one, other = (roll("ltc", params, split.times, split.clean[0]) for split in (switched, calm))
        np.testing.assert_array_equal(one, other)
    one, other = (
        evaluation.teacher_forced_states("ltc", params, split.times, split.clean) for split in (switched, calm)
    )
    assert np.abs(one - other).max() > 1e-3


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
    assert loads_experiment(experiment_to_json(made)) == made


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


def test_what_was_killed_ends_in_the_same_table(tmp_path: Path):
    class KilledError(Exception):
        pass

    def kill(done: int, _: int) -> None:
        if done == 2:
            raise KilledError

    whole = build_rows(
        PLANS["tau"], run_trainings(plan_trainings(["tau"], SHORT), tmp_path / "whole", IN_THIS_PROCESS)["tau"]
    )
    with pytest.raises(KilledError):
        run_trainings(plan_trainings(["tau"], SHORT), tmp_path / "killed", IN_THIS_PROCESS, kill)
    assert len(list((tmp_path / "killed" / "trained").iterdir())) == 2
    assert (
        build_rows(
            PLANS["tau"], run_trainings(plan_trainings(["tau"], SHORT), tmp_path / "killed", IN_THIS_PROCESS)["tau"]
        )
        == whole
    )


def test_a_training_that_several_experiments_need_is_done_once():
    work = plan_trainings(PLANS, SHORT)
    assert len({recipe.name for recipe in work}) == len(work)
    shared = work[Recipe("ltc", "0.3", 42, 2, 2)]
    assert shared == ["base", "switch", "transfer", "extrapolation", "noise", "mdl", "attractor"]


@pytest.mark.skipif(not TABLES.is_dir(), reason="the published tables are not here")
def test_the_published_figures_are_those_of_the_tables():
    def rows(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((TABLES / f"{name}.csv").read_text(encoding="utf-8"))))

    names = {
        "ltc": "ltc",
        "node": "node",
        "ctrnn": "ctrnn",
        "LTC": "ltc",
        "NODE": "node",
        "NeuralODE": "node",
        "CTRNN": "ctrnn",
    }
    base = {
        (model, f"{float(row['zeta']):g}", "", "mse"): float(row[f"{model}_mse"])
        for row in rows("mse_comparison") for model in published.MODELS
    }  # fmt: skip
    assert base == published.PUBLISHED["base"]
    transfer = {
        (model, f"others on {float(row['test_zeta']):g}", "", "mse"): float(row[f"{model}_mean_mse"])
        for row in rows("generalization_avg") for model in published.MODELS
    }  # fmt: skip
    assert transfer == published.PUBLISHED["transfer"]
    extrapolation = {
        (model, f"{float(row['train_zeta']):g} on 1.2", "", "mse"): float(row[f"{model}_mse"])
        for row in rows("generalization_to_1p2") for model in published.MODELS
    }  # fmt: skip
    assert extrapolation == published.PUBLISHED["extrapolation"]
    noise = {
        (model, f"{float(row['zeta']):g}", f"sigma {float(row['noise_std']):g}", "ratio"): float(row[f"{model}_ratio_mean"])
        for row in rows("noise_injection") for model in published.MODELS
    }  # fmt: skip
    assert noise == published.PUBLISHED["noise"]
    columns = ("overall_mse", "pre_mse", "post_mse", "recovery_steps")
    switch = {
        (names[row["model"]], f"{row['zeta1']} -> {row['zeta2']}", "", metric): float(row[column])
        for row in rows("regime_switch") for metric, column in zip(published.SWITCH_METRICS, columns, strict=True)
    }  # fmt: skip
    assert switch == published.PUBLISHED["switch"]
    attractor = {
        (names[row["model"]], "0.3", "", metric): float(value)
        for row in rows("attractor_hausdorff_summary")
        for metric, value in zip(published.ATTRACTOR_METRICS, list(row.values())[1:], strict=True)
    }
    assert attractor == published.PUBLISHED["attractor"]
    assert [(float(row["x0"]), float(row["v0"])) for row in rows("attractor_initial_conditions")] == [*STARTS]
    for row in rows("regime_switch_mdl"):
        case = f"{row['zeta1']} -> {row['zeta2']}"
        assert published.PUBLISHED["mdl"]["ltc", case, "static, adaptive", "improvement"] == float(row["improvement"])
        assert published.PUBLISHED["mdl"]["ltc", case, "static, adaptive", "mse after"] == float(
            row["ltc_mdl_post_mse"]
        )


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.floats(0, 1))
def test_quantiles_are_numpy_s(values: list[float], share: float):
    assert quantile(tuple(values), share) == pytest.approx(float(np.quantile(values, share)), abs=1e-9)


def test_a_seed_that_diverged_is_counted_and_never_a_silent_number():
    assert quantile((-math.inf, 1.0, 2.0), 0.1) == -math.inf
    row = Row("node", "0.1", "mse", (0.1, 2.0, math.inf), "two-pass", "test", published=1.5)
    assert (row.diverged, row.median, row.high, row.seeds) == (2, 2.0, math.inf, 3)
    made = Experiment("base", "errors", Environment("0", "0", "3", "cpu", False, 1), Machine(), {"seeds": 3}, (row,))
    data = json.loads(experiment_to_json(made))
    (found,) = data["rows"]
    assert (found["high"], found["diverged"], found["values"]) == (None, 2, [0.1, 2.0, None])
    assert loads_experiment(experiment_to_json(made)) == made
    assert "2 of 3 diverged" in str(experiment_sheets([made])[0].rows)
    assert to_experiment_csv([made]).splitlines()[1].endswith(",3,True,2")


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
    assert loads_experiment(experiment_to_json(made)) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ('{"kind": "time"}', "is no experiment"), ('{"kind": "experiment", "schema": 7}', "schema 7")],
)
def test_what_is_no_experiment(text: str, message: str):
    with pytest.raises(UsageError, match=message):
        loads_experiment(text)


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


def seeds_beside(values: np.ndarray, published: np.ndarray) -> tuple[Row, ...]:
    """Rows of figures (figures, seeds) with what was published of each."""
    cases = zip(oscillator_set(), values, published, strict=False)
    return tuple(Row("ltc", case, "mse", tuple(one), "two-pass", "test", published=said) for case, one, said in cases)


@settings(deadline=None)
@given(st.integers(0, 100))
def test_were_it_one_more_seed_any_number_farther_would_be_as_likely(drawn: int):
    values = np.random.default_rng(drawn).lognormal(size=(4, 21))
    found = [pool_values(seeds_beside(np.delete(values, one, axis=1), values[:, one]))[0] for one in range(21)]
    assert sorted(one.farther for one in found) == list(range(21))
    assert {(one.published, one.figures, one.seeds) for one in found} == {(4, 4, 20)}


def test_what_no_seed_comes_near_to_is_none_of_them():
    (one,) = pool_values(seeds_beside(np.random.default_rng(1).lognormal(size=(3, 20)), np.full(3, 1e6)))
    assert (one.farther, one.inside) == (0, 0)
    assert one.distance > 10


def test_figures_that_cannot_be_compared_are_left_out():
    same = Row("ltc", "0.1", "recovery points", (51.0,) * 20, published=51.0)
    lost = Row("ltc", "0.3", "mse", (math.inf,) * 20, published=0.1)
    assert pool_values([same, lost]) == ()
    (one,) = pool_values([same, *seeds_beside(np.arange(1.0, 61.0).reshape(3, 20), np.array([10.0, 30.0, 90.0]))])
    assert (one.figures, one.published, one.inside) == (3, 4, 3)


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


def test_a_switch_recovers_at_the_first_point_that_is_near():
    split = switch_set()["0.1 -> 1.2"].test
    after = split.times >= 10
    said = split.clean + 1.0
    assert evaluation.switch_errors(said, split) == pytest.approx(
        {"overall": 1, "before": 1, "after": 1, "recovery": after.sum()}, rel=1e-5
    )
    at = np.flatnonzero(after)[3]
    said[at] = split.clean[at]
    assert evaluation.switch_errors(said, split)["recovery"] == 3
    assert evaluation.mean_squared_error(np.full_like(said, np.nan), split.clean) == math.inf


def test_hausdorff_is_the_largest_distance_to_the_nearest():
    one, other = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 3.0]])
    assert evaluation.hausdorff_distance(one, other) == 3
    assert evaluation.hausdorff_distance(one, np.full((2, 2), np.nan)) == math.inf


def test_two_pass_feeds_back_what_it_said():
    """By the model's own rollout: the second pass is fed the first observation and then the first pass but its last point."""
    from ltc_ir.lab.models import CTRNN
    from ltc_ir.lab.models.common import Problem

    split = oscillator_set()["0.3"].test
    params = np.asarray(start(Recipe("ctrnn", "0.3", 1)).params) + 0.2
    first = split.clean[0]
    once = np.repeat(first[None], 100, axis=0)

    def rolled(inputs: np.ndarray) -> np.ndarray:
        return np.asarray(CTRNN.rollout(params, Problem(np.zeros(8), inputs, split.times, inputs)))[:, :2]

    again = np.concatenate([once[:1], rolled(once)[:-1]])
    found = evaluation.two_pass_rollout("ctrnn", params, split.times, first)
    np.testing.assert_allclose(found, rolled(again), atol=1e-5)


def test_a_closed_loop_obeys_the_dynamics_with_itself_as_input():
    from scipy.integrate import solve_ivp

    from ltc_ir.lab.models import NODE

    split = oscillator_set()["0.3"].test
    params = start(Recipe("node", "0.3", 1)).params
    record = NODE.unflatten(params)
    begin = np.zeros(8)
    begin[:2] = split.clean[0]
    made = solve_ivp(
        lambda _, s: np.asarray(NODE.dynamics(record, s.astype(np.float32), s[:2].astype(np.float32))),
        (float(split.times[0]), float(split.times[-1])), begin, t_eval=split.times[:20].astype(float), rtol=1e-6, atol=1e-8,
    )  # fmt: skip
    found = evaluation.closed_loop_rollout("node", np.asarray(params), split.times, split.clean[0])
    np.testing.assert_allclose(found[:20], made.y.T[:, :2], atol=1e-3)


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


def test_raws_of_seeds_become_rows_in_the_order_of_seeds():
    seed_values = [Measurement("ltc", "0.3", "", "mse", "two-pass", "test", seed, float(seed)) for seed in (44, 42, 43)]
    row, zero = build_rows(PLANS["base"], seed_values)
    assert zero.model == "zero"
    assert row.values == (42.0, 43.0, 44.0)
    assert replace(row, published=43.0).inside


def test_the_share_of_steps_up_of_what_is_no_number_is_counted_as_lost():
    assert measurements.share_of_steps_up(np.array([1.0, 2.0, 1.5, 3.0], np.float32)) == pytest.approx(2 / 3)
    assert measurements.share_of_steps_up(np.array([1.0, np.nan, 1.5], np.float32)) == math.inf
