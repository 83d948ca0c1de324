"""The interval of a median is what the binomial says, and runs go on until it is narrow, counted or the time is up."""

from __future__ import annotations

import itertools

import pytest

from ltc_ir.records.timing import Settings
from ltc_ir.timing.sampling import MOST_RUNS, Until, interval, is_narrow, rank, summarize
from tests.timing.hooks import SECOND, FakeClock


@pytest.mark.parametrize("runs", range(1, 15))
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_the_interval_is_the_narrowest_that_is_sure_enough(runs, confidence):
    def coverage(at):
        """By enumeration: each value lies below or above the median with equal chance; how often the interval holds it."""
        sides = itertools.product((0, 1), repeat=runs)
        return sum(at < sum(side) < runs - at for side in sides) / 2**runs

    sure = [at for at in range((runs + 1) // 2) if coverage(at) >= confidence - 1e-12]
    assert rank(runs, confidence) == (max(sure) if sure else None)


def test_five_runs_are_the_fewest_for_ninety_percent():
    assert interval([3.0, 1.0, 2.0, 4.0], 0.9) is None
    assert interval([3.0, 1.0, 2.0, 4.0, 5.0], 0.9) == (1.0, 5.0)


def test_narrow_is_measured_from_the_median_on_either_side():
    settings = Settings(within=0.1)
    assert is_narrow([0.91, 1.0, 1.0, 1.0, 1.09], settings)
    assert not is_narrow([0.89, 1.0, 1.0, 1.0, 1.0], settings)
    assert not is_narrow([1.0, 1.0, 1.0, 1.0, 1.11], settings)
    assert not is_narrow([1.0, 1.0], settings)


def run(seconds, settings, *, limit=1e6, span_s=0.0, calls=1):
    """The runs that are made where each takes the next of ``seconds`` of a fake clock."""
    clock, values = FakeClock(), []
    until = Until(settings, clock, round(limit * SECOND), span_s)
    for _ in until.rounds({"one": values}, calls):
        values.append(next(seconds))
        clock.advance(values[-1] * calls)
    return values, until.stopped


def test_steady_values_stop_at_the_fewest_runs_that_can_be_sure():
    values, stopped = run(itertools.repeat(1.0), Settings())
    assert len(values) == 5
    assert stopped is None
    assert len(run(itertools.repeat(1.0), Settings(confidence=0.99))[0]) == 8


def test_noisy_values_go_on_and_are_capped():
    noisy = itertools.cycle([1.0, 9.0])
    values, stopped = run(noisy, Settings(limit_s=50), limit=50)
    assert 5 < len(values) <= 15
    assert stopped == "the limit of 50 s"
    values, stopped = run(itertools.cycle([0.0, 0.0, 5.0, 9.0]), Settings(), limit=float(MOST_RUNS * 100))
    assert len(values) == MOST_RUNS
    assert stopped == "1,000 runs"


def test_a_number_of_runs_is_kept_to_however_noisy():
    values, stopped = run(itertools.cycle([1.0, 9.0]), Settings(repeat=3))
    assert values == [1.0, 9.0, 1.0]
    assert stopped == "--repeat 3"
    assert len(run(itertools.repeat(1.0), Settings(repeat=20))[0]) == 20


def test_no_run_begins_that_would_end_after_the_limit():
    values, stopped = run(itertools.repeat(4.0), Settings(limit_s=10), limit=10)
    assert len(values) == 2
    assert stopped == "the limit of 10 s"


@pytest.mark.parametrize(("seconds", "runs"), [(1.0, 1), (1.5, 0)])
def test_a_run_that_fits_the_reserve_is_made_though_the_time_is_up(seconds, runs):
    clock, values = FakeClock(), []
    clock.advance(20)
    until = Until(Settings(limit_s=10), clock, 10 * SECOND, reserve_s=1.0)
    for _ in until.rounds({"one": values}, expected_s=seconds):
        values.append(seconds)
        clock.advance(seconds)
    assert len(values) == runs
    assert until.stopped == "the limit of 10 s"


def test_short_calls_go_on_for_a_while():
    assert len(run(itertools.repeat(0.01), Settings(), span_s=0.2)[0]) == 20
    assert len(run(itertools.repeat(0.001), Settings(), span_s=0.2, calls=10)[0]) == 20


def test_every_series_has_to_be_narrow():
    clock, one, two = FakeClock(), [], []
    until = Until(Settings(repeat=None), clock, 10**15)
    noise = itertools.chain([5.0, 1.0, 1.0], itertools.repeat(3.0))
    for _ in until.rounds({"one": one, "two": two}):
        one.append(1.0)
        two.append(next(noise))
    assert len(one) > 5
    assert is_narrow(two, Settings())


def test_a_summary_says_what_was_seen_and_how_sure_it_is():
    made = summarize([2.0, 1.0, 9.0, 2.0, 2.0], Settings(), "the limit of 1 s", warmup_s=7.0)
    assert (made.median_s, made.min_s, made.max_s, made.runs) == (2.0, 1.0, 9.0, 5)
    assert (made.low_s, made.high_s, made.enough, made.stopped, made.warmup_s) == (
        1.0,
        9.0,
        False,
        "the limit of 1 s",
        7.0,
    )
    sure = summarize([2.0] * 5, Settings(), "the limit of 1 s")
    assert (sure.enough, sure.stopped) == (True, None)
