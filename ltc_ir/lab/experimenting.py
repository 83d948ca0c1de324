"""The verb `experiment`: published experiments over seeds, from trainings that are kept, each as a record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from ltc_ir.errors import UsageError
from ltc_ir.files import make_folder, write_whole
from ltc_ir.lab.experiments import PLANS, Plan, Raw, Setup, rows_of
from ltc_ir.lab.running import run, work_of
from ltc_ir.measure import machine
from ltc_ir.plots.experiment_plot import experiment_picture
from ltc_ir.programs.stages import environment
from ltc_ir.records.experiment import Experiment
from ltc_ir.records.experiment_codec import experiment_to_json
from ltc_ir.records.timing import Machine
from ltc_ir.render.experiment_formats import to_experiment_csv

FIRST_SEED = 42
"""The published seed, from which they are counted on."""
ALL = "all"


def names_of(name: str) -> list[str]:
    """The experiments meant by a name.

    Raises:
        UsageError: there is no such experiment.
    """
    if name != ALL and name not in PLANS:
        raise UsageError(f"unknown experiment {name!r}", f"experiments are {', '.join([*PLANS, ALL])}")
    return list(PLANS) if name == ALL else [name]


def experiment(
    name: str,
    setup: Setup,
    folder: Path,
    jobs: int | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Experiment]:
    """Run an experiment, or all of them.

    Args:
        name: its name, or ``all``: trainings that several share are done once.
        setup: the seeds and the epochs.
        folder: where trainings are kept, whole or not at all; what is there is not trained again.
        jobs: processes; as many as this one may use cores where ``None``.
        tell: is told how many trainings are done, of how many.

    Raises:
        UsageError: bad input, or a folder that cannot be written to.
        LimitError: a process did not survive; what was trained until then is kept.
    """
    names = names_of(name)
    if not setup.seeds:
        raise UsageError("no seeds", "give one or more")
    make_folder(folder)
    began, before = time.monotonic(), machine.machine()
    figures = run(work_of(names, setup), folder, jobs or cores(), tell)
    there = machine.afterwards(before)
    seconds = time.monotonic() - began if len(names) == 1 else None
    return [_record(PLANS[one], figures[one], setup, there, seconds) for one in names]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _record(plan: Plan, raws: Sequence[Raw], setup: Setup, there: Machine, seconds: float | None) -> Experiment:
    from ltc_ir.lab.claims import claims_of

    rows = rows_of(plan, raws)
    settings: dict[str, object] = {"seeds": len(setup.seeds), "first seed": setup.seeds[0], "epochs": setup.epochs}
    settings |= {"data": "noisy" if setup.noisy else "clean", "devices": jax.device_count()}
    return Experiment(
        plan.name, plan.about, environment(), there, settings, rows, claims_of(plan.name, rows), seconds
    )  # fmt: skip


def keep(made: Sequence[Experiment], folder: Path) -> list[str]:
    """Write each record as JSON, CSV and picture into the folder; the names of the files."""
    make_folder(folder)
    files = []
    for one in made:
        held = {
            "json": experiment_to_json(one).encode(),
            "csv": to_experiment_csv([one]).encode(),
            "svg": experiment_picture(one),
        }
        for ending, data in held.items():
            path = folder / f"{one.name}.{ending}"
            write_whole(str(path), data)
            files.append(str(path))
    return files
