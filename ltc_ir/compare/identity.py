"""Whether a snapshot may be compared with what is there now at all; if not, each difference in words."""

from __future__ import annotations

from collections.abc import Iterator

from ltc_ir.records.snapshot import Identity, Snapshot


def differences(baseline: Identity, current: Identity) -> tuple[str, ...]:
    """Why the facts of these two cannot be compared; none where they can."""
    return tuple(_differences(baseline, current))


def version_note(baseline: Snapshot, current: Snapshot) -> str | None:
    """What is to be said where another patch release made the snapshot."""
    if baseline.provenance == current.provenance:
        return None
    then, now = (f"JAX {one.jax} and jaxlib {one.jaxlib}" for one in (baseline.provenance, current.provenance))
    return f"recorded with {then}, this is {now}"


def _differences(baseline: Identity, current: Identity) -> Iterator[str]:
    if baseline.jax != current.jax:
        yield f"recorded with JAX {baseline.jax}, this is JAX {current.jax}"
    if baseline.platform != current.platform:
        yield f"recorded for {baseline.platform}, this is lowered for {current.platform}"
    if baseline.devices != current.devices:
        yield f"it spanned {_devices(baseline.devices)}, now {_devices(current.devices)}"
    if baseline.x64 != current.x64:
        yield f"64-bit types were {_switch(baseline.x64)}, now {_switch(current.x64)}"
    for name in sorted({*baseline.config, *current.config}):
        before, after = (one.config.get(name, "unset") for one in (baseline, current))
        if before != after:
            yield f"{name} was {before}, now {after}"
    if baseline.declaration != current.declaration:
        yield _declaration(baseline, current)


def _declaration(baseline: Identity, current: Identity) -> str:
    if baseline.arguments != current.arguments:
        return f"the arguments were {baseline.arguments or 'none'}, now {current.arguments or 'none'}"
    return "the target is declared otherwise: shardings, static values, argnums or loss"


def _devices(number: int) -> str:
    return "1 device" if number == 1 else f"{number} devices"


def _switch(on: bool) -> str:
    return "on" if on else "off"
