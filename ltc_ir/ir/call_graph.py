"""What calls what, put in an order in which every caller comes first; the one place where a call graph is walked so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def callers_first(targets: Mapping[Key, Collection[Key]]) -> list[Key]:
    """All that call or are called, each after all that call it; what calls itself, and what only that calls, is left out.

    Args:
        targets: what each one calls, all of it among the keys; no recursion limit is met, however deep they call.
    """
    incoming = Counter(callee for found in targets.values() for callee in found)
    ready = [caller for caller in targets if not incoming[caller]]
    order = []
    while ready:
        order.append(caller := ready.pop())
        for callee in targets[caller]:
            incoming[callee] -= 1
            if not incoming[callee]:
                ready.append(callee)
    return order
