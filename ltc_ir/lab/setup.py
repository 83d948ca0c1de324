"""What an experiment is run with, and what comes out of one seed: seeds and epochs, the data, a figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ltc_ir.lab.data import Series, oscillator_set, switch_set
from ltc_ir.lab.training import EPOCHS, EVERY, EVERY_MDL, Recipe


@dataclass(frozen=True)
class Setup:
    """How experiments are run: the seeds, the epochs, and how many seeds train with Omega along the trajectory."""

    seeds: tuple[int, ...]
    epochs: int = EPOCHS
    trajectory_seeds: int = 5
    noisy: bool = False

    def recipe(self, model: str, zeta: float, seed: int, omega: str | None = None, weight: float = 0.0) -> Recipe:
        """The training of a model on one damping ratio; evaluated as often as published, or once where that does not fit."""
        every = EVERY if omega is None else EVERY_MDL
        every = every if self.epochs % every == 0 else self.epochs
        return Recipe(model, f"{zeta:g}", seed, self.epochs, every, omega, weight, self.noisy)


class Raw(NamedTuple):
    """One figure of one seed."""

    model: str
    case: str
    variant: str
    metric: str
    rollout: str
    selection: str
    seed: int
    value: float


@cache
def oscillators() -> dict[str, Series]:
    """The published oscillator series."""
    return oscillator_set()


@cache
def switches() -> dict[str, Series]:
    """The published switch series."""
    return switch_set()


def switches_from(own: str) -> list[Series]:
    """The switches that start from a damping ratio."""
    return [series for series in switches().values() if f"{series.zetas[0]:g}" == own]
