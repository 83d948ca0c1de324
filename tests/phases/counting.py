"""Multisets of equations by phase, as the tool counts them in a jaxpr."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from ltc_ir.targets import prepare
from ltc_ir.targets.target import Target
from tests.phases.programs import Specimen
from tests.tables.counted import read

Phases = Mapping[str, Counter[str]]


def phases_of(function: Callable[..., Any], *args: Any) -> Phases:
    """Of each phase, how many equations of each primitive a function has."""
    return _phases(Target(function, args), "forward")


def phases_of_gradient(specimen: Specimen) -> Phases:
    """Of each phase, how many equations of each primitive the gradient has that the tool makes of a specimen."""
    target = Target(specimen.function, specimen.args, argnums=specimen.argnums, has_aux=specimen.has_aux)
    return _phases(target, "grad")


def _phases(target: Target, program: str) -> Phases:
    tally = read(prepare.stage(target, program, None), ("jaxpr",))["jaxpr"].tally
    return defaultdict(Counter, {phase: Counter(ops) for phase, ops in tally.phases.items()})
