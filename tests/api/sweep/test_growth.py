"""How fast a figure grows: exponents that are known are found, and an interval holds what it should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_ir.records.sweep import Growth, ProgramSweep, SweepPoint
from ltc_ir.render.words.timing import between, grows_as
from ltc_ir.tables.growth import faster_in, grown, with_growth

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
    assert (made.form, made.low, made.high, made.grows) == ("power", None, None, True)
    assert made.exponent == pytest.approx(exponent, abs=1e-6)


def test_a_polynomial_lies_between_its_powers_and_near_the_largest():
    made = grown(SIZES, [2 * n**2 + 30 * n + 500 for n in SIZES])
    assert made.low is not None and 1.5 < made.low < (made.exponent or 0) < 2.0


def test_what_is_alike_at_each_size_is_constant():
    made = grown(SIZES, [7] * 5)
    assert (made.form, made.exponent, made.low, made.high, made.grows) == ("constant", 0.0, 0.0, 0.0, False)


def test_noise_about_one_value_is_no_growth():
    made = grown(SIZES, [10.1, 10.3, 9.9, 10.2, 10.0], measured=True)
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
    assert (made.low, made.high) == (None, None)


@pytest.mark.parametrize(
    ("sizes", "figures"),
    [((2, 4, 8), (11, 47, 767)), ((4, 8, 16, 32), (57, 57, 57, 800)), ((2, 4, 8, 16), (7, 7, 7, 259)),
     (SIZES, tuple(2**n for n in SIZES)), (SIZES, tuple(n**9 for n in SIZES))],
)  # fmt: skip
def test_exact_figures_that_rise_are_never_called_flat(sizes: tuple[int, ...], figures: tuple[int, ...]):
    made = grown(sizes, figures)
    assert made.grows
    assert "no growth" not in grows_as(made)


def test_a_quadratic_over_many_orders_of_magnitude():
    sizes = (1, 10, 1_000, 100_000, 10**9)
    made = grown(sizes, [3 * n**2 for n in sizes])
    assert made.low is not None and made.high is not None
    assert made.low - 1e-6 <= 2 <= made.high + 1e-6


def coverage(exponent: float, fixed: float, noise: float) -> float:
    """How often the interval of noisy figures that grow holds the exponent they were made with."""
    draw = np.random.default_rng(0)
    held = told = 0
    for _ in range(300):
        figures = [(fixed + n**exponent) * (1 + noise * draw.standard_normal()) for n in (*SIZES, 128)]
        made = grown((*SIZES, 128), figures, measured=True)
        if made.form == "offset":
            told += 1
            held += (made.low or -math.inf) <= exponent <= (made.high or math.inf)
    assert told > 250
    return held / told


@pytest.mark.parametrize(("exponent", "fixed"), [(1.0, 0.0), (1.0, 10.0), (2.0, 20.0), (1.5, 5.0)])
def test_the_interval_holds_the_exponent_about_as_often_as_it_says(exponent: float, fixed: float):
    assert 0.82 < coverage(exponent, fixed, 0.02) < 0.97


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


def named(growths: dict[str, Growth], **floors: float) -> list[tuple[str, str]]:
    return [(one.metric, one.than) for one in faster_in(growths, floors)]


def test_what_grows_faster_than_the_level_before_it_is_named():
    made = {"jaxpr": growth(1.0), "stablehlo": growth(1.0), "hlo": growth(2.0), "compile_s": growth(2.1, 0.3)}
    assert named(made) == [("hlo", "stablehlo")]


def test_what_grows_out_of_what_does_not_is_named():
    assert named({"stablehlo": Growth("constant", 0.0, 0.0, 0.0, 5.0), "hlo": growth(1.0)}) == [("hlo", "stablehlo")]


def test_what_falls_is_outgrown_by_what_grows_and_not_by_what_stays():
    falling = Growth("power", -1.0, -1.1, -0.9, 5.0)
    assert named({"jaxpr": falling, "stablehlo": growth(1.0)}) == [("stablehlo", "jaxpr")]
    assert named({"jaxpr": falling, "stablehlo": Growth("constant", 0.0, 0.0, 0.0, 5.0)}) == []


def test_a_level_that_was_not_counted_is_passed_over():
    assert named({"jaxpr": growth(1.0), "hlo": growth(2.0)}) == [("hlo", "jaxpr")]


def test_an_open_interval_names_nothing():
    before, after = growth(1.0), Growth("offset", 3.0, None, None, 1.0, 0.0, grows=True)
    assert named({"stablehlo": before, "hlo": after}) == []
    assert named({"stablehlo": after, "hlo": growth(5.0)}) == []


def test_a_floor_names_what_no_power_follows():
    before, after = growth(1.0), Growth("offset", 8.0, None, None, 1.0, 0.0, grows=True)
    assert named({"stablehlo": before, "hlo": after}, hlo=2.6) == [("hlo", "stablehlo")]
    assert named({"stablehlo": before, "hlo": after}, hlo=1.1) == []


def program(**figures: list[int]) -> ProgramSweep:
    points = [
        SweepPoint(n, {name: float(made[place]) for name, made in figures.items()})
        for place, n in enumerate((2, 4, 8, 16)[: len(figures["hlo"])])
    ]
    return with_growth(ProgramSweep(tuple(points)), 0.9)


def test_calls_that_double_are_named_at_the_level_that_inlines_them():
    made = program(jaxpr=[21, 41, 81, 161], stablehlo=[29, 49, 89, 169], hlo=[21, 57, 777, 190_000])
    assert [(one.metric, one.than) for one in made.faster] == [("hlo", "stablehlo")]


def test_a_fixed_part_makes_nothing_faster():
    made = program(jaxpr=[1_002, 1_004, 1_008, 1_016], stablehlo=[4, 8, 16, 32], hlo=[12, 14, 18, 26])
    assert made.faster == ()


def test_three_sizes_say_nothing_of_what_is_faster():
    made = program(jaxpr=[21, 93, 1_533], stablehlo=[29, 49, 89], hlo=[21, 57, 777])
    assert made.faster == ()
    assert {grows_as(one)[:2] for one in made.growth.values()} == {"n^"}
    assert {between(one) for one in made.growth.values()} == {"too few sizes"}
