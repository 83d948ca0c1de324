"""What a caller may say about a target beyond its name. Nothing here imports JAX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ltc_ir.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Changes to a target found by name; ``None`` leaves it as it is.

    ``args`` is a string of short types, or ``module:callable`` returning ``(args, kwargs)`` or a tuple of arguments;
    ``loss`` is ``sum``, ``mean`` or ``module:function``; ``size`` is a size to change and the value it is to have, as
    `ltc_ir.targets.sizes.resized` takes them, or one that ``args`` leaves open.
    """

    args: str | None = None
    loss: str | None = None
    argnums: tuple[int, ...] | None = None
    has_aux: bool | None = None
    static_argnums: tuple[int, ...] | None = None
    static_argnames: tuple[str, ...] | None = None
    size: tuple[str, int] | None = None

    @classmethod
    def of_plain(cls, given: Mapping[str, Any] | None) -> Options | None:
        """Options as JSON brought them, where tuples are lists."""
        if given is None:
            return None
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
        }
        return cls(**fields)


class OpenSizes:
    """The sizes that arguments may leave open: ``n`` in ``f32[n,8]``, or a parameter of what makes them."""

    def __init__(self, size: tuple[str, int] | None) -> None:
        names, self.value = ("", 0) if size is None else size
        self.left = names.split("+") if names else []
        self.taken: set[str] = set()

    def take(self, name: str) -> int | None:
        """The value of an open size; ``None`` where it is none of those that were given, as in ``n+m``."""
        if name not in self.left and name not in self.taken:
            return None
        self.left = [one for one in self.left if one != name]
        self.taken.add(name)
        return self.value


def refuse_idle(fn: Any, options: Any) -> None:
    """Refuse options that nothing would heed."""
    if options is None or not (callable(fn) or hasattr(fn, "fn")):
        return
    what = "a function" if callable(fn) else "a Target"
    raise UsageError(
        f"options are given beside {what}, and are those of a target found by name",
        'build a Target in their place, as in ltc_ir.Target(f, (x,), loss="sum")',
    )
