"""What the text claims, held against the seeds: how often it is so, and whether like is compared with like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltc_ir.lab import published
from ltc_ir.lab.data import SWITCHES, ZETAS, switch_name
from ltc_ir.lab.models import MODELS
from ltc_ir.records.experiment import DIVERGED, Claim, Row

SURE = 0.95
"""The share of seeds from which on a claim holds, or with the rest of which it does not."""
NEAR_ONE = 0.1
"""How far from 1 a ratio may be to be close to it."""
UNLIKE = "compares unlike things"

Figures = NDArray[np.float64]
Lookup = Callable[..., Figures]


def claims_of(name: str, rows: Sequence[Row]) -> tuple[Claim, ...]:
    """The claims that an experiment bears on, from its rows as published: the two-pass rollout, selection on the test split."""
    found = {
        (row.model, row.case, row.variant, row.metric): np.array(row.values)
        for row in rows
        if row.selection == "test" and row.rollout != "closed loop"
    }

    def of(model: str, case: str, metric: str = "mse", variant: str = "") -> Figures:
        return found[model, case, variant, metric]

    return tuple(_CLAIMS[name](of)) if name in _CLAIMS else ()


def _claim(name: str, says: str, holds: Any, why: str, unlike: str | None = None) -> Claim:
    """``holds`` (seeds,) says of each seed whether the claim is so."""
    held, seeds = int(holds.sum()), len(holds)
    share = held / seeds
    verdict = "holds" if share >= SURE else "does not hold" if share <= 1 - SURE else "a matter of the seed"
    return Claim(name, says, held, seeds, UNLIKE if unlike else verdict, f"{why}; {unlike}" if unlike else why)


def _base(of: Lookup) -> Iterator[Claim]:
    means = {model: np.mean([of(model, f"{zeta:g}") for zeta in ZETAS], axis=0) for model in MODELS}
    best = np.maximum(means["ltc"], means["ctrnn"]) < means["node"]
    yield _claim(
        "tau helps", "LTC and CTRNN tend to outperform Neural ODE", best, _medians(means, "mean error over ratios")
    )
    at = {model: of(model, "0.5") for model in MODELS}
    excels = at["ltc"] < np.minimum(at["node"], at["ctrnn"])
    yield _claim("best at 0.5", "LTC excels near ratio 0.5", excels, _medians(at, "error at 0.5"))
    errors = np.array([of("ltc", f"{zeta:g}") for zeta in ZETAS])
    yield _claim(
        "worst at 0.1", "LTC struggles at ratio 0.1", errors.argmax(axis=0) == 0,
        "errors at 0.1 to 1.2: " + ", ".join(f"{np.median(one):.3g}" for one in errors),
    )  # fmt: skip


def _transfer(of: Lookup) -> Iterator[Claim]:
    errors = {model: np.array([of(model, f"others on {zeta:g}") for zeta in ZETAS]) for model in MODELS}
    spread = {model: made.std(axis=0) for model, made in errors.items()}
    stable = spread["ltc"] < np.minimum(spread["node"], spread["ctrnn"])
    yield _claim(
        "most stable",
        "LTC has the most stable trend across test ratios",
        stable,
        _medians(spread, "spread over ratios"),
    )
    means = {model: made.mean(axis=0) for model, made in errors.items()}
    better = np.maximum(means["ltc"], means["ctrnn"]) < means["node"]
    yield _claim("transfer", "LTC and CTRNN clearly outperform Neural ODE", better, _medians(means, "mean error"))


def _extrapolation(of: Lookup) -> Iterator[Claim]:
    at = {model: of(model, "0.5 on 1.2") for model in MODELS}
    lowest = at["ltc"] < np.minimum(at["node"], at["ctrnn"])
    yield _claim("0.5 on 1.2", "trained on 0.5, LTC has the lowest error on 1.2", lowest, _medians(at, "error"))


def _noise(of: Lookup) -> Iterator[Claim]:
    variants = [f"sigma {sigma:g}" for sigma in published.SIGMAS]
    ratios = {
        model: np.array([of(model, f"{zeta:g}", "ratio", variant) for zeta in ZETAS for variant in variants])
        for model in MODELS
    }
    largest = {model: np.abs(made - 1).max(axis=0) for model, made in ratios.items()}
    near = np.max([*largest.values()], axis=0) <= NEAR_ONE
    yield _claim(
        "near 1", f"degradation ratios stay close to 1 (within {NEAR_ONE:g}) for all three models", near,
        _medians(largest, "largest distance from 1"),
    )  # fmt: skip
    means = {model: np.abs(made - 1).mean(axis=0) for model, made in ratios.items()}
    smaller = means["ltc"] < np.minimum(means["node"], means["ctrnn"])
    yield _claim("smaller", "LTC degrades slightly less on average", smaller, _medians(means, "mean distance from 1"))


def _switch(of: Lookup) -> Iterator[Claim]:
    after = {model: np.array([of(model, switch_name(*one), "mse after") for one in SWITCHES]) for model in MODELS}
    worst = {model: made.max(axis=0) for model, made in after.items()}
    whole = {model: made <= DIVERGED for model, made in worst.items()}
    said = _medians(worst, "largest error after a switch")
    yield _claim("never fails", "LTC never fails catastrophically in a switch", whole["ltc"], said)
    only = whole["ltc"] & ~whole["node"] & ~whole["ctrnn"]
    yield _claim("the only one", "LTC is the only architecture that never does", only, said)
    first = switch_name(*SWITCHES[0])
    node = of("node", first, "mse after")
    yield _claim(
        "Neural ODE diverges", f"Neural ODE diverges at {first}", node > DIVERGED,
        f"error after: {np.median(node):.3g}, least {node.min():.3g}, most {node.max():.3g}; published 2.25",
    )  # fmt: skip


def _tau(of: Lookup) -> Iterator[Claim]:
    cases = [f"{zeta:g}" for zeta in published.TAU_CASES]
    up = np.array([of("ltc", case, "share of steps up") for case in cases])
    rise = np.array([of("ltc", case, "rise") for case in cases])
    level = np.array([of("ltc", case, "tau at the switch") for case in cases])
    said = ", ".join(f"{case}: {np.median(one):+.3g}" for case, one in zip(cases, rise, strict=True))
    unlike = "at 0.5 there is no switch, and its rise is that of an ordinary rollout"
    yield _claim(
        "tau rises", "tau increases after the switch in all three cases", np.all(rise > 0, axis=0), said, unlike
    )
    yield _claim(
        "monotonically", "it does so monotonically", np.all(up == 1, axis=0),
        "median share of steps up: " + ", ".join(f"{np.median(one):.2f}" for one in up), unlike,
    )  # fmt: skip
    yield _claim(
        "below 1", "tau lies between 0.69 and 0.74", np.all((level > 0.6) & (level < 0.8), axis=0),
        "tau at the switch: " + ", ".join(f"{np.median(one):.3g}" for one in level) + "; tau0 starts at 1 and softplus adds",
    )  # fmt: skip


def _mdl(of: Lookup) -> Iterator[Claim]:
    names = [switch_name(*one) for one in SWITCHES]
    plain = np.array([of("ltc", name, "mse after", "no Omega") for name in names])
    with_omega = np.array([of("ltc", name, "mse after", "static, adaptive") for name in names])
    better = with_omega < plain
    shares = ", ".join(f"{name}: {int(one.sum())} of {len(one)}" for name, one in zip(names, better, strict=True))
    yield _claim("three of four", "Omega improves at least three of four switches", better.sum(axis=0) >= 3, shares)
    halved = (with_omega <= 0.5 * plain).sum(axis=0) >= 3
    yield _claim("by half", "by 50 to 99 % on three of four", halved, "from the same initial values, seed by seed")
    for name, before, after in zip(names, plain, with_omega, strict=True):
        yield _claim(f"paired {name}", f"Omega lowers the error after {name}", after < before, paired(before, after))


def paired(before: Figures, after: Figures) -> str:
    """Wilcoxon's signed-rank test of two runs from the same start, with the rank-biserial correlation as effect size.

    Source: Kerby, "The Simple Difference Formula", 2014: the share of rank sums in favour less that against.
    """
    from scipy.stats import rankdata, wilcoxon

    apart = (before - after)[np.isfinite(before - after) & (before != after)]
    if len(apart) < 2:
        return "too few pairs that differ for a test"
    ranks = rankdata(np.abs(apart))
    effect = (ranks[apart > 0].sum() - ranks[apart < 0].sum()) / ranks.sum()
    change = np.median(after) / np.median(before) - 1
    return (
        f"median {np.median(before):.3g} -> {np.median(after):.3g} ({change:+.0%}); "
        f"p = {wilcoxon(apart).pvalue:.2g}, effect {effect:+.2f} (1: always lower)"
    )


def _medians(figures: dict[str, Figures], what: str) -> str:
    return f"{what}: " + ", ".join(f"{model} {np.median(made):.3g}" for model, made in figures.items())


_CLAIMS: dict[str, Callable[[Lookup], Iterator[Claim]]] = {
    "base": _base, "transfer": _transfer, "extrapolation": _extrapolation, "noise": _noise, "switch": _switch,
    "tau": _tau, "mdl": _mdl,
}  # fmt: skip
