"""What XLA says of a compiled program: its own estimates of work and memory."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from ltc_ir.escape import capped
from ltc_ir.ir.hlo.parser import HloModule, parse
from ltc_ir.records.figures import Value

_FIGURES = {"flops": "flops", "bytes_accessed": "bytes accessed"}
NO_MEMORY = "this backend has no memory analysis"


def xla_figures(compiled: Any, module: HloModule | None = None) -> tuple[dict[str, Value], dict[str, str]]:
    """XLA's own estimates, and why some are unknown; ``module`` is the program, where it was read."""
    figures: dict[str, Value] = {}
    reasons: dict[str, str] = {}
    try:
        costs = compiled.cost_analysis()
        costs = (costs[0] if isinstance(costs, list) else costs) or {}
    except Exception as error:
        costs = {}
        reasons["flops"] = capped(f"no cost analysis: {error}")
    unknown = _custom_calls(compiled, module) if costs else ""
    for name, key in _FIGURES.items():
        figures[name], reason = _figure(costs.get(key), unknown)
        if reason:
            reasons.setdefault(name, reason)
    memory = xla_memory(compiled)
    if memory is None:
        reasons["memory"] = NO_MEMORY
    return figures | {f"memory.{name}": size for name, size in (memory or {}).items()}, reasons


def _figure(value: float | None, unknown: str) -> tuple[float | None, str]:
    """A figure of XLA's, or the reason why it is none."""
    if value is None:
        return None, "XLA's cost analysis has no such figure here"
    if unknown:
        return None, f"XLA counts -1 for a custom call, and its sum holds {unknown}"
    if not 0 <= value < math.inf:
        return None, f"XLA's cost analysis says {value:g}, by which it means that it does not know"
    return value, ""


def _custom_calls(compiled: Any, module: HloModule | None) -> str:
    """The custom calls of a program, each with how often it stands there: ``2 lapack_spotrf_ffi``; empty for none."""
    if module is None:
        text = compiled.as_text()
        if "custom-call" not in text:
            return ""
        module = parse(text, printed=True)
    found = Counter(one.custom_call_target for _, one in module.instructions() if one.opcode == "custom-call")
    return ", ".join(f"{number} {target or 'without a name'}" for target, number in found.items())


_MEMORY = {
    "argument_bytes": "argument_size_in_bytes",
    "output_bytes": "output_size_in_bytes",
    "temporary_bytes": "temp_size_in_bytes",
    "alias_bytes": "alias_size_in_bytes",
    "code_bytes": "generated_code_size_in_bytes",
}


def xla_memory(compiled: Any) -> dict[str, int] | None:
    """What XLA says of the memory that a program needs, in bytes."""
    try:
        analysis = compiled.memory_analysis()
    except Exception:
        return None
    found = {name: getattr(analysis, attribute, None) for name, attribute in _MEMORY.items()}
    return {name: int(value) for name, value in found.items() if value is not None} or None
