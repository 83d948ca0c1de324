"""Pools the published values of a model: whether they could, taken together, be one more seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ltc_ir.lab.records import PooledValues, Row

Values = NDArray[np.float64]


def pool_values(rows: Iterable[Row]) -> tuple[PooledValues, ...]:
    """Of each model with published values: how far these lie from the seeds, and how many seeds lie farther from the rest.

    The distance of a value is that from the median of the seeds, in units of their median absolute deviation, on a log scale
    where all are positive; the distance of a seed, or of the published values, is the mean over its values. Each is taken
    from all the others, the published ones among them: were these one more seed, any number farther would be as likely.
    Rows in which seeds do not differ, or whose median is not finite, are left out.
    """
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.published is not None:
            by_model[row.model].append(row)
    pooled = (_pool_model(model, model_rows) for model, model_rows in by_model.items())
    return tuple(values for values in pooled if values is not None)


def _pool_model(model: str, rows: Sequence[Row]) -> PooledValues | None:
    seeds = max(row.seeds for row in rows)
    scaled = [_scale_row(row) for row in rows if row.seeds == seeds]
    usable = [values for values in scaled if _deviation(values[1:]) > 0]
    if not usable or seeds < 3:
        return None
    values = np.array(usable)
    published, *others = (_distance(values[:, at], np.delete(values, at, axis=1)) for at in range(seeds + 1))
    farther = sum(other >= published for other in others)
    inside = sum(bool(row.inside) for row in rows)
    return PooledValues(model, len(usable), inside, published, farther, seeds, len(rows))


def _scale_row(row: Row) -> Values:
    """The published value and then those of the seeds, on the scale on which they are compared."""
    values = np.array([row.published, *row.values], np.float64)
    return np.log(values) if (values > 0).all() else values


def _deviation(values: Values) -> float:
    """The median absolute deviation; 0 where it is not finite."""
    median = np.median(values)
    if not np.isfinite(median):
        return 0.0
    deviation = float(np.median(np.abs(values - median)))
    return deviation if np.isfinite(deviation) else 0.0


def _distance(point: Values, others: Values) -> float:
    """The mean over rows of the distance from the others' median, in units of their deviation."""
    median = np.median(others, axis=1)
    deviation = np.median(np.abs(others - median[:, None]), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = np.abs(point - median) / deviation
    return float(np.mean(np.nan_to_num(distances, nan=0.0, posinf=np.inf)))
