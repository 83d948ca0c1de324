"""Lays experiments out: the published value next to each way of running, then the claims; and rows for CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ltc_ir.lab.records import Claim, Experiment, PooledValues, Row
from ltc_ir.records.serialization import to_data
from ltc_ir.render.formats import FORMATS, json_of_several, pictures, tabular
from ltc_ir.render.sheet import Cell, Sheet

NOTHING = "-"
Way = tuple[str, str]
"""A rollout and a selection."""


def experiment_sheets(experiments: Sequence[Experiment]) -> list[Sheet]:
    """The sheets of each experiment."""
    return [sheet for experiment in experiments for sheet in _sheets(experiment)]


def only_experiment(experiments: Sequence[Experiment]) -> Experiment:
    """The one experiment that a picture shows."""
    (experiment,) = experiments
    return experiment


def _sheets(experiment: Experiment) -> Iterator[Sheet]:
    columns = _columns(experiment.rows)
    metrics = list(dict.fromkeys(row.metric for row in experiment.rows))
    for metric in metrics:
        rows = [row for row in experiment.rows if row.metric == metric]
        notes = tuple(_notes(experiment, columns)) if metric == metrics[-1] else ()
        yield _metric_sheet(f"{experiment.name}: {metric}", rows, columns, notes)
    if experiment.together:
        yield pooled_sheet(experiment.name, experiment.together)
    if experiment.claims:
        yield claims_sheet(experiment.name, experiment.claims)


def _columns(rows: Sequence[Row]) -> dict[Way, str]:
    """The ways that have a column, and what it is called; selections that give the same figures share one."""
    by_way: dict[Way, dict[tuple[str, ...], tuple[float, ...]]] = {}
    for row in rows:
        by_way.setdefault((row.rollout, row.selection), {})[row.case, row.variant, row.model, row.metric] = row.values
    columns: dict[Way, str] = {}
    for rollout in dict.fromkeys(rollout for rollout, _ in by_way):
        ways = [way for way in by_way if way[0] == rollout]
        if len(ways) > 1 and all(by_way[way] == by_way[ways[0]] for way in ways):
            columns[ways[0]] = rollout
        else:
            columns |= {way: ", ".join(filter(None, (rollout, f"best on {way[1]}"))) for way in ways}
    return columns


def _metric_sheet(title: str, rows: Sequence[Row], columns: Mapping[Way, str], notes: tuple[str, ...]) -> Sheet:
    """A row for each case and model; a column for the published value and for each way."""
    rows_by_case: dict[tuple[str, str, str], dict[Way, Row]] = {}
    for row in rows:
        rows_by_case.setdefault((row.case, row.variant, row.model), {})[row.rollout, row.selection] = row
    ways = [way for way in columns if any(way in by_way for by_way in rows_by_case.values())]
    cases = [" ".join(filter(None, key)) for key in rows_by_case]
    lines = tuple(_line(name, by_way, ways) for name, by_way in zip(cases, rows_by_case.values(), strict=True))
    keys = [key[:2] for key in rows_by_case]
    rules = frozenset(at for at in range(1, len(keys)) if keys[at] != keys[at - 1])
    return Sheet(title, ("case", "published", "inside", *(columns[way] for way in ways)), lines, notes, rules)


def _line(name: str, by_way: Mapping[Way, Row], ways: Sequence[Way]) -> tuple[Cell, ...]:
    published = next((row for row in by_way.values() if row.published is not None), None)
    shown = [NOTHING if way not in by_way else format_distribution(by_way[way]) for way in ways]
    if published is None:
        return (name, NOTHING, NOTHING, *shown)
    return (name, format_number(published.published, published.metric), "yes" if published.inside else "no", *shown)


def format_distribution(row: Row) -> str:
    """The median and the interval of 90 % of the seeds, and how many diverged where any did; one figure where all agree."""
    low, median, high = (format_number(value, row.metric) for value in (row.low, row.median, row.high))
    if row.seeds > 1 and row.low == row.high and math.isfinite(row.median):
        return median
    mark = f", {row.diverged} of {row.seeds} diverged" if row.diverged else ""
    return f"{median} ({low} to {high}{mark})"


def format_number(value: float | None, metric: str = "") -> str:
    """Three digits that count, four of a ratio, which lies near 1; a number that is none is called so."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "no number"
    return f"{value:.{_DIGITS.get(metric, 3)}g}" if abs(value) < 1000 else f"{value:,.0f}"


_DIGITS = {"ratio": 4}


def pooled_sheet(name: str, pooled: Sequence[PooledValues]) -> Sheet:
    """The published figures of each model taken together, beside the seeds."""
    rows = tuple(
        (
            values.model,
            f"{values.inside} of {values.published}",
            format_number(values.distance),
            f"{values.farther} of {values.seeds}",
        )
        for values in pooled
    )
    notes = (
        "distance: from the medians of the seeds, in median absolute deviations, the mean over a model's published values",
        "seeds farther: how many seeds are as far from the other seeds; where none is, this is hardly one more seed",
    )
    columns = ("model", "inside", "distance", "seeds farther")
    return Sheet(f"{name}: published values taken together", columns, rows, notes)


def claims_sheet(name: str, claims: Sequence[Claim]) -> Sheet:
    """What the text claims, whether its own tables have it so, how often it holds over seeds, and what to think of it."""
    rows = tuple(
        (claim.says, _SAID[claim.published], claim.rollout, f"{claim.held} of {claim.seeds}", claim.verdict, claim.why)
        for claim in claims
    )
    columns = ("the text says", "its own tables", "rollout", "seeds", "verdict", "in figures")
    return Sheet(f"{name}: claims", columns, rows, text_columns=None)


_SAID = {True: "yes", False: "no", None: NOTHING}


def _notes(experiment: Experiment, columns: Mapping[Way, str]) -> Iterator[str]:
    environment, machine = experiment.environment, experiment.machine
    yield experiment.about
    equal = [name for (rollout, _), name in columns.items() if name == rollout and name]
    if equal:
        yield f"{', '.join(equal)}: best on test and best on validation give the same figures, seed by seed"
    yield "median over seeds, in brackets the interval that holds 90 % of them; inside: whether the published value lies in it"
    settings = ", ".join(f"{key} {value}" for key, value in experiment.settings.items())
    yield settings
    cores = f"{machine.usable_cores or '?'} of {machine.cores or '?'} cores"
    versions = f"Python {environment.python}, JAX {environment.jax}, jaxlib {environment.jaxlib}"
    yield f"{machine.cpu or 'unknown processor'}, {cores}; {versions}"
    yield from experiment.notes


COLUMNS = (
    "model", "case", "variant", "metric", "rollout", "selection", "published", "median", "low", "high", "seeds",
    "inside", "diverged",
)  # fmt: skip


def experiment_rows(experiments: Sequence[Experiment]) -> Iterator[tuple[Cell, ...]]:
    """CSV: a row per row of the tables; a figure that is not available, or not a number, is an empty cell."""
    yield ("experiment", *COLUMNS)
    for experiment in experiments:
        for row in map(to_data, experiment.rows):
            yield (experiment.name, *(row[column] for column in COLUMNS))


OF_ONE = "of one experiment"
"""What a picture needs, as the help says it."""
FORMATS["experiment"] = {
    **tabular("ltc_ir.lab.layouts:experiment", json=json_of_several("experiments", "experiments")),
    **pictures("ltc_ir.lab.plots.experiment_plot:experiment_picture", "ltc_ir.lab.layouts:only_experiment", OF_ONE),
}
