"""Whether two counts may be compared, and what is to be said where they were not made alike."""

from __future__ import annotations

from ltc_ir.errors import NotComparableError
from ltc_ir.records.count import Count
from ltc_ir.records.environment import Environment

_SAID = {
    "jax": "made with JAX {} and {}: operations can change with the version alone",
    "jaxlib": "made with jaxlib {} and {}",
    "platform": "warning: lowered for {} and for {}, so operations can differ by platform alone",
    "x64": "warning: 64-bit types are {} on one side and {} on the other",
    "devices": "made with {} and with {} devices",
}


def check_filters(baseline: Count, current: Count) -> None:
    """Refuse counts narrowed differently: what one left out would be shown as a change.

    Raises:
        NotComparableError: the operations or phases counted are not the same.
    """
    if {key: set(names) for key, names in baseline.filters.items()} != {
        key: set(names) for key, names in current.filters.items()
    }:
        raise NotComparableError(
            "the two counts were narrowed differently", "use the same --op and --phase on both sides"
        )


def environment_notes(baseline: Environment, current: Environment) -> list[str]:
    """What differs in how the two sides were made; a side that does not say is said to be silent."""
    silent = [side == Environment() for side in (baseline, current)]
    if any(silent):
        which = "baseline" if silent[0] else "current side"
        return [] if all(silent) else [f"the {which} does not say what it was made with"]
    notes: list[str] = []
    for name, words in _SAID.items():
        before, after = getattr(baseline, name), getattr(current, name)
        if before is not None and after is not None and before != after and not (name == "jaxlib" and notes):
            notes.append(words.format(_shown(before), _shown(after)))
    return notes


def _shown(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def side_notes(baseline: Count, current: Count) -> list[str]:
    """The notes of the counts themselves, each with its side."""
    both = [note for note in baseline.notes if note in current.notes]
    return [
        *both,
        *(f"baseline: {note}" for note in baseline.notes if note not in both),
        *(f"current: {note}" for note in current.notes if note not in both),
    ]
