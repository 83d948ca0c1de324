"""Asks whether the published figures of a model, taken together, could be one more seed: those of a seed hang together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ltc_ir.lab.records import Row, Together

Figures = NDArray[np.float64]


def together_of(rows: Iterable[Row]) -> tuple[Together, ...]:
    """Of each model with published figures: how far these lie from the seeds, and how many seeds lie farther from the rest.

    A figure's distance is that from the median of the seeds, in units of their median absolute deviation, on a log scale
    where all are positive; the distance of a seed, or of what was published, is the mean over its figures. Each is taken
    from all the others, what was published among them: were that one more seed, any number farther would be as likely.
    Figures in which seeds do not differ, or whose median is no number, are left out.
    """
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.published is not None:
            by_model[row.model].append(row)
    made = (_together(model, held) for model, held in by_model.items())
    return tuple(one for one in made if one is not None)


def _together(model: str, rows: Sequence[Row]) -> Together | None:
    seeds = max(row.seeds for row in rows)
    scaled = [_scaled(row) for row in rows if row.seeds == seeds]
    usable = [one for one in scaled if _spread(one[1:]) > 0]
    if not usable or seeds < 3:
        return None
    figures = np.array(usable)
    apart, *others = (_distance(figures[:, one], np.delete(figures, one, axis=1)) for one in range(seeds + 1))
    farther = sum(other >= apart for other in others)
    return Together(model, len(usable), sum(bool(row.inside) for row in rows), apart, farther, seeds, len(rows))


def _scaled(row: Row) -> Figures:
    """The published value and then those of the seeds, on the scale on which they are compared."""
    figures = np.array([row.published, *row.values], np.float64)
    return np.log(figures) if (figures > 0).all() else figures


def _spread(values: Figures) -> float:
    """The median absolute deviation; 0 where there is none to be had."""
    median = np.median(values)
    if not np.isfinite(median):
        return 0.0
    spread = float(np.median(np.abs(values - median)))
    return spread if np.isfinite(spread) else 0.0


def _distance(point: Figures, others: Figures) -> float:
    """The mean over figures of the distance from the others' median, in units of their deviation."""
    median = np.median(others, axis=1)
    spread = np.median(np.abs(others - median[:, None]), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(point - median) / spread
    return float(np.mean(np.nan_to_num(apart, nan=0.0, posinf=np.inf)))
