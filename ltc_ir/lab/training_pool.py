"""Trains and measures over a pool of processes: trainings that experiments share are done once, kept ones are loaded."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ltc_ir.errors import NOTES, LimitError
from ltc_ir.lab.data import oscillators
from ltc_ir.lab.measurements import Measurement
from ltc_ir.lab.plans import PLANS, Settings
from ltc_ir.lab.records import worst_value
from ltc_ir.lab.training import Recipe, train
from ltc_ir.workers.child import tell
from ltc_ir.workers.limits import WorkerDiedError
from ltc_ir.workers.pool import Pool

TRAINED = "trained"
"""The folder of trainings, in that of the results."""
IN_THIS_PROCESS = 0
"""The number of processes that means: do the work in this one."""
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
"""One process per core: a program that takes more threads takes them from its neighbours. Threads also decide the order of
sums: with one each, the numbers are the same bit for bit however many processes there are."""

Trainings = Mapping[Recipe, Sequence[str]]
"""Recipes, each with the experiments that measure it."""
Measured = dict[str, list[Measurement]]
"""Measurements by experiment."""


def plan_trainings(names: Iterable[str], settings: Settings) -> dict[Recipe, list[str]]:
    """The trainings that experiments need, each with the experiments that measure it; alike programs in a row."""
    by_recipe: dict[Recipe, list[str]] = defaultdict(list)
    for name in names:
        for recipe in PLANS[name].recipes(settings):
            if name not in by_recipe[recipe]:
                by_recipe[recipe].append(name)
    order = sorted(by_recipe, key=lambda recipe: (recipe.model, recipe.omega or "", recipe.seed, recipe.name))
    return {recipe: by_recipe[recipe] for recipe in order}


def measure_training(recipe: Recipe, names: Sequence[str], folder: str) -> Measured:
    """Train, or load a kept training, and measure it for these experiments."""
    trained = train(recipe, oscillators()[recipe.series], Path(folder) / TRAINED)
    with np.errstate(all="ignore"):  # values of seeds that diverged
        return {name: list(map(_without_nan, PLANS[name].measure(trained))) for name in names}


def _without_nan(measurement: Measurement) -> Measurement:
    """The measurement; NaN becomes the worse end of its metric, where it is ordered and counted."""
    return measurement._replace(value=worst_value(measurement.metric)) if math.isnan(measurement.value) else measurement


def run_trainings(
    trainings: Trainings, folder: Path, jobs: int, report: Callable[[int, int], None] = lambda _done, _all: None
) -> Measured:
    """Do all trainings, ``jobs`` processes at a time; the measurements of each experiment, in the order of the trainings.

    Args:
        trainings: recipes, each with the experiments that measure it.
        folder: where trainings are kept.
        jobs: processes of one thread each; with `IN_THIS_PROCESS` the work is done in this one, with all its threads.
        report: called with the number of trainings done and the number of all.

    Raises:
        LimitError: a process died.

    """
    by_recipe: dict[Recipe, Measured] = {}
    for recipe, measured in _completed(trainings, folder, jobs):
        by_recipe[recipe] = measured
        report(len(by_recipe), len(trainings))
    by_name: Measured = defaultdict(list)
    for recipe in trainings:
        for name, measurements in by_recipe[recipe].items():
            by_name[name] += measurements
    return by_name


def _completed(trainings: Trainings, folder: Path, jobs: int) -> Iterator[tuple[Recipe, Measured]]:
    """Each training with its measurements, in the order in which they end."""
    if jobs == IN_THIS_PROCESS:
        yield from ((recipe, measure_training(recipe, names, str(folder))) for recipe, names in trainings.items())
        return
    with _process_pool(jobs) as pool:
        waiting = {
            pool.submit(f"{__name__}:run_job", asdict(recipe), list(names), str(folder)): recipe
            for recipe, names in trainings.items()
        }
        while waiting:
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                recipe = waiting.pop(future)
                yield recipe, _result(future, recipe)


def run_job(recipe: Mapping[str, Any], names: Sequence[str], folder: str) -> Measured:
    """The job of a process: `measure_training` of a recipe as JSON holds it; it tells what there is to note."""
    try:
        return measure_training(Recipe(**recipe), names, folder)
    finally:
        tell(list(NOTES))
        NOTES.clear()


def _result(future: Future[Any], recipe: Recipe) -> Measured:
    try:
        measured = future.result()
    except WorkerDiedError as error:
        raise LimitError(
            f"a process died while {recipe.name} was trained", "what was trained until then is kept: run it again"
        ) from error
    return {name: [Measurement(*values) for values in rows] for name, rows in measured.items()}


def _note(notes: Iterable[str]) -> None:
    NOTES.update(dict.fromkeys(notes))


def _process_pool(jobs: int) -> Pool:
    """Processes with one thread each for XLA."""
    return Pool(jobs, hear=_note, environment={"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {ONE_THREAD}".strip()})
