"""Orders a call graph so that every caller comes before its callees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def callers_first(targets: Mapping[Key, Collection[Key]]) -> list[Key]:
    """All functions, each after all its callers; recursive ones, and those that only they call, are left out.

    Args:
        targets: the callees of each function, all of them among the keys; calls may nest arbitrarily deep.
    """
    incoming = Counter(callee for callees in targets.values() for callee in callees)
    ready = [caller for caller in targets if not incoming[caller]]
    order = []
    while ready:
        order.append(caller := ready.pop())
        for callee in targets[caller]:
            incoming[callee] -= 1
            if not incoming[callee]:
                ready.append(callee)
    return order
