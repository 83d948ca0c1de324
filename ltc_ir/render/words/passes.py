"""A compile by pass in one sentence, drawn from its figures alone."""

from __future__ import annotations

from ltc_ir.records.passes import CODE_GENERATION, HLO, REST, Passes


def sentence(passes: Passes) -> str:
    """What took most of a compile: ``82 % code generation, 68 kernels, the largest from ltc.py:57 (backward)``."""
    groups = {
        "code generation": sum(passes.kinds.get(kind, 0.0) for kind in CODE_GENERATION),
        "HLO passes": passes.kinds.get(HLO, 0.0),
        "neither HLO passes nor code generation": passes.kinds.get(REST, 0.0),
    }
    name = max(groups, key=lambda group: groups[group])
    share = f"{percent(groups[name], sum(groups.values()))} {name}"
    if name == "code generation":
        return f"{share}, {_kernels(passes)}"
    most = _most(passes, HLO if name == "HLO passes" else REST)
    return share if most is None else f"{share}, the most in {most}"


def percent(part: float, whole: float) -> str:
    """A share in percent, never rounded up to all of it or down to nothing."""
    if not whole or part in {0, whole}:
        return "0 %" if not part else "100 %"
    share = min(99, round(100 * part / whole))
    return f"{share} %" if share else "under 1 %"


def _kernels(passes: Passes) -> str:
    named = [kernel for kernel in passes.kernels if kernel.name is not None]
    if not named:
        return "of no kernel that XLA names"
    largest = max(named, key=lambda kernel: kernel.seconds)
    phase = f" ({largest.phase})" if largest.phase else ""
    place = f"from {largest.source}{phase}" if largest.source else f"{largest.name}{phase}"
    number = len({kernel.name for kernel in named})
    return f"{number:,} kernels, the largest {place}" if number > 1 else f"1 kernel, {place}"


def _most(passes: Passes, kind: str) -> str | None:
    """The name of that kind that took the compiling thread longest by itself."""
    own: dict[str, float] = {}
    for entry in passes.times:
        if entry.thread == passes.compiling and entry.kind == kind:
            own[entry.path[-1]] = own.get(entry.path[-1], 0.0) + entry.exclusive_s
    return max(own, key=lambda name: own[name], default=None)
