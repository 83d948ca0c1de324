"""Lays an experiment out as sheets: the published value beside each way of running it, then the claims."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ltc_ir.records.experiment import Claim, Experiment, Row, Together
from ltc_ir.render.sheets import Cell, Sheet

NOTHING = "-"


def experiment_sheets(made: Sequence[Experiment]) -> list[Sheet]:
    """The sheets of each experiment."""
    return [sheet for one in made for sheet in _sheets(one)]


def _sheets(made: Experiment) -> Iterator[Sheet]:
    ways = list(dict.fromkeys((row.rollout, row.selection) for row in made.rows))
    metrics = list(dict.fromkeys(row.metric for row in made.rows))
    for metric in metrics:
        rows = [row for row in made.rows if row.metric == metric]
        notes = tuple(_notes(made)) if metric == metrics[-1] else ()
        yield _table(f"{made.name}: {metric}", rows, ways, notes)
    if made.together:
        yield together_sheet(made.name, made.together)
    if made.claims:
        yield claims_sheet(made.name, made.claims)


def _table(title: str, rows: Sequence[Row], ways: Sequence[tuple[str, str]], notes: tuple[str, ...]) -> Sheet:
    """A row for each case and model; a column for the published value and for each way."""
    found: dict[tuple[str, str, str], dict[tuple[str, str], Row]] = {}
    for row in rows:
        found.setdefault((row.case, row.variant, row.model), {})[row.rollout, row.selection] = row
    here = [way for way in ways if any(way in by_way for by_way in found.values())]
    cases = [" ".join(filter(None, key)) for key in found]
    lines = tuple(_line(name, by_way, here) for name, by_way in zip(cases, found.values(), strict=True))
    columns = ("case", "published", "inside", *(_way(way) for way in here))
    keys = [key[:2] for key in found]
    rules = frozenset(number for number in range(1, len(keys)) if keys[number] != keys[number - 1])
    return Sheet(title, columns, lines, notes, rules)


def _way(way: tuple[str, str]) -> str:
    rollout, selection = way
    return ", ".join(filter(None, (rollout, f"best on {selection}")))


def _line(name: str, by_way: dict[tuple[str, str], Row], ways: Sequence[tuple[str, str]]) -> tuple[Cell, ...]:
    published = next((row for row in by_way.values() if row.published is not None), None)
    shown = [NOTHING if way not in by_way else distribution(by_way[way]) for way in ways]
    if published is None:
        return (name, NOTHING, NOTHING, *shown)
    return (name, number(published.published), "yes" if published.inside else "no", *shown)


def distribution(row: Row) -> str:
    """The median and the interval of 90 % of the seeds, and how many diverged where any did; one figure where all agree."""
    if row.seeds > 1 and row.low == row.high and math.isfinite(row.median):
        return number(row.median)
    mark = f", {row.diverged} of {row.seeds} diverged" if row.diverged else ""
    return f"{number(row.median)} ({number(row.low)} to {number(row.high)}{mark})"


def number(value: float | None) -> str:
    """Three digits that count; a number that is none is called so."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "no number"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


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


def _notes(made: Experiment) -> Iterator[str]:
    here, machine = made.environment, made.machine
    yield made.about
    yield "median over seeds, in brackets the interval that holds 90 % of them; inside: whether the published value lies in it"
    settings = ", ".join(f"{key} {value}" for key, value in made.settings.items())
    yield settings
    cores = f"{machine.usable_cores or '?'} of {machine.cores or '?'} cores"
    yield f"{machine.cpu or 'unknown processor'}, {cores}; Python {here.python}, JAX {here.jax}, jaxlib {here.jaxlib}"
    yield from made.notes
