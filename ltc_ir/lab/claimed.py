"""What the text claims, each as a question to the figures of a seed: whether it is so, and by which figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltc_ir.lab import published
from ltc_ir.lab.data import SWITCHES, ZETAS, switch_name
from ltc_ir.lab.models import MODELS
from ltc_ir.lab.records import DIVERGED

NEAR_ONE = 0.15
"""How far from 1 a ratio may be to be close to it: the published ones are, by 0.11 at most."""
RANGE = (0.3, 0.7)
"""What lies "around 0.5"."""

Figures = NDArray[Any]
Lookup = Callable[..., Figures]
"""The figures of all seeds, (seeds,), by model, case, metric and variant; a `KeyError` where there are none."""


@dataclass(frozen=True)
class Asked:
    """A claim: its name, what the text says, of each seed whether it is so, and the figures by which.

    ``unlike`` says which unlike things it compares, where it does.
    """

    name: str
    says: str
    holds: Callable[[Lookup], Figures]
    why: Callable[[Lookup], str]
    unlike: str | None = None


ByModel = Mapping[str, Figures]


def _lowest(found: ByModel, model: str = "ltc") -> Figures:
    """Whether a model's figure is below that of the other two."""
    return found[model] < np.minimum(*(found[other] for other in MODELS if other != model))


def _both_below_node(found: ByModel) -> Figures:
    return np.maximum(found["ltc"], found["ctrnn"]) < found["node"]


def _medians(what: str, figures: Callable[[Lookup], ByModel], form: str = ".3g") -> Callable[[Lookup], str]:
    """The median of each model, under a heading."""

    def said(of: Lookup) -> str:
        return f"{what}: " + ", ".join(
            f"{model} {float(np.median(made)):{form}}" for model, made in figures(of).items()
        )

    return said


def _listed(what: str, figures: Callable[[Lookup], Figures], form: str = ".3g") -> Callable[[Lookup], str]:
    """The medians of figures (cases, seeds), case by case."""
    return lambda of: f"{what}: " + ", ".join(format(float(np.median(one)), form) for one in figures(of))


def _over(cases: tuple[str, ...], how: Callable[..., Figures], metric: str = "mse") -> Callable[[Lookup], ByModel]:
    """A figure of each model over cases."""
    return lambda of: {model: how(np.array([of(model, case, metric) for case in cases]), axis=0) for model in MODELS}


RATIOS = tuple(f"{zeta:g}" for zeta in ZETAS)
_mean_error = _over(RATIOS, np.mean)
_worst_error = _over(RATIOS, np.max)
_at_half = _over(("0.5",), np.mean)


def _ltc_errors(of: Lookup) -> Figures:
    return np.array([of("ltc", ratio) for ratio in RATIOS])


_BASE = (
    Asked(
        "tau helps", "LTC and CTRNN tend to outperform Neural ODE",
        lambda of: _both_below_node(_mean_error(of)), _medians("mean error over ratios", _mean_error),
    ),
    Asked(
        "stays whole", "LTC does not dominate every ratio, but it never fails catastrophically",
        lambda of: _worst_error(of)["ltc"] <= DIVERGED, _medians("largest error over ratios", _worst_error),
    ),
    Asked(
        "best at 0.5", "LTC excels near ratio 0.5",
        lambda of: _lowest(_at_half(of)), _medians("error at 0.5", _at_half),
    ),
    Asked(
        "worst at 0.1", "LTC struggles at ratio 0.1",
        lambda of: _ltc_errors(of).argmax(axis=0) == 0, _listed("errors at 0.1 to 1.2", _ltc_errors),
    ),
)  # fmt: skip

_ON = tuple(f"others on {ratio}" for ratio in RATIOS)
_spread, _mean_transfer = _over(_ON, np.std), _over(_ON, np.mean)
_TRANSFER = (
    Asked(
        "most stable", "LTC has the most stable trend across test ratios",
        lambda of: _lowest(_spread(of)), _medians("spread over ratios", _spread),
    ),
    Asked(
        "transfer", "LTC and CTRNN clearly outperform Neural ODE",
        lambda of: _both_below_node(_mean_transfer(of)), _medians("mean error", _mean_transfer),
    ),
)  # fmt: skip

_half_on = _over(("0.5 on 1.2",), np.mean)
_EXTRAPOLATION = (
    Asked(
        "0.5 on 1.2", "trained on 0.5, LTC has the lowest error on 1.2",
        lambda of: _lowest(_half_on(of)), _medians("error", _half_on),
    ),
)  # fmt: skip


def _ratios(of: Lookup, sigmas: tuple[float, ...] = published.SIGMAS) -> ByModel:
    """Each ratio of a model, (ratios, seeds)."""
    return {
        model: np.array([of(model, ratio, "ratio", f"sigma {sigma:g}") for ratio in RATIOS for sigma in sigmas])
        for model in MODELS
    }


def _largest(of: Lookup) -> ByModel:
    return {model: np.abs(made - 1).max(axis=0) for model, made in _ratios(of).items()}


def _mean_ratio(of: Lookup, sigmas: tuple[float, ...] = published.SIGMAS) -> ByModel:
    return {model: made.mean(axis=0) for model, made in _ratios(of, sigmas).items()}


_at_large = partial(_mean_ratio, sigmas=published.SIGMAS[2:])
_NOISE = (
    Asked(
        "near 1", f"degradation ratios stay close to 1 (within {NEAR_ONE:g}) for all three models",
        lambda of: np.max([*_largest(of).values()], axis=0) <= NEAR_ONE, _medians("largest distance from 1", _largest),
    ),
    Asked(
        "smaller", "LTC degrades slightly less on average",
        lambda of: _lowest(_mean_ratio(of)), _medians("mean ratio", _mean_ratio, ".4g"),
    ),
    Asked(
        "Neural ODE more", "Neural ODE degrades more at higher noise",
        lambda of: _at_large(of)["node"] > np.maximum(_at_large(of)["ltc"], _at_large(of)["ctrnn"]),
        _medians("mean ratio at sigma 0.1 and 0.2", _at_large, ".4g"),
    ),
)  # fmt: skip

NAMES = tuple(switch_name(*one) for one in SWITCHES)
_worst_after = _over(NAMES, np.max, "mse after")


def _after(of: Lookup, name: str) -> ByModel:
    return {model: of(model, name, "mse after") for model in MODELS}


def _whole(of: Lookup) -> ByModel:
    return {model: made <= DIVERGED for model, made in _worst_after(of).items()}


def _rank(of: Lookup) -> Figures:
    """How many models are better than LTC after each switch, (switches, seeds)."""
    found = [_after(of, name) for name in NAMES]
    return np.array([(one["node"] < one["ltc"]).astype(int) + (one["ctrnn"] < one["ltc"]) for one in found])


def _node_first(of: Lookup) -> Figures:
    return of("node", NAMES[0], "mse after")


def _node_said(of: Lookup) -> str:
    made = _node_first(of)
    return f"error after: {np.median(made):.3g}, least {made.min():.3g}, most {made.max():.3g}; published 2.25"


def _harder(of: Lookup) -> Figures:
    """Whether the second switch is harder than the first, (models, seeds)."""
    return np.array([_after(of, NAMES[1])[model] > _after(of, NAMES[0])[model] for model in MODELS])


def _harder_said(of: Lookup) -> str:
    said = (f"{model} {int(one.sum())} of {len(one)}" for model, one in zip(MODELS, _harder(of), strict=True))
    return "harder for " + ", ".join(said)


_SWITCH = (
    Asked(
        "never fails", "LTC never fails catastrophically in a switch",
        lambda of: _whole(of)["ltc"], _medians("largest error after a switch", _worst_after),
    ),
    Asked(
        "the only one", "LTC is the only architecture that never does",
        lambda of: np.asarray(_whole(of)["ltc"] & ~_whole(of)["node"] & ~_whole(of)["ctrnn"]),
        _medians("largest error after a switch", _worst_after),
    ),
    Asked(
        "Neural ODE diverges", f"Neural ODE diverges at {NAMES[0]}",
        lambda of: _node_first(of) > DIVERGED, _node_said,
    ),
    Asked(
        "second-best", "LTC is second-best or better in every switch",
        lambda of: _rank(of).max(axis=0) <= 1,
        lambda of: "seeds in which it is: " + ", ".join(
            f"{name} {int((one <= 1).sum())}" for name, one in zip(NAMES, _rank(of), strict=True)
        ),
    ),
    Asked(
        "harder back", f"{NAMES[1]} is harder than {NAMES[0]} for all models",
        lambda of: np.asarray(_harder(of).all(axis=0)), _harder_said,
    ),
)  # fmt: skip

_TAU_CASES = tuple(f"{zeta:g}" for zeta in published.TAU_CASES)
_NO_SWITCH = "at 0.5 there is no switch, and its rise is that of an ordinary rollout"


def _of_ltc(metric: str) -> Callable[[Lookup], Figures]:
    return lambda of: np.array([of("ltc", case, metric) for case in _TAU_CASES])


_level, _end, _up = _of_ltc("tau at the switch"), _of_ltc("tau at the end"), _of_ltc("share of steps up")


def _within(figures: Figures, ends: tuple[float, float]) -> Figures:
    """Of each seed, whether the figures of all cases lie between the ends."""
    inside = (figures > ends[0]) & (figures < ends[1])
    return np.asarray(inside.all(axis=0))


def _rise(of: Lookup) -> Figures:
    return _end(of) - _level(of)


_TAU = (
    Asked(
        "tau rises", "tau increases after the switch in all three cases",
        lambda of: np.all(_rise(of) > 0, axis=0), _listed("rise at 0.1, 0.5, 1.2", _rise, "+.3g"), _NO_SWITCH,
    ),
    Asked(
        "monotonically", "it does so monotonically",
        lambda of: np.all(_up(of) == 1, axis=0), _listed("median share of steps up", _up, ".2f"), _NO_SWITCH,
    ),
    Asked(
        "below 1", "tau lies between 0.69 and 0.74",
        lambda of: _within(_level(of), (0.6, 0.8)),
        lambda of: _listed("tau at the switch", _level)(of) + "; tau0 starts at 1 and softplus adds",
    ),
    Asked(
        "range", "the absolute adaptation range is about 0.5",
        lambda of: _within(np.abs(_rise(of)), RANGE),
        _listed("change at 0.1, 0.5, 1.2", lambda of: np.abs(_rise(of))),
    ),
)  # fmt: skip


def _plain(of: Lookup) -> Figures:
    return np.array([of("ltc", name, "mse after", "no Omega") for name in NAMES])


def _with_omega(of: Lookup) -> Figures:
    return np.array([of("ltc", name, "mse after", "static, adaptive") for name in NAMES])


def _improved(of: Lookup) -> str:
    better = _with_omega(of) < _plain(of)
    return ", ".join(f"{name}: {int(one.sum())} of {len(one)}" for name, one in zip(NAMES, better, strict=True))


def _share(of: Lookup) -> Figures:
    """What Omega leaves of the error, (switches, seeds)."""
    return _with_omega(of) / _plain(of)


def _by_half_said(of: Lookup) -> str:
    """What Omega leaves, and how often another start does with no Omega what is claimed for it."""
    plain = _plain(of)
    seeds = range(plain.shape[1])
    pairs = [(one, other) for one in seeds for other in seeds if one != other]
    alone = sum(int((plain[:, other] <= 0.5 * plain[:, one]).sum()) >= 3 for one, other in pairs)
    said = _listed("what it leaves of the error", _share, ".0%")(of)
    return f"{said}; another seed alone, with no Omega, does so in {alone} of {len(pairs)} pairs of seeds"


def _more_from_higher(of: Lookup) -> Figures:
    """Whether Omega helps more in each switch from a ratio of 0.8 or 1.2 than in any from a smaller one."""
    share = _share(of)
    high = np.array([before > 0.5 for before, _ in SWITCHES])
    return np.asarray(share[high].max(axis=0) < share[~high].min(axis=0))


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


def _pair(number: int) -> Asked:
    return Asked(
        f"paired {NAMES[number]}", f"Omega lowers the error after {NAMES[number]}",
        lambda of: _with_omega(of)[number] < _plain(of)[number],
        lambda of: paired(_plain(of)[number], _with_omega(of)[number]),
    )  # fmt: skip


_MDL = (
    Asked(
        "three of four", "Omega improves at least three of four switches",
        lambda of: (_with_omega(of) < _plain(of)).sum(axis=0) >= 3, _improved,
    ),
    Asked(
        "by half", "by 50 to 99 % on three of four",
        lambda of: (_share(of) <= 0.5).sum(axis=0) >= 3, _by_half_said,
    ),
    Asked(
        "more from higher", "the adaptive lambda, larger at higher ratios, helps more there",
        _more_from_higher, _listed(f"what it leaves of the error, {', '.join(NAMES)}", _share, ".0%"),
    ),
    *map(_pair, range(len(NAMES))),
)  # fmt: skip

CLAIMED: Mapping[str, tuple[Asked, ...]] = {
    "base": _BASE, "transfer": _TRANSFER, "extrapolation": _EXTRAPOLATION, "noise": _NOISE, "switch": _SWITCH,
    "tau": _TAU, "mdl": _MDL,
}  # fmt: skip
"""The claims that each experiment bears on."""
