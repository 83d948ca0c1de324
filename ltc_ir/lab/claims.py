"""The claims of the text as tests on the values of each seed, and the verdict on each: over the seeds and in its own tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltc_ir.lab import published
from ltc_ir.lab.data import SWITCHES, ZETAS, switch_name
from ltc_ir.lab.models import MODELS
from ltc_ir.lab.published import PUBLISHED, Key
from ltc_ir.lab.records import DIVERGED, Claim, Row

SURE = 0.95
"""The share of seeds from which on a claim holds, or with the rest of which it does not."""
HOLDS, FAILS, OPEN, UNLIKE = "holds", "does not hold", "a matter of the seed", "compares unlike things"
SELECTION = "test"
"""The selection on which claims are judged, as published."""
NEAR_ONE = 0.15
"""How far from 1 a ratio may be to be close to it: the published ones are, by 0.11 at most."""
RANGE = (0.3, 0.7)
"""What lies "around 0.5"."""

Values = NDArray[Any]
Lookup = Callable[..., Values]
"""The values of all seeds, (seeds,), by model, case, metric and variant; raises `KeyError` where there are none."""


@dataclass(frozen=True)
class ClaimTest:
    """The test of a claim: its name, what the text says, for which seeds it holds, and the values that show it.

    ``unlike`` names the unlike things that it compares, if it does.
    """

    name: str
    says: str
    holds: Callable[[Lookup], Values]
    why: Callable[[Lookup], str]
    unlike: str | None = None


ByModel = Mapping[str, Values]
"""Values of all seeds by model."""


def _lowest(by_model: ByModel, model: str = "ltc") -> Values:
    """Whether a model's value is below that of the other two."""
    return by_model[model] < np.minimum(*(by_model[other] for other in MODELS if other != model))


def _both_below_node(by_model: ByModel) -> Values:
    return np.maximum(by_model["ltc"], by_model["ctrnn"]) < by_model["node"]


def _medians_by_model(
    heading: str, by_model: Callable[[Lookup], ByModel], form: str = ".3g"
) -> Callable[[Lookup], str]:
    """The median of each model, under a heading."""

    def describe(lookup: Lookup) -> str:
        medians = ((model, float(np.median(values))) for model, values in by_model(lookup).items())
        return f"{heading}: " + ", ".join(f"{model} {median:{form}}" for model, median in medians)

    return describe


def _medians_by_case(heading: str, by_case: Callable[[Lookup], Values], form: str = ".3g") -> Callable[[Lookup], str]:
    """The medians of values (cases, seeds), case by case."""
    return lambda lookup: f"{heading}: " + ", ".join(format(float(np.median(seeds)), form) for seeds in by_case(lookup))


def _by_model_over(
    cases: tuple[str, ...], reduce: Callable[..., Values], metric: str = "mse"
) -> Callable[[Lookup], ByModel]:
    """A metric of each model, reduced over cases."""
    return lambda lookup: {
        model: reduce(np.array([lookup(model, case, metric) for case in cases]), axis=0) for model in MODELS
    }


RATIOS = tuple(f"{zeta:g}" for zeta in ZETAS)
_mean_error = _by_model_over(RATIOS, np.mean)
_worst_error = _by_model_over(RATIOS, np.max)
_at_half = _by_model_over(("0.5",), np.mean)


def _ltc_errors(lookup: Lookup) -> Values:
    return np.array([lookup("ltc", ratio) for ratio in RATIOS])


_BASE = (
    ClaimTest(
        "tau helps", "LTC and CTRNN tend to outperform Neural ODE",
        lambda lookup: _both_below_node(_mean_error(lookup)), _medians_by_model("mean error over ratios", _mean_error),
    ),
    ClaimTest(
        "stays whole", "LTC does not dominate every ratio, but it never fails catastrophically",
        lambda lookup: _worst_error(lookup)["ltc"] <= DIVERGED, _medians_by_model("largest error over ratios", _worst_error),
    ),
    ClaimTest(
        "best at 0.5", "LTC excels near ratio 0.5",
        lambda lookup: _lowest(_at_half(lookup)), _medians_by_model("error at 0.5", _at_half),
    ),
    ClaimTest(
        "worst at 0.1", "LTC struggles at ratio 0.1",
        lambda lookup: _ltc_errors(lookup).argmax(axis=0) == 0, _medians_by_case("errors at 0.1 to 1.2", _ltc_errors),
    ),
)  # fmt: skip

_ON = tuple(f"others on {ratio}" for ratio in RATIOS)
_spread, _mean_transfer = _by_model_over(_ON, np.std), _by_model_over(_ON, np.mean)
_TRANSFER = (
    ClaimTest(
        "most stable", "LTC has the most stable trend across test ratios",
        lambda lookup: _lowest(_spread(lookup)), _medians_by_model("spread over ratios", _spread),
    ),
    ClaimTest(
        "transfer", "LTC and CTRNN clearly outperform Neural ODE",
        lambda lookup: _both_below_node(_mean_transfer(lookup)), _medians_by_model("mean error", _mean_transfer),
    ),
)  # fmt: skip

_half_on = _by_model_over(("0.5 on 1.2",), np.mean)
_EXTRAPOLATION = (
    ClaimTest(
        "0.5 on 1.2", "trained on 0.5, LTC has the lowest error on 1.2",
        lambda lookup: _lowest(_half_on(lookup)), _medians_by_model("error", _half_on),
    ),
)  # fmt: skip


def _ratios(lookup: Lookup, sigmas: tuple[float, ...] = published.SIGMAS) -> ByModel:
    """Each ratio of a model, (ratios, seeds)."""
    return {
        model: np.array([lookup(model, ratio, "ratio", f"sigma {sigma:g}") for ratio in RATIOS for sigma in sigmas])
        for model in MODELS
    }


def _largest(lookup: Lookup) -> ByModel:
    return {model: np.abs(ratios - 1).max(axis=0) for model, ratios in _ratios(lookup).items()}


def _mean_ratio(lookup: Lookup, sigmas: tuple[float, ...] = published.SIGMAS) -> ByModel:
    return {model: ratios.mean(axis=0) for model, ratios in _ratios(lookup, sigmas).items()}


_at_large = partial(_mean_ratio, sigmas=published.SIGMAS[2:])
_NOISE = (
    ClaimTest(
        "near 1", f"degradation ratios stay close to 1 (within {NEAR_ONE:g}) for all three models",
        lambda lookup: np.max([*_largest(lookup).values()], axis=0) <= NEAR_ONE,
        _medians_by_model("largest distance from 1", _largest),
    ),
    ClaimTest(
        "smaller", "LTC degrades slightly less on average",
        lambda lookup: _lowest(_mean_ratio(lookup)), _medians_by_model("mean ratio", _mean_ratio, ".4g"),
    ),
    ClaimTest(
        "Neural ODE more", "Neural ODE degrades more at higher noise",
        lambda lookup: _at_large(lookup)["node"] > np.maximum(_at_large(lookup)["ltc"], _at_large(lookup)["ctrnn"]),
        _medians_by_model("mean ratio at sigma 0.1 and 0.2", _at_large, ".4g"),
    ),
)  # fmt: skip

SWITCH_NAMES = tuple(switch_name(*zetas) for zetas in SWITCHES)
"""The switches in the order of the claims."""
_worst_after = _by_model_over(SWITCH_NAMES, np.max, "mse after")


def _errors_after(lookup: Lookup, name: str) -> ByModel:
    return {model: lookup(model, name, "mse after") for model in MODELS}


def _not_diverged(lookup: Lookup) -> ByModel:
    return {model: errors <= DIVERGED for model, errors in _worst_after(lookup).items()}


def _ltc_alone_not_diverged(lookup: Lookup) -> Values:
    by_model = _not_diverged(lookup)
    return np.asarray(by_model["ltc"] & ~by_model["node"] & ~by_model["ctrnn"])


def _models_better_than_ltc(lookup: Lookup) -> Values:
    """How many models are better than LTC after each switch, (switches, seeds)."""
    by_switch = [_errors_after(lookup, name) for name in SWITCH_NAMES]
    return np.array(
        [(errors["node"] < errors["ltc"]).astype(int) + (errors["ctrnn"] < errors["ltc"]) for errors in by_switch]
    )


def _node_after_first(lookup: Lookup) -> Values:
    return lookup("node", SWITCH_NAMES[0], "mse after")


def _describe_node(lookup: Lookup) -> str:
    errors = _node_after_first(lookup)
    return f"error after: {np.median(errors):.3g}, least {errors.min():.3g}, most {errors.max():.3g}; published 2.25"


def _harder(lookup: Lookup) -> Values:
    """Whether the second switch is harder than the first, (models, seeds)."""
    first, second = (_errors_after(lookup, name) for name in SWITCH_NAMES[:2])
    return np.array([second[model] > first[model] for model in MODELS])


def _describe_harder(lookup: Lookup) -> str:
    counts = (
        f"{model} {int(seeds.sum())} of {len(seeds)}" for model, seeds in zip(MODELS, _harder(lookup), strict=True)
    )
    return "harder for " + ", ".join(counts)


_SWITCH = (
    ClaimTest(
        "never fails", "LTC never fails catastrophically in a switch",
        lambda lookup: _not_diverged(lookup)["ltc"], _medians_by_model("largest error after a switch", _worst_after),
    ),
    ClaimTest(
        "the only one", "LTC is the only architecture that never does",
        _ltc_alone_not_diverged, _medians_by_model("largest error after a switch", _worst_after),
    ),
    ClaimTest(
        "Neural ODE diverges", f"Neural ODE diverges at {SWITCH_NAMES[0]}",
        lambda lookup: _node_after_first(lookup) > DIVERGED, _describe_node,
    ),
    ClaimTest(
        "second-best", "LTC is second-best or better in every switch",
        lambda lookup: _models_better_than_ltc(lookup).max(axis=0) <= 1,
        lambda lookup: "seeds in which it is: " + ", ".join(
            f"{name} {int((rank <= 1).sum())}" for name, rank in zip(SWITCH_NAMES, _models_better_than_ltc(lookup), strict=True)
        ),
    ),
    ClaimTest(
        "harder back", f"{SWITCH_NAMES[1]} is harder than {SWITCH_NAMES[0]} for all models",
        lambda lookup: np.asarray(_harder(lookup).all(axis=0)), _describe_harder,
    ),
)  # fmt: skip

_TAU_CASES = tuple(f"{zeta:g}" for zeta in published.TAU_CASES)
_NO_SWITCH = "at 0.5 there is no switch, and its rise is that of an ordinary rollout"


def _of_ltc(metric: str) -> Callable[[Lookup], Values]:
    return lambda lookup: np.array([lookup("ltc", case, metric) for case in _TAU_CASES])


_level, _end, _up = _of_ltc("tau at the switch"), _of_ltc("tau at the end"), _of_ltc("share of steps up")


def _within(values: Values, ends: tuple[float, float]) -> Values:
    """Of each seed, whether the values of all cases lie between the ends."""
    inside = (values > ends[0]) & (values < ends[1])
    return np.asarray(inside.all(axis=0))


def _rise(lookup: Lookup) -> Values:
    return _end(lookup) - _level(lookup)


_TAU = (
    ClaimTest(
        "tau rises", "tau increases after the switch in all three cases",
        lambda lookup: np.all(_rise(lookup) > 0, axis=0), _medians_by_case("rise at 0.1, 0.5, 1.2", _rise, "+.3g"), _NO_SWITCH,
    ),
    ClaimTest(
        "monotonically", "it does so monotonically",
        lambda lookup: np.all(_up(lookup) == 1, axis=0), _medians_by_case("median share of steps up", _up, ".2f"), _NO_SWITCH,
    ),
    ClaimTest(
        "below 1", "tau lies between 0.69 and 0.74",
        lambda lookup: _within(_level(lookup), (0.6, 0.8)),
        lambda lookup: _medians_by_case("tau at the switch", _level)(lookup) + "; tau0 starts at 1 and softplus adds",
    ),
    ClaimTest(
        "range", "the absolute adaptation range is about 0.5",
        lambda lookup: _within(np.abs(_rise(lookup)), RANGE),
        _medians_by_case("change at 0.1, 0.5, 1.2", lambda lookup: np.abs(_rise(lookup))),
    ),
)  # fmt: skip


def _without_omega(lookup: Lookup) -> Values:
    return np.array([lookup("ltc", name, "mse after", "no Omega") for name in SWITCH_NAMES])


def _with_omega(lookup: Lookup) -> Values:
    return np.array([lookup("ltc", name, "mse after", "static, adaptive") for name in SWITCH_NAMES])


def _describe_improved(lookup: Lookup) -> str:
    better = _with_omega(lookup) < _without_omega(lookup)
    return ", ".join(
        f"{name}: {int(seeds.sum())} of {len(seeds)}" for name, seeds in zip(SWITCH_NAMES, better, strict=True)
    )


def _share_left(lookup: Lookup) -> Values:
    """What Omega leaves of the error, (switches, seeds)."""
    return _with_omega(lookup) / _without_omega(lookup)


def _describe_by_half(lookup: Lookup) -> str:
    """What Omega leaves, and how often another start does without Omega what is claimed for it."""
    errors = _without_omega(lookup)
    seeds = range(errors.shape[1])
    pairs = [(seed, other) for seed in seeds for other in seeds if seed != other]
    alone = sum(int((errors[:, other] <= 0.5 * errors[:, seed]).sum()) >= 3 for seed, other in pairs)
    medians = _medians_by_case("what it leaves of the error", _share_left, ".0%")(lookup)
    return f"{medians}; another seed alone, with no Omega, does so in {alone} of {len(pairs)} pairs of seeds"


def _more_from_higher(lookup: Lookup) -> Values:
    """Whether Omega helps more in each switch from a ratio of 0.8 or 1.2 than in any from a smaller one."""
    share = _share_left(lookup)
    high = np.array([before > 0.5 for before, _ in SWITCHES])
    return np.asarray(share[high].max(axis=0) < share[~high].min(axis=0))


def compare_pairs(before: Values, after: Values) -> str:
    """Wilcoxon's signed-rank test of two runs from the same start, with the rank-biserial correlation as effect size.

    Source: Kerby, "The Simple Difference Formula", 2014: the share of rank sums in favour less that against.
    """
    from scipy.stats import rankdata, wilcoxon

    differences = (before - after)[np.isfinite(before - after) & (before != after)]
    if len(differences) < 2:
        return "too few pairs that differ for a test"
    ranks = rankdata(np.abs(differences))
    effect = (ranks[differences > 0].sum() - ranks[differences < 0].sum()) / ranks.sum()
    change = np.median(after) / np.median(before) - 1
    return (
        f"median {np.median(before):.3g} -> {np.median(after):.3g} ({change:+.0%}); "
        f"p = {wilcoxon(differences).pvalue:.2g}, effect {effect:+.2f} (1: always lower)"
    )


def _pair_test(number: int) -> ClaimTest:
    return ClaimTest(
        f"paired {SWITCH_NAMES[number]}", f"Omega lowers the error after {SWITCH_NAMES[number]}",
        lambda lookup: _with_omega(lookup)[number] < _without_omega(lookup)[number],
        lambda lookup: compare_pairs(_without_omega(lookup)[number], _with_omega(lookup)[number]),
    )  # fmt: skip


_MDL = (
    ClaimTest(
        "three of four", "Omega improves at least three of four switches",
        lambda lookup: (_with_omega(lookup) < _without_omega(lookup)).sum(axis=0) >= 3, _describe_improved,
    ),
    ClaimTest(
        "by half", "by 50 to 99 % on three of four",
        lambda lookup: (_share_left(lookup) <= 0.5).sum(axis=0) >= 3, _describe_by_half,
    ),
    ClaimTest(
        "more from higher", "the adaptive lambda, larger at higher ratios, helps more there",
        _more_from_higher, _medians_by_case(f"what it leaves of the error, {', '.join(SWITCH_NAMES)}", _share_left, ".0%"),
    ),
    *map(_pair_test, range(len(SWITCH_NAMES))),
)  # fmt: skip

CLAIM_TESTS: Mapping[str, tuple[ClaimTest, ...]] = {
    "base": _BASE, "transfer": _TRANSFER, "extrapolation": _EXTRAPOLATION, "noise": _NOISE, "switch": _SWITCH,
    "tau": _TAU, "mdl": _MDL,
}  # fmt: skip
"""The tests of the claims about each experiment."""


def judge_claims(name: str, rows: Sequence[Row]) -> tuple[Claim, ...]:
    """The claims about an experiment, each judged on every rollout that has the values for it."""
    by_rollout: dict[str, dict[Key, Values]] = {}
    for row in rows:
        if row.selection == SELECTION:
            by_key = by_rollout.setdefault(row.rollout, {})
            by_key[row.model, row.case, row.variant, row.metric] = np.array(row.values)
    claims = (
        _judge_claim(test, rollout, by_key, name)
        for test in CLAIM_TESTS.get(name, ())
        for rollout, by_key in by_rollout.items()
    )
    return tuple(claim for claim in claims if claim is not None)


def _lookup_in(by_key: dict[Key, Values]) -> Lookup:
    def lookup(model: str, case: str, metric: str = "mse", variant: str = "") -> Values:
        return by_key[model, case, variant, metric]

    return lookup


def _judge_claim(test: ClaimTest, rollout: str, by_key: dict[Key, Values], name: str) -> Claim | None:
    """The claim over the seeds of a rollout; ``None`` where that has no values for it."""
    lookup = _lookup_in(by_key)
    try:
        held, why = test.holds(lookup), test.why(lookup)
    except KeyError:
        return None
    share = held.sum() / len(held)
    verdict = UNLIKE if test.unlike else HOLDS if share >= SURE else FAILS if share <= 1 - SURE else OPEN
    why = f"{why}; {test.unlike}" if test.unlike else why
    published = _holds_in_tables(test, name)
    return Claim(test.name, test.says, int(held.sum()), len(held), verdict, why, rollout, published)


def _holds_in_tables(test: ClaimTest, name: str) -> bool | None:
    """Whether the claim holds for the published values themselves; ``None`` where some are missing."""
    by_key: dict[Key, Any] = {key: np.array([value]) for key, value in PUBLISHED[name].items()}
    try:
        return bool(test.holds(_lookup_in(by_key))[0])
    except KeyError:
        return None
