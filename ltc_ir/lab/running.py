"""Runs experiments over processes, one a core: trainings that several share are done once, and kept ones are taken up."""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ltc_ir.errors import LimitError
from ltc_ir.lab.experiments import PLANS
from ltc_ir.lab.records import worst
from ltc_ir.lab.setup import Raw, Setup, oscillators
from ltc_ir.lab.training import Recipe, train

TRAINED = "trained"
"""The folder of trainings, in that of the results."""
HERE = 0
"""So many processes besides this one: the work is done in it."""
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
"""A process a core: a program that takes more threads takes them from its neighbours. Threads also decide the order of sums:
with one each, the numbers are the same bit for bit however many processes there are."""

Work = Mapping[Recipe, Sequence[str]]


def work_of(names: Iterable[str], setup: Setup) -> dict[Recipe, list[str]]:
    """The trainings that experiments need, each with the experiments that measure it; alike programs in a row."""
    found: dict[Recipe, list[str]] = defaultdict(list)
    for name in names:
        for recipe in PLANS[name].recipes(setup):
            if name not in found[recipe]:
                found[recipe].append(name)
    order = sorted(found, key=lambda recipe: (recipe.model, recipe.omega or "", recipe.seed, recipe.name))
    return {recipe: found[recipe] for recipe in order}


def do(recipe: Recipe, names: Sequence[str], folder: str) -> dict[str, list[Raw]]:
    """Train, or take a training that is kept, and measure it: what a process of the pool does."""
    trained = train(recipe, oscillators()[recipe.series], Path(folder) / TRAINED)
    with np.errstate(all="ignore"):  # of what diverged the figures say so
        return {name: list(map(_counted, PLANS[name].measure(trained))) for name in names}


def _counted(raw: Raw) -> Raw:
    """The figure; one that is no number at the worse end, for there it is ordered and counted."""
    return raw._replace(value=worst(raw.metric)) if math.isnan(raw.value) else raw


def run(
    work: Work, folder: Path, jobs: int, tell: Callable[[int, int], None] = lambda _done, _all: None
) -> dict[str, list[Raw]]:
    """Do all the work, ``jobs`` processes at a time; the figures of each experiment, in the order of the work.

    Args:
        work: what is to be done.
        folder: where trainings are kept.
        jobs: processes, of one thread each; with `HERE` it is done in this one, with the threads it has.
        tell: is told how many trainings are done, of how many.

    Raises:
        LimitError: a process did not survive.

    """
    made: dict[Recipe, dict[str, list[Raw]]] = {}
    for recipe, found in _done(work, folder, jobs):
        made[recipe] = found
        tell(len(made), len(work))
    figures: dict[str, list[Raw]] = defaultdict(list)
    for recipe in work:
        for name, raws in made[recipe].items():
            figures[name] += raws
    return figures


def _done(work: Work, folder: Path, jobs: int) -> Iterator[tuple[Recipe, dict[str, list[Raw]]]]:
    if jobs == HERE:
        yield from ((recipe, do(recipe, names, str(folder))) for recipe, names in work.items())
        return
    with _pool(jobs) as pool:
        waiting: dict[Future[Any], Recipe] = {
            pool.submit(do, recipe, names, str(folder)): recipe for recipe, names in work.items()
        }
        while waiting:
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                recipe = waiting.pop(future)
                yield recipe, _result(future, recipe)


def _result(future: Future[Any], recipe: Recipe) -> dict[str, list[Raw]]:
    from concurrent.futures.process import BrokenProcessPool

    try:
        made: dict[str, list[Raw]] = future.result()
    except BrokenProcessPool as error:
        raise LimitError(
            f"a process died while {recipe.name} was trained", "what was trained until then is kept: run it again"
        ) from error
    return made


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that each have one thread for XLA; what still waits is dropped when something ends the work."""
    before = os.environ.get("XLA_FLAGS")
    os.environ["XLA_FLAGS"] = f"{before or ''} {ONE_THREAD}".strip()
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        yield pool
    except BaseException:
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if before is None:
            del os.environ["XLA_FLAGS"]
        else:
            os.environ["XLA_FLAGS"] = before


def _end_with_parent() -> None:
    """End this process of a pool once the one that started it is gone: one that is killed tells nobody."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
