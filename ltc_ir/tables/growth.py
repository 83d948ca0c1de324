"""Fits how fast a figure grows with a size, with the interval of the exponent, and says what outgrows what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special  # JAX itself depends on it

from ltc_ir.records.sweep import CHAIN, Faster, Growth, Metric, ProgramSweep

STEEPEST = 8.0
"""The largest exponent that is looked for; what grows faster has no upper end."""
FLATTEST = 0.02
"""The smallest exponent of a fit with an offset: below it the two terms cannot be told apart."""
APART = 0.1
"""By how much the intervals of two exponents must lie apart to be called different."""
_EXACT = 1e-20
"""The sum of squared relative differences below which a fit is exact but for rounding."""

Floats = NDArray[np.float64]


def with_growth(made: ProgramSweep, confidence: float) -> ProgramSweep:
    """The same program with the growth of each of its metrics, and what grows faster than what it is made from."""
    growth = {metric.name: _growth_of(made, metric, confidence) for metric in made.metrics()}
    floors = {metric.name: _floor(*_figures(made, metric)) for metric in made.metrics() if not metric.measured}
    return replace(made, growth=growth, faster=faster_in(growth, floors))


def _growth_of(made: ProgramSweep, metric: Metric, confidence: float) -> Growth:
    return grown(*_figures(made, metric), confidence, measured=metric.measured)


def _figures(made: ProgramSweep, metric: Metric) -> tuple[list[int], list[float]]:
    known = [point for point in made.points if metric.name in point.metrics]
    return [point.value for point in known], [point.metrics[metric.name] for point in known]


def grown(
    values: Sequence[int], figures: Sequence[float], confidence: float = 0.9, *, measured: bool = False
) -> Growth:
    """How ``figures`` grow with the sizes ``values``; ``measured`` ones are noisy, others exact.

    Figures that are all alike are ``constant``. With two or three sizes it is a straight line through the logarithms, which a
    program's fixed part bends, and there is no interval. From four sizes on, measured figures are first held against
    Student's interval of that line's slope (Draper and Smith, "Applied Regression Analysis", 1998, chapter 1): where it holds
    0, no growth is seen. Figures that grow are fitted by fixed + scale * n ** exponent, by least squares of relative
    differences. The exponent's interval is where the residual stays below its least times 1 + t² / (m - 3), t being Student's
    quantile of m - 3 degrees of freedom (the profile of the sum of squares: Bates and Watts, "Nonlinear Regression Analysis
    and Its Applications", 1988, chapter 6).
    """
    if len(figures) < 2:
        return Growth(reason="one size shows no growth" if len(figures) else "there is no figure at any size")
    if min(figures) == max(figures):
        return Growth("constant", 0.0, 0.0, 0.0, float(figures[0]))
    if min(figures) <= 0:
        where = next(value for value, figure in zip(values, figures, strict=True) if figure <= 0)
        return Growth(reason=f"it is {min(figures):g} at {where}, and no power of a size is")
    sizes, made = np.asarray(values, float), np.asarray(figures, float)
    line = _power(sizes, made, confidence)
    rises = bool((np.diff(made) >= 0).all())
    if len(made) < 4:
        return replace(line, low=None, high=None, grows=rises and not measured)
    if rises and not measured:
        return _offset(sizes, made, confidence)
    return _offset(sizes, made, confidence) if line.low is not None and line.low > 0 else line


def _power(sizes: Floats, made: Floats, confidence: float) -> Growth:
    """A straight line through the logarithms."""
    x, y = np.log(sizes), np.log(made)
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    scale = float(np.exp(y.mean() - slope * x.mean()))
    free = len(made) - 2
    if free < 1:
        return Growth("power", slope, None, None, scale)
    residual = float(((y - np.log(scale) - slope * x) ** 2).sum())
    half = _student(free, confidence) * (residual / free / spread) ** 0.5
    return Growth("power", slope, slope - half, slope + half, scale, grows=slope > half)


def _offset(sizes: Floats, made: Floats, confidence: float) -> Growth:
    """A fixed part and a power, by the relative differences; the exponent's interval from the profile of their squares."""

    def residual(exponent: float) -> float:
        return _linear(sizes, made, exponent)[2]

    grid = np.linspace(FLATTEST, STEEPEST, 400)
    least = int(np.argmin(_residuals(sizes, made, grid)))
    around = (grid[max(0, least - 1)], grid[min(len(grid) - 1, least + 1)])
    best = float(optimize.minimize_scalar(residual, bounds=around, method="bounded", options={"xatol": 1e-9}).x)
    fixed, scale, left = _linear(sizes, made, best)
    free = len(made) - 3
    bound = max(left, _EXACT) * (1 + _student(free, confidence) ** 2 / free)

    def outside(exponent: float) -> float:
        return residual(exponent) - bound

    low = None if outside(FLATTEST) <= 0 else float(optimize.brentq(outside, FLATTEST, best))
    high = None if outside(STEEPEST) <= 0 else float(optimize.brentq(outside, best, STEEPEST))
    return Growth("offset", best, low, high, scale, fixed, grows=True)


def _linear(sizes: Floats, made: Floats, exponent: float) -> tuple[float, float, float]:
    """The fixed part and the scale that fit best with this exponent, and the sum of squared relative differences."""
    columns = _columns(sizes, made, np.asarray(exponent))
    lengths = np.linalg.norm(columns, axis=0)
    fixed, scale = np.linalg.lstsq(columns / lengths, np.ones_like(made), rcond=None)[0] / lengths
    left = float(((columns @ [fixed, scale] - 1) ** 2).sum())
    return float(fixed), float(scale / sizes[-1] ** exponent), left


def _residuals(sizes: Floats, made: Floats, exponents: Floats) -> Floats:
    """The sum of squared relative differences with each exponent: what of 1 lies outside the space of the columns."""
    basis = np.linalg.qr(_columns(sizes, made, exponents)).Q
    inside = basis @ basis.sum(axis=1)[..., None]
    left: Floats = ((1 - inside[..., 0]) ** 2).sum(axis=1)
    return left


def _columns(sizes: Floats, made: Floats, exponents: Floats) -> Floats:
    """What the fixed part and the scale are multiplied by, relative to the figures, with each exponent."""
    powers = (sizes / sizes[-1]) ** exponents[..., None]  # of order 1, or the columns are too unlike to be solved for
    return np.stack([np.broadcast_to(1 / made, powers.shape), powers / made], axis=-1)


def _student(free: int, confidence: float) -> float:
    """The quantile that leaves ``1 - confidence`` outside, half of it on either side."""
    return float(special.stdtrit(free, (1 + confidence) / 2))


def _floor(values: Sequence[int], figures: Sequence[float]) -> float | None:
    """What the exponent of exact figures is at least: the slope between the last two sizes, where the slopes never fall.

    With a fixed part of 0 or more, the slope of the logarithms rises towards the exponent and never reaches it. This tells
    of growth that no power of the sizes follows.
    """
    if len(figures) < 3 or min(figures) <= 0:
        return None
    slopes = np.diff(np.log(np.asarray(figures, float))) / np.diff(np.log(np.asarray(values, float)))
    return float(slopes[-1]) if (np.diff(slopes) >= -1e-9).all() else None


def faster_in(growth: Mapping[str, Growth], floors: Mapping[str, float | None] | None = None) -> tuple[Faster, ...]:
    """What grows faster than what it is made from: its interval, or what it grows with at least, lies above the other's."""
    known = [name for name in CHAIN if name in growth and growth[name].exponent is not None]
    return tuple(
        Faster(after, before)
        for before, after in pairwise(known)
        if _above(growth[after], (floors or {}).get(after), growth[before])
    )


def _above(after: Growth, floor: float | None, before: Growth) -> bool:
    least = max((one for one in (after.low, floor) if one is not None), default=None)
    return after.grows and least is not None and before.high is not None and least > max(0.0, before.high) + APART
