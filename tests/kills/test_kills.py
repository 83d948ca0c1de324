"""A sample of the kills: ``python -m tests.kills --number 300`` is all of them."""

from __future__ import annotations

import sys

import pytest

from tests.kills.__main__ import EARLY_S, PAGE, page, run
from tests.kills.commands import SAMPLE, written

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


def test_a_killed_command_leaves_nothing_behind():
    seen = run(12, 1, SAMPLE, made=written)
    assert [f"{one}: {', '.join(one.wrong)}" for one in seen if one.wrong] == []
    assert sum(one.kill.after_s <= EARLY_S for one in seen) >= 3
    assert {one.kill.number for one in seen} == {1, 2, 9, 15}
    assert not all(one.finished for one in seen)


def test_the_documentation_shows_the_last_run_of_all_kills():
    text = PAGE.read_text(encoding="utf-8")
    head, columns = page([]).splitlines()[0], page([]).splitlines()[3]
    assert head in text
    assert columns in text
