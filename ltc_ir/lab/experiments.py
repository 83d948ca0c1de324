"""The published experiments: which trainings each needs, what it measures on one, and how seeds become a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ltc_ir.lab import measuring, published
from ltc_ir.lab.data import SWITCHES, ZETAS
from ltc_ir.lab.measuring import LAMBDAS, NO_OMEGA, TEACHER_FORCED, TWO_PASS, ZERO, adaptive
from ltc_ir.lab.models import MODELS
from ltc_ir.lab.records import Row, worst
from ltc_ir.lab.setup import Raw, Setup
from ltc_ir.lab.training import Recipe, Trained

MODEL_ORDER = (*published.MODELS, ZERO)
"""The models of a case, below each other."""
ANOTHER_SEED = "no Omega, another seed"
"""The control of an improvement: what a change of the initial values alone does."""


def _same(raws: Sequence[Raw]) -> Iterable[Raw]:
    return raws


@dataclass(frozen=True)
class Plan:
    """An experiment: its name and what it is about, the trainings it needs, what it measures on one.

    ``combine`` makes further figures of those of all trainings; what it is given and does not give is not shown.
    ``rollout`` is the one that was published.
    """

    name: str
    about: str
    recipes: Callable[[Setup], Iterable[Recipe]]
    measure: Callable[[Trained], Iterable[Raw]]
    combine: Callable[[Sequence[Raw]], Iterable[Raw]] = _same
    rollout: str = TWO_PASS

    def as_published(self, row: Row) -> bool:
        """Whether a row is run and selected as published."""
        return row.rollout == self.rollout and row.selection == "test"


def _of(zetas: Iterable[float], models: Iterable[str] = tuple(MODELS)) -> Callable[[Setup], Iterator[Recipe]]:
    def recipes(setup: Setup) -> Iterator[Recipe]:
        return (setup.recipe(model, zeta, seed) for model in models for zeta in zetas for seed in setup.seeds)

    return recipes


def _with_zero(error: Callable[[Raw], float], raws: Iterable[Raw]) -> Iterator[Raw]:
    """The figures, and beside those of one model the ones of the model that says 0, which are alike for each seed."""
    for raw in raws:
        yield raw
        if raw.model == published.MODELS[0]:
            yield raw._replace(model=ZERO, value=error(raw))


def _transfer(raws: Sequence[Raw]) -> Iterator[Raw]:
    return _with_zero(measuring.base_zero, _mean_over_others(raws))


def _mean_over_others(raws: Sequence[Raw]) -> Iterator[Raw]:
    """The mean over the ratios trained on, by the ratio tested on."""
    groups: dict[Raw, list[float]] = defaultdict(list)
    for raw in raws:
        tested = raw.case.rpartition(" on ")[2]
        groups[raw._replace(case=f"others on {tested}", value=0.0)].append(raw.value)
    return (raw._replace(value=float(np.mean(values))) for raw, values in groups.items())


def _mdl_recipes(setup: Setup) -> Iterator[Recipe]:
    for before, _ in SWITCHES:
        for number, seed in enumerate(setup.seeds):
            yield setup.recipe("ltc", before, seed)
            for omega in ("static", "trajectory"):
                if omega == "static" or number < setup.trajectory_seeds:
                    for weight in dict.fromkeys((*LAMBDAS, adaptive(before))):
                        yield setup.recipe("ltc", before, seed, omega, weight)


def _with_improvement(raws: Sequence[Raw]) -> Iterator[Raw]:
    """The errors, and by how much Omega lowers them from the same start, in percent.

    Beside it stands by how much another start lowers them with no Omega at all: each seed's error beside the next one's.
    """
    plain = {_beside(raw): raw for raw in raws if raw.variant == NO_OMEGA}
    after = dict(_next_seeds(plain.values()))
    for raw in raws:
        yield raw
        before = plain.get(_beside(raw))
        if raw.variant == NO_OMEGA:
            if raw in after:
                yield _improved(raw, after[raw].value, ANOTHER_SEED)
        elif before is not None:
            yield _improved(before, raw.value, raw.variant)


def _beside(raw: Raw) -> tuple[object, ...]:
    """What two figures share that are compared."""
    return raw._replace(variant="", value=0.0)


def _improved(before: Raw, after: float, variant: str) -> Raw:
    """The improvement in percent; of what diverged and stayed so, none: minus infinity, so that it is counted."""
    with np.errstate(invalid="ignore"):
        value = 100 * (before.value - after) / before.value if np.isfinite(before.value) else worst("improvement")
    return before._replace(metric="improvement", variant=variant, value=value)


def _next_seeds(raws: Iterable[Raw]) -> Iterator[tuple[Raw, Raw]]:
    """Each figure and that of the next seed; after the last comes the first."""
    groups: dict[Raw, list[Raw]] = defaultdict(list)
    for raw in raws:
        groups[raw._replace(seed=0, value=0.0)].append(raw)
    for held in groups.values():
        ordered = sorted(held, key=lambda raw: raw.seed)
        yield from zip(ordered, [*ordered[1:], ordered[0]], strict=True) if len(ordered) > 1 else ()


_ALL = _of(ZETAS)
_SWITCHED = tuple(before for before, _ in SWITCHES)
_BASE_ZERO = partial(_with_zero, measuring.base_zero)
PLANS = {
    plan.name: plan
    for plan in (
        Plan("base", "the error of each model on its own damping ratio", _ALL, measuring.base, _BASE_ZERO),
        Plan(
            "switch", "the error before and after the damping ratio changes at t = 10", _of(_SWITCHED),
            measuring.switch, partial(_with_zero, measuring.switch_zero),
        ),
        Plan("transfer", "the error on a ratio, over those trained on others", _ALL, measuring.transfer, _transfer),
        Plan(
            "extrapolation", "the error on ratio 1.2, trained on smaller ones", _of(ZETAS[:-1]),
            measuring.extrapolation, _BASE_ZERO,
        ),
        Plan("noise", "how much noise on the first observation raises the error", _ALL, measuring.noise),
        Plan("tau", "the LTC's mean time constant from the switch on", _of(published.TAU_CASES, ("ltc",)), measuring.tau),
        Plan("mdl", "the error after a switch with Omega, from the same start", _mdl_recipes, measuring.mdl, _with_improvement),
        Plan(
            "attractor", "how far the orbits of a model lie from the true ones", _of((0.3,)), measuring.attractor,
            partial(_with_zero, measuring.attractor_zero), TEACHER_FORCED,
        ),
    )
}  # fmt: skip
"""The experiments by name; base and switch first, as most hangs on them."""


def rows_of(plan: Plan, raws: Sequence[Raw]) -> tuple[Row, ...]:
    """The table of an experiment: figures that differ in their seed alone are one row."""
    known = published.PUBLISHED[plan.name]
    groups: dict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
    for raw in plan.combine(raws):
        groups[raw[:6]][raw.seed] = raw.value
    rows = []
    for model, case, variant, metric, rollout, selection in _ordered(groups, known):
        by_seed = groups[model, case, variant, metric, rollout, selection]
        row = Row(model, case, metric, tuple(by_seed[seed] for seed in sorted(by_seed)), rollout, selection, variant)
        value = known.get((model, case, variant, metric)) if plan.as_published(row) else None
        rows.append(replace(row, published=value))
    return tuple(rows)


def _ordered(keys: Iterable[tuple[str, ...]], published_first: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Rows in the order they are read in: cases as published, then as they came, the models of a case below each other."""
    known = list(keys)
    ranks = [list(dict.fromkeys(key[place] for key in known)) for place in range(6)]
    ranks[1] = list(dict.fromkeys([*(key[1] for key in published_first), *ranks[1]]))

    def place(key: tuple[str, ...]) -> tuple[int, ...]:
        model, case, variant, metric, rollout, selection = key
        ways = ranks[4].index(rollout), ranks[5].index(selection)
        return (ranks[3].index(metric), ranks[1].index(case), ranks[2].index(variant), MODEL_ORDER.index(model), *ways)

    return sorted(known, key=place)


def unmatched(plan: Plan, rows: Iterable[Row]) -> set[tuple[str, str, str, str]]:
    """The published figures that no row stands beside."""
    return set(published.PUBLISHED[plan.name]) - {(row.model, row.case, row.variant, row.metric) for row in rows}
