"""Rollouts of a trained model follow their definitions, and their errors those of the publication."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ltc_ir.lab import evaluation
from ltc_ir.lab.data import exact, oscillator_set, switch_set
from ltc_ir.lab.training import Recipe, start

pytestmark = pytest.mark.usefixtures("quick_compile")


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
