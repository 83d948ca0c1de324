"""A sample of the mutants of each kind, and the page that says how ten thousand of each ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants import page
from tests.mutants.kinds import KINDS, attack, prepare
from tests.mutants.running import Ran

NUMBER = 60
FEWER = {"HLO text": 2_000, "command line": 2_000}
"""What the page has fewer of."""
MORE = {"MLIR bytecode": 200}
"""Where fewer are accepted."""


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = Path.cwd()
    prepare(tmp_path_factory.mktemp("mutants"))
    yield
    os.chdir(before)


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LTC_IR_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", KINDS)
def test_a_mutant_ends_in_one_line_or_is_counted_right(name: str) -> None:
    ends, wrong = attack(name, range(MORE.get(name, NUMBER)))
    assert wrong == []
    assert ends["0"] and ends["2"], f"both kinds of ends were met: {dict(ends)}"


def test_the_judge_sees_what_is_wrong() -> None:
    assert Ran(0, "{}\n", "").wrong() is None
    assert Ran(2, "", "error: a\nhint: b\n").wrong() is None
    for wrong in (
        Ran(70, "", "Traceback\nerror: this is a bug\n"), Ran(-1, "", ""), Ran(2, "", ""), Ran(2, "", "error: a\nerror: b\n"),
        Ran(2, "half", "error: a\n"), Ran(0, "", "one\ntwo\n"), Ran(2, "", "error: \x1b[31m\n"),
    ):  # fmt: skip
        assert wrong.wrong() is not None, wrong


def test_a_count_with_other_totals_than_an_independent_reader_finds_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = KINDS["record"]
    data = kind.samples()[0]
    assert kind.judge(data)[1] is None
    counted = kind.judge(data)[0].out
    monkeypatch.setattr("tests.mutants.kinds.run", lambda *_: Ran(0, counted, ""))
    assert "another reader finds" in (kind.judge(data.replace(b'"tanh": 1', b'"tanh": 2'))[1] or "")


def test_the_page_has_the_figures_of_the_stored_result() -> None:
    stored = page.stored()
    assert {*KINDS} <= {*stored}
    assert all(result["number"] >= FEWER.get(name, 10_000) and not result["wrong"] for name, result in stored.items())
    assert f"{page.BEGIN}\n{page.table()}\n{page.END}" in page.PAGE.read_text(encoding="utf-8")
