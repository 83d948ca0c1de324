"""The sizes that arguments leave open, and options that nothing would heed. Nothing here imports JAX."""

from __future__ import annotations

from typing import Any

from ltc_ir.errors import UsageError


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
