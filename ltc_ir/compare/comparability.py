"""Whether two records may be compared, and what a reader must know of how each was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ltc_ir.errors import NotComparableError
from ltc_ir.records.count import Count
from ltc_ir.records.environment import Environment
from ltc_ir.records.snapshot import Identity, Snapshot

_WORDS = {
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


def has_comparable_fingerprints(baseline: Count, current: Count) -> bool:
    """Whether fingerprints of two counts say something: not of narrowed counts, nor of different minor versions of JAX."""
    versions = [side.environment.jax for side in (baseline, current)]
    minors = {version.rpartition(".")[0] for version in versions if version is not None}
    return not baseline.filters and not current.filters and len(minors) < 2


def compare_environments(baseline: Environment, current: Environment) -> list[str]:
    """What differs in how the two sides were made, or which side does not say how it was made."""
    silent = [side == Environment() for side in (baseline, current)]
    if any(silent):
        which = "baseline" if silent[0] else "current side"
        return [] if all(silent) else [f"the {which} does not say what it was made with"]
    notes: list[str] = []
    for name, words in _WORDS.items():
        before, after = getattr(baseline, name), getattr(current, name)
        if before is not None and after is not None and before != after and not (name == "jaxlib" and notes):
            notes.append(words.format(_shown(before), _shown(after)))
    return notes


def collect_notes(baseline: Count, current: Count) -> list[str]:
    """The notes of the counts themselves, each with its side."""
    both = [note for note in baseline.notes if note in current.notes]
    return [
        *both,
        *(f"baseline: {note}" for note in baseline.notes if note not in both),
        *(f"current: {note}" for note in current.notes if note not in both),
    ]


def identity_differences(baseline: Snapshot, current: Snapshot) -> tuple[str, ...]:
    """Why two snapshots cannot be compared, each difference in words; none where they can.

    Where both have a signature, arguments and static values are compared there; what else was declared must be equal.
    """
    words = list(_identity_differences(baseline.identity, current.identity))
    if baseline.identity.declaration != current.identity.declaration:
        if baseline.signature is None or current.signature is None:
            words.append(_declaration(baseline.identity, current.identity))
        else:
            words += _option_differences(baseline.signature.options, current.signature.options)
    return tuple(words)


def version_note(baseline: Snapshot, current: Snapshot) -> str | None:
    """That another patch release made the snapshot, where one did."""
    if baseline.provenance == current.provenance:
        return None
    then, now = (f"JAX {side.jax} and jaxlib {side.jaxlib}" for side in (baseline.provenance, current.provenance))
    return f"recorded with {then}, this is {now}"


def _identity_differences(baseline: Identity, current: Identity) -> Iterator[str]:
    if baseline.jax != current.jax:
        yield f"recorded with JAX {baseline.jax}, this is JAX {current.jax}"
    if baseline.platform != current.platform:
        yield f"recorded for {baseline.platform}, this is lowered for {current.platform}"
    if baseline.devices != current.devices:
        yield f"it spanned {_devices(baseline.devices)}, now {_devices(current.devices)}"
    if baseline.x64 != current.x64:
        yield f"64-bit types were {_shown(baseline.x64)}, now {_shown(current.x64)}"
    for name in sorted({*baseline.config, *current.config}):
        before, after = (identity.config.get(name, "unset") for identity in (baseline, current))
        if before != after:
            yield f"{name} was {before}, now {after}"


def _option_differences(baseline: Mapping[str, str], current: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*baseline, *current}):
        before, after = (options.get(name, "unset") for options in (baseline, current))
        if before != after:
            yield f"{name} was {before}, now {after}"


def _declaration(baseline: Identity, current: Identity) -> str:
    if baseline.arguments != current.arguments:
        return f"the arguments were {baseline.arguments or 'none'}, now {current.arguments or 'none'}"
    return "the target is declared otherwise: shardings, static values, argnums or loss"


def _devices(number: int) -> str:
    return "1 device" if number == 1 else f"{number} devices"


def _shown(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
