"""Trainings over processes: shared ones are done once, a second or a killed run gives the same bits, children end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ltc_ir.lab.plans import PLANS, Settings, build_rows
from ltc_ir.lab.training import Recipe
from ltc_ir.lab.training_pool import IN_THIS_PROCESS, plan_trainings, run_trainings

pytestmark = pytest.mark.usefixtures("quick_compile")

SHORT = Settings((42, 43), epochs=2, trajectory_seeds=1)


@pytest.mark.long
def test_the_numbers_are_the_same_bit_for_bit_however_many_processes_there_are(tmp_path: Path):
    work = plan_trainings(["tau", "attractor"], Settings((42, 43), epochs=2))
    one, two = (run_trainings(work, tmp_path / str(jobs), jobs) for jobs in (1, 2))
    assert one == two
    for name in (path.name for path in (tmp_path / "1" / "trained").iterdir()):
        files = [(tmp_path / jobs / "trained" / name).read_bytes() for jobs in "12"]
        assert files[0] == files[1]


def test_a_second_run_gives_the_same_bits(tmp_path: Path):
    work = plan_trainings(["tau"], SHORT)
    assert run_trainings(work, tmp_path / "one", IN_THIS_PROCESS) == run_trainings(
        work, tmp_path / "two", IN_THIS_PROCESS
    )


def test_processes_end_with_the_one_that_started_them():
    """They hold its standard output open, so this waits until the last of them is gone."""
    killed = (
        "import os, signal\n"
        "from ltc_ir.lab.training_pool import _process_pool\n"
        "with _process_pool(1) as pool:\n"
        "    pool.submit('os:getpid').result()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", killed], capture_output=True, timeout=60, check=False)
    assert ended.returncode == -9, ended.stderr


def test_what_was_killed_ends_in_the_same_table(tmp_path: Path):
    class KilledError(Exception):
        pass

    def kill(done: int, _: int) -> None:
        if done == 2:
            raise KilledError

    whole = build_rows(
        PLANS["tau"], run_trainings(plan_trainings(["tau"], SHORT), tmp_path / "whole", IN_THIS_PROCESS)["tau"]
    )
    with pytest.raises(KilledError):
        run_trainings(plan_trainings(["tau"], SHORT), tmp_path / "killed", IN_THIS_PROCESS, kill)
    assert len(list((tmp_path / "killed" / "trained").iterdir())) == 2
    assert (
        build_rows(
            PLANS["tau"], run_trainings(plan_trainings(["tau"], SHORT), tmp_path / "killed", IN_THIS_PROCESS)["tau"]
        )
        == whole
    )


def test_a_training_that_several_experiments_need_is_done_once():
    work = plan_trainings(PLANS, SHORT)
    assert len({recipe.name for recipe in work}) == len(work)
    shared = work[Recipe("ltc", "0.3", 42, 2, 2)]
    assert shared == ["base", "switch", "transfer", "extrapolation", "noise", "mdl", "attractor"]
