"""Lays an experiment out as sheets: the published value beside each way of running it, then the claims."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ltc_ir.lab.records import Claim, Experiment, Row, Together
from ltc_ir.render.layouts.count import Cell, Sheet

NOTHING = "-"
Way = tuple[str, str]
"""A rollout and a selection."""


def experiment_sheets(made: Sequence[Experiment]) -> list[Sheet]:
    """The sheets of each experiment."""
    return [sheet for one in made for sheet in _sheets(one)]


def _sheets(made: Experiment) -> Iterator[Sheet]:
    columns = _columns(made.rows)
    metrics = list(dict.fromkeys(row.metric for row in made.rows))
    for metric in metrics:
        rows = [row for row in made.rows if row.metric == metric]
        notes = tuple(_notes(made, columns)) if metric == metrics[-1] else ()
        yield _table(f"{made.name}: {metric}", rows, columns, notes)
    if made.together:
        yield together_sheet(made.name, made.together)
    if made.claims:
        yield claims_sheet(made.name, made.claims)


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


def _table(title: str, rows: Sequence[Row], columns: Mapping[Way, str], notes: tuple[str, ...]) -> Sheet:
    """A row for each case and model; a column for the published value and for each way."""
    found: dict[tuple[str, str, str], dict[Way, Row]] = {}
    for row in rows:
        found.setdefault((row.case, row.variant, row.model), {})[row.rollout, row.selection] = row
    here = [way for way in columns if any(way in by_way for by_way in found.values())]
    cases = [" ".join(filter(None, key)) for key in found]
    lines = tuple(_line(name, by_way, here) for name, by_way in zip(cases, found.values(), strict=True))
    keys = [key[:2] for key in found]
    rules = frozenset(number for number in range(1, len(keys)) if keys[number] != keys[number - 1])
    return Sheet(title, ("case", "published", "inside", *(columns[way] for way in here)), lines, notes, rules)


def _line(name: str, by_way: Mapping[Way, Row], ways: Sequence[Way]) -> tuple[Cell, ...]:
    published = next((row for row in by_way.values() if row.published is not None), None)
    shown = [NOTHING if way not in by_way else distribution(by_way[way]) for way in ways]
    if published is None:
        return (name, NOTHING, NOTHING, *shown)
    return (name, number(published.published, published.metric), "yes" if published.inside else "no", *shown)


def distribution(row: Row) -> str:
    """The median and the interval of 90 % of the seeds, and how many diverged where any did; one figure where all agree."""
    low, median, high = (number(value, row.metric) for value in (row.low, row.median, row.high))
    if row.seeds > 1 and row.low == row.high and math.isfinite(row.median):
        return median
    mark = f", {row.diverged} of {row.seeds} diverged" if row.diverged else ""
    return f"{median} ({low} to {high}{mark})"


def number(value: float | None, metric: str = "") -> str:
    """Three digits that count, four of a ratio, which lies near 1; a number that is none is called so."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "no number"
    return f"{value:.{_DIGITS.get(metric, 3)}g}" if abs(value) < 1000 else f"{value:,.0f}"


_DIGITS = {"ratio": 4}


def together_sheet(name: str, together: Sequence[Together]) -> Sheet:
    """The published figures of each model taken together, beside the seeds."""
    rows = tuple(
        (one.model, f"{one.inside} of {one.published}", number(one.distance), f"{one.farther} of {one.seeds}")
        for one in together
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
    return Sheet(f"{name}: claims", columns, rows, text=True)


_SAID = {True: "yes", False: "no", None: NOTHING}


def _notes(made: Experiment, columns: Mapping[Way, str]) -> Iterator[str]:
    here, machine = made.environment, made.machine
    yield made.about
    both = [name for (rollout, _), name in columns.items() if name == rollout and name]
    if both:
        yield f"{', '.join(both)}: best on test and best on validation give the same figures, seed by seed"
    yield "median over seeds, in brackets the interval that holds 90 % of them; inside: whether the published value lies in it"
    settings = ", ".join(f"{key} {value}" for key, value in made.settings.items())
    yield settings
    cores = f"{machine.usable_cores or '?'} of {machine.cores or '?'} cores"
    yield f"{machine.cpu or 'unknown processor'}, {cores}; Python {here.python}, JAX {here.jax}, jaxlib {here.jaxlib}"
    yield from made.notes
