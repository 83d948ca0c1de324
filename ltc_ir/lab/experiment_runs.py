"""Runs published experiments over seeds, and writes their records, the figures of the text and the data into a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from ltc_ir.errors import UsageError
from ltc_ir.lab.claims import judge_claims
from ltc_ir.lab.data import oscillators, save, switches, to_csv
from ltc_ir.lab.layouts import experiment_rows
from ltc_ir.lab.measurements import Measurement
from ltc_ir.lab.plans import PLANS, Plan, Settings, build_rows
from ltc_ir.lab.plots.experiment_plot import experiment_picture
from ltc_ir.lab.pooled_values import pool_values
from ltc_ir.lab.records import Experiment
from ltc_ir.lab.training_pool import TRAINED, plan_trainings, run_trainings
from ltc_ir.records.serialization import dumps
from ltc_ir.records.timing import Machine
from ltc_ir.render import tabular
from ltc_ir.targets.stages import environment
from ltc_ir.timing import machine
from ltc_ir.writing import OTHER_FOLDER, check_folder, sweep, write_whole

FIRST_SEED = 42
"""The published seed, and the first of those that are run."""
ALL, FIGURES, DATA = "all", "figures", "data"
"""Names that are not an experiment: all of them, the figures of the text, the data."""
A_WHILE_S = 3600.0
"""Seconds after which a file that is not complete is taken for a killed writer's."""

Report = Callable[[int, int], None]
"""Called with the number of trainings done and the number of all."""


class WrittenFile(NamedTuple):
    """A file that was written, and what it holds."""

    file: str
    about: str


def experiment_names(name: str) -> list[str]:
    """The experiments a name stands for; none for the figures or the data.

    Raises:
        UsageError: the name is unknown.
    """
    if name in {FIGURES, DATA}:
        return []
    if name != ALL and name not in PLANS:
        known = f"experiments are {', '.join([*PLANS, ALL])}; beside them there are {FIGURES} and {DATA}"
        raise UsageError(f"unknown experiment {name!r}", known)
    return list(PLANS) if name == ALL else [name]


def run_experiments(
    name: str,
    settings: Settings,
    folder: Path,
    jobs: int | None = None,
    report: Report = lambda _done, _all: None,
) -> list[Experiment]:
    """Run an experiment, or all of them.

    Args:
        name: its name, or ``all``: trainings that several experiments share are done once.
        settings: the seeds and the epochs.
        folder: where trainings are kept, each written atomically; a kept training is not repeated.
        jobs: processes; one per usable core where ``None``. With `training_pool.IN_THIS_PROCESS` the work is done in this
            process, whose threads may sum in another order than a process of one thread: the last digits differ.
        report: called with the number of trainings done and the number of all.

    Raises:
        UsageError: bad input, or a folder that cannot be written to.
        LimitError: a process died; what was trained until then is kept.
    """
    names = experiment_names(name)
    _prepare_folder(settings, folder)
    start, machine_before = time.monotonic(), machine.read_machine()
    measurements = run_trainings(plan_trainings(names, settings), folder, _process_count(jobs), report)
    machine_after = machine.with_load_after(machine_before)
    seconds = time.monotonic() - start if len(names) == 1 else None
    return [_build_record(PLANS[each], measurements[each], settings, machine_after, seconds) for each in names]


def _prepare_folder(settings: Settings, folder: Path) -> None:
    if not settings.seeds:
        raise UsageError("no seeds", "give one or more")
    check_folder(folder)
    for place, endings in ((folder, (".npz", ".json", ".csv", ".svg")), (folder / TRAINED, (".npz",))):
        sweep(place, endings, A_WHILE_S)


def _process_count(jobs: int | None) -> int:
    return usable_cores() if jobs is None else jobs


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _build_record(
    plan: Plan, measurements: Sequence[Measurement], settings: Settings, machine_after: Machine, seconds: float | None
) -> Experiment:
    with np.errstate(all="ignore"):  # values of seeds that diverged
        rows = build_rows(plan, measurements)
        claims, together = judge_claims(plan.name, rows), pool_values(rows)
    described: dict[str, object] = {
        "seeds": len(settings.seeds),
        "first seed": settings.seeds[0],
        "epochs": settings.epochs,
        "data": "noisy" if settings.noisy else "clean",
        "devices": jax.device_count(),
    }
    return Experiment(
        plan.name, plan.about, environment(), machine_after, described, rows, claims, seconds, together=together,
    )  # fmt: skip


def draw_figures(
    settings: Settings, folder: Path, jobs: int | None = None, report: Report = lambda _done, _all: None
) -> list[WrittenFile]:
    """Draw the figures of the text into the folder, each as figure-NAME.svg; missing trainings are done first.

    Arguments and errors are those of `run_experiments`.
    """
    from ltc_ir.lab.plots import publication_figures

    _prepare_folder(settings, folder)
    missing = publication_figures.untrained(settings, folder)
    run_trainings(dict.fromkeys(missing, ()), folder, _process_count(jobs), report)
    files = []
    for name, draw in publication_figures.FIGURES.items():
        path = folder / f"figure-{name}.svg"
        _write_file(path, draw(folder, settings, "svg", False))
        files.append(WrittenFile(str(path), publication_figures.ABOUT[name]))
    return files


def write_data(folder: Path) -> tuple[str, list[WrittenFile]]:
    """Write all published series into the folder as data.npz and data.csv; the text of the latter, and the files.

    Raises:
        UsageError: they cannot be written.
    """
    check_folder(folder)
    series, npz, csv = {**oscillators(), **switches()}, folder / "data.npz", folder / "data.csv"
    text = to_csv(series)
    with _hint_other_folder():
        save(str(npz), series)
    _write_file(csv, text.encode())
    about = "all series, clean and noisy"
    return text, [
        WrittenFile(str(npz), f"{about}, with what they were made of"),
        WrittenFile(str(csv), f"{about}, a point a line"),
    ]


def write_experiments(experiments: Sequence[Experiment], folder: Path) -> list[str]:
    """Write each record as JSON, CSV and picture into the folder; the names of the files.

    Raises:
        UsageError: they cannot be written.
    """
    check_folder(folder)
    paths = []
    for record in experiments:
        contents = {
            "json": dumps(record).encode(),
            "csv": tabular.to_csv(experiment_rows([record])).encode(),
            "svg": experiment_picture(record),
        }
        for ending, data in contents.items():
            path = folder / f"{record.name}.{ending}"
            _write_file(path, data)
            paths.append(str(path))
    return paths


def _write_file(path: Path, data: bytes) -> None:
    with _hint_other_folder():
        write_whole(str(path), data, folders=True)


@contextmanager
def _hint_other_folder() -> Iterator[None]:
    """Give an error of writing into the folder the hint to name another one."""
    try:
        yield
    except UsageError as error:
        raise UsageError(error.message, OTHER_FOLDER) from error
