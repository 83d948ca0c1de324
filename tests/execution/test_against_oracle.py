"""Executed counts of many programs equal those of an interpreter in Python, and counting changes no result."""

from __future__ import annotations

from collections import Counter

import pytest

import ltc_ir
from tests.catalogue import doubled, get, names
from tests.execution import oracle
from tests.execution.programs import PROGRAMS

pytestmark = [pytest.mark.versions, pytest.mark.early, pytest.mark.usefixtures("quick_compile")]


@pytest.mark.parametrize("name", PROGRAMS)
def test_counts_equal_those_of_an_interpreter(name):
    fn, args = PROGRAMS[name]()
    ran = _ran(fn, args)
    _, expected = oracle.executed(*PROGRAMS[name]())
    assert Counter(ran.tally.ops) == expected
    assert ran.identical in {True, None}


def _ran(fn, args):
    made = ltc_ir.count(fn, args=args, programs=["forward"], levels=["jaxpr"], executed=True).programs["forward"]
    assert made["jaxpr"].executed is not None, made["jaxpr"].reasons
    return made["jaxpr"].executed


_TABLE = [name for name in names(platform="cpu", devices=1) if name != "doubling"]


@pytest.mark.parametrize("name", _TABLE)
def test_counts_of_the_table_of_programs_equal_those_of_an_interpreter(name):
    program = get(name)
    with program.session():
        ran = _ran(*program.make())
        _, expected = oracle.executed(*program.make())
    assert Counter(ran.tally.ops) == expected
    assert ran.identical in {True, None}


def test_a_million_runs_of_a_shared_function_are_exact():
    ran = _ran(*doubled(20))
    assert ran.tally.ops["sin"] == 2**20
