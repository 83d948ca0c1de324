"""The verb `experiment`: published experiments over seeds, from trainings that are kept, each as a record."""

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
from ltc_ir.files import OTHER_FOLDER, make_folder, write_whole
from ltc_ir.lab.data import save, to_csv
from ltc_ir.lab.experiments import PLANS, Plan, rows_of
from ltc_ir.lab.formats import to_experiment_csv
from ltc_ir.lab.plots.experiment import experiment_picture
from ltc_ir.lab.record_codec import experiment_to_json
from ltc_ir.lab.records import Experiment
from ltc_ir.lab.running import run, work_of
from ltc_ir.lab.setup import Raw, Setup, oscillators, switches
from ltc_ir.records.timing import Machine
from ltc_ir.targets.stages import environment
from ltc_ir.timing import machine

FIRST_SEED = 42
"""The published seed, from which they are counted on."""
ALL, FIGURES, DATA = "all", "figures", "data"
"""All experiments; what is no experiment, and asked for alike: the figures of the text, and the data."""

Tell = Callable[[int, int], None]
"""Is told how many trainings are done, of how many."""


class Kept(NamedTuple):
    """A file that was written, and what it holds."""

    file: str
    about: str


def names_of(name: str) -> list[str]:
    """The experiments meant by a name; none where it means the figures or the data.

    Raises:
        UsageError: nothing is called so.
    """
    if name in {FIGURES, DATA}:
        return []
    if name != ALL and name not in PLANS:
        known = f"experiments are {', '.join([*PLANS, ALL])}; beside them there are {FIGURES} and {DATA}"
        raise UsageError(f"unknown experiment {name!r}", known)
    return list(PLANS) if name == ALL else [name]


def experiment(
    name: str,
    setup: Setup,
    folder: Path,
    jobs: int | None = None,
    tell: Tell = lambda _done, _all: None,
) -> list[Experiment]:
    """Run an experiment, or all of them.

    Args:
        name: its name, or ``all``: trainings that several share are done once.
        setup: the seeds and the epochs.
        folder: where trainings are kept, whole or not at all; what is there is not trained again.
        jobs: processes, as many as this one may use cores where ``None``; in this one with `running.HERE`, whose threads may
            sum in another order than the one thread of a process: the last digits differ.
        tell: is told how many trainings are done, of how many.

    Raises:
        UsageError: bad input, or a folder that cannot be written to.
        LimitError: a process did not survive; what was trained until then is kept.
    """
    names = names_of(name)
    _check(setup, folder)
    began, before = time.monotonic(), machine.machine()
    figures = run(work_of(names, setup), folder, cores() if jobs is None else jobs, tell)
    there = machine.afterwards(before)
    seconds = time.monotonic() - began if len(names) == 1 else None
    return [_record(PLANS[one], figures[one], setup, there, seconds) for one in names]


def _check(setup: Setup, folder: Path) -> None:
    if not setup.seeds:
        raise UsageError("no seeds", "give one or more")
    make_folder(folder)


def figures(setup: Setup, folder: Path, jobs: int | None = None, tell: Tell = lambda _done, _all: None) -> list[Kept]:
    """Draw the figures of the text into the folder, each as figure-NAME.svg; what they need and is not kept is trained.

    Arguments and errors are those of `experiment`.
    """
    from ltc_ir.lab import figures as drawing

    _check(setup, folder)
    run(dict.fromkeys(drawing.untrained(setup, folder), ()), folder, cores() if jobs is None else jobs, tell)
    kept = []
    for name, draw in drawing.FIGURES.items():
        path = folder / f"figure-{name}.svg"
        _write(path, draw(folder, setup, "svg", False))
        kept.append(Kept(str(path), drawing.ABOUT[name]))
    return kept


def data(folder: Path) -> tuple[str, list[Kept]]:
    """Write all published series into the folder as data.npz and data.csv; the text of the latter, and the files.

    Raises:
        UsageError: they cannot be written.
    """
    make_folder(folder)
    sets = {**oscillators(), **switches()}
    text, arrays, csv = to_csv(sets), folder / "data.npz", folder / "data.csv"
    with _with_dir():
        save(str(arrays), sets)
    _write(csv, text.encode())
    about = "all series, clean and noisy"
    return text, [
        Kept(str(arrays), f"{about}, with what they were made of"),
        Kept(str(csv), f"{about}, a point a line"),
    ]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _record(plan: Plan, raws: Sequence[Raw], setup: Setup, there: Machine, seconds: float | None) -> Experiment:
    from ltc_ir.lab.claims import claims_of
    from ltc_ir.lab.together import together_of

    with np.errstate(all="ignore"):  # of what diverged
        rows = rows_of(plan, raws)
        claims, together = claims_of(plan.name, rows), together_of(rows)
    settings: dict[str, object] = {"seeds": len(setup.seeds), "first seed": setup.seeds[0], "epochs": setup.epochs}
    settings |= {"data": "noisy" if setup.noisy else "clean", "devices": jax.device_count()}
    return Experiment(
        plan.name, plan.about, environment(), there, settings, rows, claims, seconds, together=together,
    )  # fmt: skip


def keep(made: Sequence[Experiment], folder: Path) -> list[str]:
    """Write each record as JSON, CSV and picture into the folder; the names of the files.

    Raises:
        UsageError: they cannot be written.
    """
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
            _write(path, data)
            files.append(str(path))
    return files


def _write(path: Path, data: bytes) -> None:
    with _with_dir():
        write_whole(str(path), data)


@contextmanager
def _with_dir() -> Iterator[None]:
    """What could not be written into the folder is answered by naming another one."""
    try:
        yield
    except UsageError as error:
        raise UsageError(error.message, OTHER_FOLDER) from error
