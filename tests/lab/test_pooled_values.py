"""The published values of a model, pooled, against the seeds: a seed among seeds is any of them with equal chance."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_ir.lab.data import oscillator_set
from ltc_ir.lab.pooled_values import pool_values
from ltc_ir.lab.records import Row


def seeds_beside(values: np.ndarray, published: np.ndarray) -> tuple[Row, ...]:
    """Rows of figures (figures, seeds) with what was published of each."""
    cases = zip(oscillator_set(), values, published, strict=False)
    return tuple(Row("ltc", case, "mse", tuple(one), "two-pass", "test", published=said) for case, one, said in cases)


@settings(deadline=None, max_examples=10)
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
