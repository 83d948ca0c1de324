"""Ways to train several seeds, beside the published one: a jitted step called from Python, one seed after the other."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import jax

from benchmarks.common import Result, of_pairs, timed
from ltc_ir.lab.data import oscillator_set
from ltc_ir.lab.models import MODELS
from ltc_ir.lab.models.common import adam_start
from ltc_ir.lab.training import problem_of
from ltc_ir.lab.training_pool import ONE_THREAD

SEEDS = 4
ZETAS = ("0.1", "1.2")


class Way:
    """One model on one damping ratio, its seeds trained for some epochs in several ways; each way is compiled before."""

    def __init__(self, model: str, zeta: str, epochs: int) -> None:
        held: Any = MODELS[model]
        problem = problem_of(oscillator_set()[zeta].train)
        self.epochs = epochs
        self.begun = [held.flatten(held.init(jax.random.key(seed))) for seed in range(SEEDS)]
        self.states = [adam_start(params) for params in self.begun]
        self.step = jax.jit(lambda params, state: held.train_step(params, state, problem))

        def scanned(params: Any, state: Any) -> Any:
            def epoch(carry: Any, _: None) -> Any:
                *carried, loss = held.train_step(*carry, problem)
                return tuple(carried), loss

            return jax.lax.scan(epoch, (params, state), None, length=epochs)

        self.scanned = jax.jit(scanned)
        self.vmapped = jax.jit(jax.vmap(scanned))
        self.mapped = jax.jit(lambda params, states: jax.lax.map(lambda one: scanned(*one), (params, states)))
        self.stacked = jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *zip(self.begun, self.states, strict=True))

    def published(self) -> None:
        """A jitted step, called from Python for each epoch."""
        for params, state in zip(self.begun, self.states, strict=True):
            carried = (params, state)
            for _ in range(self.epochs):
                *carried, _loss = self.step(*carried)  # type: ignore[assignment]
            jax.block_until_ready(carried)

    def over_epochs(self) -> None:
        """A scan over epochs, one seed after the other: what `ltc-ir experiment` does in each process."""
        for params, state in zip(self.begun, self.states, strict=True):
            jax.block_until_ready(self.scanned(params, state))

    def together(self, compiled: Any) -> None:
        """All seeds in one call."""
        jax.block_until_ready(compiled(*self.stacked))


def _in_a_process(model: str, zeta: str, epochs: int) -> tuple[float, float]:
    """When a process that trains all the seeds began and ended, its compile before that."""
    way = Way(model, zeta, epochs)
    way.over_epochs()
    began = time.monotonic()
    way.over_epochs()
    return began, time.monotonic()


def processes(model: str, zeta: str, epochs: int, cores: int) -> float:
    """Seconds a seed takes with a process on each core, all at work at once."""
    before = os.environ.get("XLA_FLAGS")
    os.environ["XLA_FLAGS"] = f"{before or ''} {ONE_THREAD}".strip()
    try:
        with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
            ran = list(pool.map(_in_a_process, [model] * cores, [zeta] * cores, [epochs] * cores))
    finally:
        os.environ.pop("XLA_FLAGS")
        if before is not None:
            os.environ["XLA_FLAGS"] = before
    return sum(end - began for began, end in ran) / cores / cores / SEEDS


def benchmark(runs: int, *, quick: bool = False) -> list[Result]:
    """The lines of training in the report."""
    epochs = 2 if quick else 20
    models = ("ltc",) if quick else ("ltc", "node")
    results = []
    for model in models:
        for zeta in ZETAS[:1] if quick else ZETAS:
            results += _ways(f"{model} on {zeta}", Way(model, zeta, epochs), runs)
    return [*results, _on_all_cores(models[0], epochs, 1 if quick else runs)]


def _ways(name: str, way: Way, runs: int) -> list[Result]:
    ways: dict[str, Callable[[], None]] = {
        "a scan over epochs": way.over_epochs,
        f"vmap over {SEEDS} seeds": partial(way.together, way.vmapped),
        f"lax.map over {SEEDS} seeds": partial(way.together, way.mapped),
    }
    results = []
    for what, one in ways.items():
        one(), way.published()  # compiled before
        ratios = [timed(one)[0] / timed(way.published)[0] for _ in range(runs)]
        results.append(of_pairs(f"{name}: {what} / a jitted step called from Python", ratios))
    return results


def _on_all_cores(model: str, epochs: int, runs: int) -> Result:
    """A process on each core beside the published way in one, a seed's share of the time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    way = Way(model, ZETAS[0], epochs)
    way.published()
    ratios = [
        processes(model, ZETAS[0], epochs, cores) / (timed(way.published)[0] / SEEDS) for _ in range(min(runs, 3))
    ]
    what = f"{model} on {ZETAS[0]}: a process on each of {cores} cores / a jitted step called from Python"
    return of_pairs(what, ratios, more="a seed's share of the time")
