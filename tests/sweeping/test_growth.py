"""How fast a figure grows: exponents that are known are found, and an interval holds what it should."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_ir.measure.growth import faster_in, grown
from ltc_ir.records.sweep import Growth

SIZES = (4, 8, 16, 32, 64)
exponents = st.floats(0.3, 4.0)
scales = st.floats(1e-3, 1e3)


@given(exponents, scales, st.floats(0.0, 100.0))
@settings(max_examples=60, deadline=None)
def test_a_power_beside_a_fixed_part_is_found(exponent: float, scale: float, part: float):
    fixed = part * scale * SIZES[0] ** exponent  # at the smallest size up to a hundred times what grows
    made = grown(SIZES, [fixed + scale * size**exponent for size in SIZES])
    assert made.form == "offset"
    assert made.exponent == pytest.approx(exponent, abs=1e-3)
    assert made.low is not None and made.high is not None
    assert made.low - 1e-3 <= exponent <= made.high + 1e-3
    for size in SIZES:
        assert made.at(size) == pytest.approx(fixed + scale * size**exponent, rel=1e-4)


@given(st.floats(0.1, 4.0), scales)
@settings(max_examples=40, deadline=None)
def test_three_sizes_give_a_plain_power(exponent: float, scale: float):
    made = grown(SIZES[:3], [scale * size**exponent for size in SIZES[:3]])
    assert (made.form, made.grows) == ("power", True)
    assert made.exponent == pytest.approx(exponent, abs=1e-6)


def test_a_polynomial_lies_between_its_powers_and_near_the_largest():
    made = grown(SIZES, [2 * n**2 + 30 * n + 500 for n in SIZES])
    assert made.low is not None and 1.5 < made.low < (made.exponent or 0) < 2.0


def test_what_is_alike_at_each_size_is_constant():
    made = grown(SIZES, [7] * 5)
    assert (made.form, made.exponent, made.low, made.high, made.grows) == ("constant", 0.0, 0.0, 0.0, False)


def test_noise_about_one_value_is_no_growth():
    made = grown(SIZES, [10.1, 10.3, 9.9, 10.2, 10.0])
    assert made.low is not None and made.high is not None and made.low < 0 < made.high
    assert not made.grows


def test_more_noise_makes_a_wider_interval():
    def width(noise: float) -> float:
        made = grown(SIZES, [n**1.5 * (1 + noise * sign) for n, sign in zip(SIZES, (1, -1, 1, -1, 1), strict=True)])
        assert made.low is not None and made.high is not None
        return made.high - made.low

    assert width(0.001) < width(0.01) < width(0.05)


def test_more_confidence_makes_a_wider_interval():
    figures = [n + 0.1 * n * math.sin(n) for n in SIZES]
    narrow, wide = grown(SIZES, figures, 0.5), grown(SIZES, figures, 0.99)
    assert None not in (narrow.low, narrow.high)
    assert (wide.low or 0) < (narrow.low or 0)
    assert (wide.high or math.inf) > (narrow.high or 0)


def test_what_falls_has_a_negative_exponent():
    made = grown(SIZES, [100 / n for n in SIZES])
    assert made.exponent == pytest.approx(-1)


def test_two_sizes_have_an_exponent_and_no_interval():
    made = grown((8, 16), (10, 40))
    assert made.exponent == pytest.approx(2)
    assert (made.low, made.high, made.grows) == (None, None, False)


@pytest.mark.parametrize(
    ("figures", "why"),
    [((), "there is no figure at any size"), ((3,), "one size shows no growth"), ((0, 3, 4), "it is 0 at 4")],
)
def test_what_has_no_exponent_says_why(figures: tuple[int, ...], why: str):
    made = grown(SIZES[: len(figures)], figures)
    assert made.exponent is None
    assert why in str(made.reason)


def growth(exponent: float, half: float = 0.05) -> Growth:
    return Growth("offset", exponent, exponent - half, exponent + half, 1.0, 0.0, grows=True)


def test_what_grows_faster_than_the_level_before_it_is_named():
    made = {"jaxpr": growth(1.0), "stablehlo": growth(1.0), "hlo": growth(2.0), "compile_s": growth(2.1, 0.3)}
    assert [(one.metric, one.than) for one in faster_in(made)] == [("hlo", "stablehlo")]


def test_what_grows_out_of_what_does_not_is_named():
    made = {"stablehlo": Growth("constant", 0.0, 0.0, 0.0, 5.0), "hlo": growth(1.0)}
    assert [(one.metric, one.than) for one in faster_in(made)] == [("hlo", "stablehlo")]


def test_a_level_that_was_not_counted_is_passed_over():
    assert [one.than for one in faster_in({"jaxpr": growth(1.0), "hlo": growth(2.0)})] == ["jaxpr"]


def test_an_open_interval_names_nothing():
    before, after = growth(1.0), Growth("offset", 3.0, None, None, 1.0, 0.0, grows=True)
    assert faster_in({"stablehlo": before, "hlo": after}) == ()
    assert faster_in({"stablehlo": after, "hlo": growth(5.0)}) == ()
