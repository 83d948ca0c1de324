"""A change in words, the same in every format: "+39 dot_general, all backward, models/ltc.py:57"."""

from __future__ import annotations

from collections.abc import Mapping

from ltc_ir.records.diff import Change, Figure


def phrase(change: Change, key: str | None = None) -> str:
    """One change as a phrase: the sign, the operation, its phases, and where it is said to be."""
    split = phases_in_words(change)
    told = f", {split}" if split.startswith("all ") else f" ({split})" if split else ""
    return f"{signed(change.change)} {change.name}{told}" + (f", {key}" if key else "")


def phases_in_words(change: Change) -> str:
    """``all backward`` where one phase holds all of a change, else each phase, largest first; empty without phases."""
    phases = change.phases
    if len(phases) == 1 and change.change in phases.values():
        return f"all {next(iter(phases))}"
    return phases_listed(phases)


def phases_listed(phases: Mapping[str, int]) -> str:
    """``backward +4, forward +1``: each phase's change, largest first."""
    ordered = sorted(phases.items(), key=lambda item: (-abs(item[1]), item[0]))
    return ", ".join(f"{phase} {signed(number)}" for phase, number in ordered)


def signed(value: Figure) -> str:
    """A change with its sign, thousands apart; ``±0`` for none, ``?`` where it is not known."""
    if value is None:
        return "?"
    if not value:
        return "±0"
    return f"{int(value):+,}" if float(value).is_integer() else f"{value:+,.1f}"


def ratio_in_words(change: Change) -> str:
    """``3.44x``; ``new`` or ``gone`` where one side is 0; nothing where it says nothing."""
    if change.status in {"new", "gone"}:
        return change.status
    return "" if change.ratio is None else f"{change.ratio:.2f}x"
