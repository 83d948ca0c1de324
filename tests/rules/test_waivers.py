"""Waivers: what they tolerate, until when, and what is said of those that no longer serve."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from ltc_ir.errors import UsageError
from ltc_ir.records.check import CheckChange, ProgramCheck, Status
from ltc_ir.rules.growth_policy import Waiver, apply_waivers, find_waiver_problems, parse_waiver

DAY = date(2026, 6, 1)
GROWN = CheckChange("stablehlo.dot_general", "stablehlo", 3, 5, rule="no growth", where="default")
WAIVER = Waiver("dot_general", "wanted", DAY)


@pytest.mark.parametrize("until", ["2026-06-01", date(2026, 6, 1), datetime(2026, 6, 1, 12)])
def test_a_waiver_as_it_is_written(until):
    entry = {"op": "dot_general", "reason": "wanted", "until": until}
    assert parse_waiver(entry) == WAIVER
    assert parse_waiver({**entry, "targets": ["ltc"]}).targets == ("ltc",)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("dot_general", "no table"),
        ({"op": "x", "reason": "y", "till": DAY}, "unknown key 'till'"),
        ({"reason": "y", "until": DAY}, "a waiver has no op"),
        ({"op": "x", "reason": " ", "until": DAY}, "reason = ' '"),
        ({"op": "x", "reason": 3, "until": DAY}, "reason = 3"),
        ({"op": "x", "reason": "y"}, "a waiver has no until"),
        ({"op": "x", "reason": "y", "until": "soon"}, "until = 'soon'"),
        ({"op": "x", "reason": "y", "until": 2027}, "until = 2027"),
        ({"op": "x", "reason": "y", "until": DAY, "targets": "ltc"}, "targets = 'ltc'"),
    ],
)
def test_what_is_no_waiver(entry, says):
    with pytest.raises(UsageError) as caught:
        parse_waiver(entry)
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("waiver", "waived"),
    [
        (WAIVER, True),
        (Waiver("stablehlo.dot_general", "wanted", DAY), True),
        (Waiver("dot-general", "wanted", DAY), True),
        (Waiver("general", "wanted", DAY), False),
        (Waiver("chlo.dot_general", "wanted", DAY), False),
        (Waiver("dot_general", "wanted", date(2026, 5, 31)), False),
        (Waiver("dot_general", "wanted", DAY, ("ltc",)), True),
        (Waiver("dot_general", "wanted", DAY, ("node",)), False),
    ],
)
def test_what_is_waived(waiver, waived):
    (change,) = apply_waivers([GROWN], [waiver], "ltc", today=DAY)
    assert change.fails != waived
    assert change.waived == ("wanted" if waived else None)


def test_what_breaks_nothing_is_not_waived():
    shrunk = CheckChange("dot_general", "jaxpr", 5, 3)
    assert apply_waivers([shrunk], [WAIVER], "ltc", today=DAY) == (shrunk,)


@pytest.mark.parametrize("metric", ["constants.bytes", "lines", "total"])
def test_figures_are_waived_by_their_names(metric):
    change = CheckChange(metric, "stablehlo", 1, 2, rule="no growth")
    assert apply_waivers([change], [Waiver(metric, "wanted", DAY)], "ltc", today=DAY)[0].waived == "wanted"


def checked(*changes, target="ltc", status=Status.MATCH):
    return ProgramCheck(target, "grad", status, apply_waivers(changes, [WAIVER], target, today=DAY))


def test_a_waiver_that_serves_is_no_problem():
    assert find_waiver_problems([WAIVER], [checked(GROWN)], today=DAY) == ()


def test_an_expired_waiver_is_a_problem_even_where_not_all_was_checked():
    (problem,) = find_waiver_problems([WAIVER], [], today=date(2026, 6, 2), complete=False)
    assert problem.message == "pyproject.toml: the waiver for dot_general expired on 2026-06-01"
    assert problem.code == 1


def test_an_unused_waiver_is_a_problem_only_where_all_it_speaks_of_was_checked():
    (problem,) = find_waiver_problems([WAIVER], [checked()], today=DAY)
    assert (problem.message, problem.code) == ("pyproject.toml: the waiver for dot_general waives nothing", 1)
    assert find_waiver_problems([WAIVER], [checked()], today=DAY, complete=False) == ()
    assert find_waiver_problems([WAIVER], [checked()], today=DAY, complete={"ltc"}) == ()
    own = Waiver("dot_general", "wanted", DAY, ("ltc",))
    assert len(find_waiver_problems([own], [checked()], today=DAY, complete={"ltc"})) == 1
    assert find_waiver_problems([own], [checked()], today=DAY, complete={"node"}) == ()


@pytest.mark.parametrize("status", [Status.MISSING, Status.NOT_COMPARABLE, Status.ERROR])
def test_a_waiver_whose_program_could_not_be_compared_is_not_called_unused(status):
    assert find_waiver_problems([WAIVER], [checked(status=status)], today=DAY) == ()


def test_a_missing_snapshot_of_another_target_does_not_excuse_a_waiver():
    own = Waiver("dot_general", "wanted", DAY, ("ltc",))
    assert find_waiver_problems([own], [checked(), checked(target="node", status=Status.MISSING)], today=DAY)
