"""The project's own snapshots hold on the JAX that runs, and on the newest one where a Python for it is found."""

import subprocess
import sys

import pytest

import ltc_ir
from ltc_ir.api import snapshot as guarding
from ltc_ir.records.check import Status
from ltc_ir.render.words.check import message, summary
from tests import own_snapshots
from tests.run_versions import PINNED, ROOT, interpreter

pytestmark = pytest.mark.early

NEWEST, ITS_PYTHON = PINNED[-1]


@pytest.mark.versions
def test_the_programs_match_their_snapshots():
    made = guarding.check(["ltc", "ctrnn", "node", "training"], directory=str(ROOT / "snapshots"))
    if all(one.status is Status.MISSING for one in made.checks):
        pytest.skip(f"own snapshots are of {', '.join(jax for jax, _ in PINNED)}: {made.checks[0].reason}")
    said = "\n".join(line for one in made.checks if one.status is not Status.MATCH for line in message(one))
    assert summary(made).startswith("13 checked: 13 match; 1 not checked"), said  # a training has no gradient
    assert made.exit_code == 0


def test_those_of_the_newest_jax_match_in_an_environment_of_their_own():
    if interpreter(ITS_PYTHON) is None:
        pytest.skip(f"no Python {ITS_PYTHON}, which JAX {NEWEST} needs")
    try:
        own_snapshots.environment(NEWEST, str(interpreter(ITS_PYTHON)))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"JAX {NEWEST} could not be installed: {error}")
    assert own_snapshots.run(NEWEST, ITS_PYTHON, ["check", "--quiet"]) == 0


def test_every_pinned_jax_has_all_of_them():
    minors = {jax.rpartition(".")[0] for jax, _ in PINNED}
    stored = guarding.listing(directory=str(ROOT / "snapshots"))
    found = {minor: sorted(f"{one.target} {one.program}" for one in stored if one.jax == minor) for minor in minors}
    programs = ("forward", "loss", "grad", "train_step")
    wanted = [f"{target} {program}" for target in ("ltc", "ctrnn", "node") for program in programs]
    wanted = sorted([*wanted, "training forward"])
    assert found == dict.fromkeys(minors, wanted)


def test_the_command_that_records_them_says_how_it_is_used():
    done = subprocess.run(
        [sys.executable, "-m", "tests.own_snapshots"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "tests.own_snapshots check" in done.stderr


def test_a_diff_with_a_snapshot_counts_only_what_the_snapshot_holds():
    oldest = ROOT / "snapshots" / "ltc" / "grad@0.6.toml"
    made = ltc_ir.diff(str(oldest), "ltc", levels=("jaxpr",))
    assert [(pair.baseline, pair.current) for pair in made.pairs] == [("grad", "grad")]
    assert not [note for note in made.notes if note.startswith("only the current has")]
