"""ltc-ir: counts, attributes and compares the IR of a JAX function and its gradient. Importing this imports no JAX."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltc_ir.api.assertions import assert_ir, assert_ir_flat
    from ltc_ir.api.diff import diff
    from ltc_ir.api.follow import follow
    from ltc_ir.api.inspect import Inspection, inspect
    from ltc_ir.api.lower import lower
    from ltc_ir.errors import LimitError, LtcIrError, NotComparableError, TargetError, UsageError
    from ltc_ir.integrations.notebook import count, sweep, time
    from ltc_ir.records.count import Count
    from ltc_ir.records.diff import Diff
    from ltc_ir.records.follow import Follow
    from ltc_ir.records.sweep import Sweep
    from ltc_ir.records.timing import Timing
    from ltc_ir.records.vocabulary import By, Level, Phase
    from ltc_ir.targets.target import Program, Target

__version__ = "0.1.0"

_PUBLIC = {
    "count": "ltc_ir.integrations.notebook",
    "diff": "ltc_ir.api.diff",
    "follow": "ltc_ir.api.follow",
    "lower": "ltc_ir.api.lower",
    "Inspection": "ltc_ir.api.inspect",
    "assert_ir": "ltc_ir.api.assertions",
    "assert_ir_flat": "ltc_ir.api.assertions",
    "inspect": "ltc_ir.api.inspect",
    "time": "ltc_ir.integrations.notebook",
    "sweep": "ltc_ir.integrations.notebook",
    "Target": "ltc_ir.targets.target",
    "Program": "ltc_ir.targets.target",
    "Count": "ltc_ir.records.count",
    "Diff": "ltc_ir.records.diff",
    "Follow": "ltc_ir.records.follow",
    "Timing": "ltc_ir.records.timing",
    "Sweep": "ltc_ir.records.sweep",
    "Level": "ltc_ir.records.vocabulary",
    "Phase": "ltc_ir.records.vocabulary",
    "By": "ltc_ir.records.vocabulary",
    "LtcIrError": "ltc_ir.errors",
    "UsageError": "ltc_ir.errors",
    "TargetError": "ltc_ir.errors",
    "LimitError": "ltc_ir.errors",
    "NotComparableError": "ltc_ir.errors",
}

__all__ = [
    "By",
    "Count",
    "Diff",
    "Follow",
    "Inspection",
    "Level",
    "LimitError",
    "LtcIrError",
    "NotComparableError",
    "Phase",
    "Program",
    "Sweep",
    "Target",
    "TargetError",
    "Timing",
    "UsageError",
    "assert_ir",
    "assert_ir_flat",
    "count",
    "diff",
    "follow",
    "inspect",
    "lower",
    "sweep",
    "time",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ltc_ir' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
