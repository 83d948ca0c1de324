"""What a caller may say about a target beyond its name. Nothing here imports JAX."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Changes to a target found by name; ``None`` leaves it as it is.

    ``args`` is a string of short types, or ``module:callable`` returning ``(args, kwargs)`` or a tuple of arguments;
    ``loss`` is ``sum``, ``mean`` or ``module:function``.
    """

    args: str | None = None
    loss: str | None = None
    argnums: tuple[int, ...] | None = None
    has_aux: bool | None = None
    static_argnums: tuple[int, ...] | None = None
    static_argnames: tuple[str, ...] | None = None
