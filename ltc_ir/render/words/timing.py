"""Timings and sweeps in words, the same in tables and in pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ltc_ir.records.environment import Environment
from ltc_ir.records.figures import size
from ltc_ir.records.sweep import Growth
from ltc_ir.records.timing import Machine, Settings, Stage, seconds

MARK = "†"
"""Stands behind a figure that only a first run was had of; a ``*`` would be Markdown's."""
FIRST_ONLY = "one run, the first, which may hold what is done once"
"""What the mark means."""


def marked(stage: Stage | None) -> str:
    """The median of a stage, with the mark where it is of a first run alone; nothing for what is not there."""
    return "" if stage is None else seconds(stage.median_s) + (MARK if stage.first_only else "")


def too_few(runs: Mapping[str, int], settings: Settings) -> Iterator[str]:
    """What to say of figures without an interval, each with its most runs: whether more runs or more time would give one."""
    asked = [name for name, most in runs.items() if settings.repeat is not None and most >= settings.repeat]
    limited = [name for name in runs if name not in asked]
    if asked:
        yield f"{', '.join(asked)}: too few runs for an interval with --repeat {settings.repeat}"
    if limited:
        yield f"{', '.join(limited)}: too few runs for an interval at {settings.limit_s:g} s; give --limit more"


def machine_in_words(machine: Machine) -> str:
    """The machine that figures were taken on."""
    cores = f"{machine.usable_cores or '?'} of {machine.cores or '?'} cores"
    memory = "" if machine.memory_bytes is None else f", {size(machine.memory_bytes)}"
    return f"{machine.cpu or 'unknown processor'}, {cores}{memory}, on {machine.device or 'an unknown device'}"


def load_in_words(machine: Machine) -> str:
    """The load of the machine: ``load 0.52 before, unknown after``; empty if neither is known."""
    if machine.load_before is None and machine.load_after is None:
        return ""
    loads = (machine.load_before, machine.load_after)
    before, after = ("unknown" if load is None else f"{load:.2f}" for load in loads)
    return f"load {before} before, {after} after"


def versions_in_words(environment: Environment) -> str:
    """The versions a record was made with; empty if it holds none."""
    if environment.jax is None:
        return ""
    python = "" if environment.python is None else f"Python {environment.python}, "
    return f"{python}JAX {environment.jax}, jaxlib {environment.jaxlib}"


NOTHING = "-"
"""What stands for a growth that could not be told; its reason says why."""


def grows_as(growth: Growth) -> str:
    """The growth in one word: ``n^2.00``, ``constant``; that no growth was seen, or that none could be told."""
    if growth.exponent is None:
        return NOTHING
    if growth.form == "constant":
        return "constant"
    if growth.low is not None and growth.high is not None and growth.low <= 0 <= growth.high:
        return "no growth seen"
    return "grows" if _open(growth) else f"n^{growth.exponent:.2f}"


def _open(growth: Growth) -> bool:
    """Whether it grows and the points leave the exponent open: a fixed part hides it, or no power is as steep."""
    return growth.form == "offset" and growth.low is None and growth.high is None


def between(growth: Growth) -> str:
    """The interval of the exponent; an end that the points leave open is said so."""
    if growth.exponent is None or grows_as(growth) in {"constant", "no growth seen"}:
        return ""  # the slope's interval of what does not grow is none of the exponent beside a fixed part
    if growth.low is None and growth.high is None:
        return "open" if _open(growth) else "too few sizes"
    if growth.high is None:
        return f"{growth.low:.2f} or more"
    if growth.low is None:
        return f"{growth.high:.2f} or less"
    return f"{growth.low:.2f} to {growth.high:.2f}"
