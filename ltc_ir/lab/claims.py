"""Holds what the text claims against the seeds, and against its own tables: how often it is so, and on which rollout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ltc_ir.lab.claimed import CLAIMED, Asked, Figures, Lookup
from ltc_ir.lab.published import PUBLISHED, Key
from ltc_ir.lab.records import Claim, Row

SURE = 0.95
"""The share of seeds from which on a claim holds, or with the rest of which it does not."""
HOLDS, FAILS, OPEN, UNLIKE = "holds", "does not hold", "a matter of the seed", "compares unlike things"
SELECTION = "test"
"""The selection claims are held against, as published."""


def claims_of(name: str, rows: Sequence[Row]) -> tuple[Claim, ...]:
    """The claims that an experiment bears on, each on every rollout that has the figures for it."""
    by_rollout: dict[str, dict[Key, Figures]] = {}
    for row in rows:
        if row.selection == SELECTION:
            found = by_rollout.setdefault(row.rollout, {})
            found[row.model, row.case, row.variant, row.metric] = np.array(row.values)
    made = (
        _judged(asked, rollout, found, name) for asked in CLAIMED.get(name, ()) for rollout, found in by_rollout.items()
    )
    return tuple(claim for claim in made if claim is not None)


def _lookup(found: dict[Key, Figures]) -> Lookup:
    def of(model: str, case: str, metric: str = "mse", variant: str = "") -> Figures:
        return found[model, case, variant, metric]

    return of


def _judged(asked: Asked, rollout: str, found: dict[Key, Figures], name: str) -> Claim | None:
    """The claim over the seeds of a rollout; ``None`` where that has no figures for it."""
    of = _lookup(found)
    try:
        held, why = asked.holds(of), asked.why(of)
    except KeyError:
        return None
    share = held.sum() / len(held)
    verdict = UNLIKE if asked.unlike else HOLDS if share >= SURE else FAILS if share <= 1 - SURE else OPEN
    why = f"{why}; {asked.unlike}" if asked.unlike else why
    return Claim(asked.name, asked.says, int(held.sum()), len(held), verdict, why, rollout, _in_its_tables(asked, name))


def _in_its_tables(asked: Asked, name: str) -> bool | None:
    """Whether the published figures themselves have it so; ``None`` where they do not say."""
    published: dict[Key, Any] = {key: np.array([value]) for key, value in PUBLISHED[name].items()}
    try:
        return bool(asked.holds(_lookup(published))[0])
    except KeyError:
        return None
