"""What a record was made with, so that two records know whether they can be compared."""

from __future__ import annotations

from dataclasses import dataclass

from ltc_ir.records.shape import Natural


@dataclass(frozen=True)
class Environment:
    """Versions and configuration behind a record; all ``None`` for a stored file, which does not say.

    ``platform`` is the one lowered for; ``devices`` those the process had.
    """

    jax: str | None = None
    jaxlib: str | None = None
    python: str | None = None
    platform: str | None = None
    x64: bool | None = None
    devices: Natural | None = None
