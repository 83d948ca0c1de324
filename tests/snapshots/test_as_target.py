"""A snapshot stands wherever a target does: counted and compared is what it holds, and a damaged one is said to be so."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir.errors import UsageError
from ltc_ir.records import serialization
from ltc_ir.records.count import Count, LevelCount
from ltc_ir.records.snapshot import HloFacts, Identity, LevelFacts, Provenance, Snapshot
from ltc_ir.records.snapshot_toml import dumps
from ltc_ir_cli.app import main
from tests.snapshots.made import USUAL, usual


@jax.jit
def inner(x):
    return jnp.sin(x) * x


def twice(x):
    return inner(inner(x)).sum()


def longer(x):
    return jnp.cos(inner(inner(x))).sum()


def counted(function) -> Count:
    return ltc_ir.count(function, args=(jax.ShapeDtypeStruct((3,), "float32"),), programs=["grad"], by=["function"])


def facts_of(level: LevelCount) -> LevelFacts:
    groups = level.by if level.expanded is None else level.expanded_by
    ops = {(phase, group.key): dict(ops) for group in groups or () for phase, ops in group.tally.phases.items()}
    metrics = {} if level.lines is None else {"lines": level.lines, "constants.embedded.bytes": 0}
    return LevelFacts(ops, metrics=metrics, fingerprint="00")


def snapshot_of(count: Count) -> Snapshot:
    """The facts of a live count, as a snapshot keeps them."""
    levels = {name: facts_of(made) for name, made in count.programs["grad"].items()}
    made = count.environment
    return Snapshot("twice", "grad", Identity("0.10"), Provenance(str(made.jax), str(made.jaxlib)), levels)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "grad@0.10.toml"
    made.write_text(dumps(USUAL))
    return made


def test_a_snapshots_count_is_what_it_holds(file):
    made = ltc_ir.count(str(file))
    assert (made.target, list(made.programs), made.levels()) == ("net:step", ["grad"], ("jaxpr", "stablehlo"))
    assert made.environment.jax == "0.10.2"
    jaxpr, stablehlo = made.programs["grad"]["jaxpr"], made.programs["grad"]["stablehlo"]
    assert jaxpr.tally.ops == {"mul": 8, "dot_general": 6, "add": 3, "reduce_sum": 1, "tanh": 1}
    assert jaxpr.tally.phase_total("backward") == 8
    assert jaxpr.max_depth == 2
    assert stablehlo.tally == stablehlo.expanded
    assert stablehlo.attributed["phase"] == 0.6
    assert (stablehlo.lines, stablehlo.constants) == (40, {"bytes": 0, "embedded_bytes": 0})


def test_what_a_snapshot_does_not_keep_is_none_with_a_reason(file):
    level = ltc_ir.count(str(file)).programs["grad"]["stablehlo"]
    for name in ("bytes", "private_functions", "max_depth"):
        assert getattr(level, name) is None
        assert "does not keep" in level.reasons[name]


def test_hlo_stands_beside_the_other_levels_where_it_was_kept(file):
    hlo = LevelFacts({("forward", "f"): {"all-reduce": 2}}, metrics={"flops": 8, "memory.temporary_bytes": 4})
    file.write_text(dumps(usual(hlo=HloFacts("0.10.2", "cpu", hlo))))
    made = ltc_ir.count(str(file)).programs["grad"]["hlo"]
    assert (made.tally.ops, made.flops, made.memory) == ({"all-reduce": 2}, 8, {"temporary_bytes": 4})


def test_by_function_and_phase(file):
    made = ltc_ir.count(str(file), by=["function"]).programs["grad"]["jaxpr"].by
    assert made
    assert {group.key: group.tally.total for group in made} == {"net:dense": 12, "net:loss": 7}
    both = ltc_ir.count(str(file), by=["function", "phase"], levels=["stablehlo"]).programs["grad"]["stablehlo"]
    assert both.by == both.expanded_by
    assert [group.key for group in both.by or ()] == ["net:dense | forward", "(no source) | unattributed"]


def test_by_what_is_not_kept_is_refused(file):
    with pytest.raises(UsageError, match="not counted by source"):
        ltc_ir.count(str(file), by=["source"])


def test_a_snapshot_narrows_as_any_count_does(file):
    made = ltc_ir.count(str(file), ops=["dot_general"], phases=["backward"], levels=["jaxpr"])
    assert made.programs["grad"]["jaxpr"].tally.ops == {"dot_general": 4}


def test_in_json_only_what_is_expanded_says_so(file):
    made = ltc_ir.count(str(file))
    data = serialization.to_data(made)["programs"]["grad"]
    assert data["stablehlo"]["basis"] == "expanded"
    assert "basis" not in data["jaxpr"]
    back = serialization.loads(serialization.dumps(made))
    assert {name: level.basis for name, level in back.programs["grad"].items()} == {
        "jaxpr": "module", "stablehlo": "expanded",
    }  # fmt: skip
    assert "basis" not in serialization.to_data(counted(twice))["programs"]["grad"]["stablehlo"]


@pytest.mark.versions
@pytest.mark.parametrize("turned", [False, True])
def test_a_snapshot_of_a_program_differs_from_it_in_no_operation(file, turned):
    live = counted(twice)
    module = live.programs["grad"]["stablehlo"]
    assert module.expanded and module.tally.total != module.expanded.total, "the program tells the two counts apart"
    file.write_text(dumps(snapshot_of(live)))
    sides = [ltc_ir.count(str(file), by=["function"]), live]
    found = ltc_ir.diff(*(sides[::-1] if turned else sides))
    for made in found.pairs[0].levels.values():
        assert made.ops == ()
        assert made.by == ()
        assert made.metrics[0].change == 0
    assert any("once per call path" in note for note in found.notes)


@pytest.mark.versions
def test_a_snapshot_shows_what_was_added_to_a_program(file):
    before, after = counted(twice), counted(longer)
    file.write_text(dumps(snapshot_of(before)))
    found = ltc_ir.diff(ltc_ir.count(str(file), by=["function"]), after).pairs[0].levels["stablehlo"]
    sines = next(row for row in found.ops if row.name == "stablehlo.sine")
    old, new = before.programs["grad"]["stablehlo"].expanded, after.programs["grad"]["stablehlo"].expanded
    assert old and new
    assert (sines.baseline, sines.current) == tuple(one.ops["stablehlo.sine"] for one in (old, new))
    assert sines.current > (sines.baseline or 0)


def test_two_snapshots_are_compared_without_a_word_on_how_they_count(file, tmp_path):
    other = tmp_path / "other.toml"
    facts = replace(USUAL.levels["jaxpr"], ops={("forward", "net:dense"): {"add": 5}})
    other.write_text(dumps(usual(levels={**USUAL.levels, "jaxpr": facts})))
    found = ltc_ir.diff(str(file), str(other))
    assert found.pairs[0].levels["jaxpr"].metrics[0].change == 5 - 19
    assert not any("both sides" in note for note in found.notes)


@pytest.mark.parametrize("name", ["snapshot.txt", "snapshot.json", "snapshot"])
def test_the_content_decides_and_not_the_ending(tmp_path, name):
    path = tmp_path / name
    path.write_text(dumps(USUAL))
    assert ltc_ir.count(str(path)).target == "net:step"


def test_a_snapshot_comes_through_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(dumps(USUAL).encode())))
    assert ltc_ir.count("-").target == "net:step"


def damaged(how: str) -> tuple[str, str, str]:
    """A damaged snapshot, where that can be seen, and a word of the message."""
    text = dumps(USUAL)
    lines = text.splitlines(keepends=True)
    middle = len(lines) // 2
    return {
        "conflict": ("".join([*lines[:middle], "<<<<<<< HEAD\n", *lines[middle:]]), f":{middle + 1}:", "conflict"),
        "conflict in the first line": ("<<<<<<< HEAD\n" + text, ":1:", "conflict"),
        "cut": ("".join(lines[: lines.index("[jaxpr]\n")]), ":", "cut short"),
        "newer": (text.replace("schema = 1", "schema = 2"), ":", "newer ltc-ir"),
        "wrong": (text.replace("add = 3", "add = true", 1), f":{lines.index('add = 3' + chr(10)) + 1}:", "add is True"),
        "no head": (text.replace("#", "", 2), ":1:", ""),
    }[how]


@pytest.mark.parametrize("command", [["count"], ["diff", "ltc"], ["diff"]], ids=" ".join)
@pytest.mark.parametrize("how", ["conflict", "conflict in the first line", "cut", "newer", "wrong", "no head"])
def test_a_damaged_snapshot_ends_in_one_message_with_its_name_and_line(how, command, file, capfd):
    text, place, word = damaged(how)
    file.write_text(text)
    assert main([command[0], str(file), *command[1:]]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert f"{file}{place}" in errors[0]
    assert word in errors[0]


def test_the_text_of_a_snapshot_is_refused(file):
    with pytest.raises(UsageError, match="a snapshot, which holds no text"):
        ltc_ir.lower(str(file))
