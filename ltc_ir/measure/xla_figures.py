"""XLA's own estimates of a compiled program: flops, bytes and memory, each with the reason where there is none."""

from __future__ import annotations

from typing import Any


def xla_facts(compiled: Any) -> dict[str, Any]:
    """XLA's own estimates, each ``None`` with a reason where this backend has none."""
    facts: dict[str, Any] = {"reasons": {}}
    try:
        costs = compiled.cost_analysis()
        costs = (costs[0] if isinstance(costs, list) else costs) or {}
    except Exception as error:
        costs = {}
        facts["reasons"]["flops"] = f"no cost analysis: {error}"
    facts["flops"] = costs.get("flops")
    facts["bytes_accessed"] = costs.get("bytes accessed")
    for name in ("flops", "bytes_accessed"):
        if facts[name] is None:
            facts["reasons"].setdefault(name, "XLA's cost analysis has no such figure here")
    facts["memory"] = _memory(compiled)
    if facts["memory"] is None:
        facts["reasons"]["memory"] = "this backend has no memory analysis"
    return facts


_MEMORY = {
    "argument_bytes": "argument_size_in_bytes",
    "output_bytes": "output_size_in_bytes",
    "temporary_bytes": "temp_size_in_bytes",
    "alias_bytes": "alias_size_in_bytes",
    "code_bytes": "generated_code_size_in_bytes",
}


def _memory(compiled: Any) -> dict[str, int] | None:
    try:
        analysis = compiled.memory_analysis()
    except Exception:
        return None
    found = {name: getattr(analysis, attribute, None) for name, attribute in _MEMORY.items()}
    return {name: int(value) for name, value in found.items() if value is not None} or None
