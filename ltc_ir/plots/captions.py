"""What stands under a picture: the machine and the versions its figures are of, in words."""

from __future__ import annotations

from ltc_ir.records.environment import Environment
from ltc_ir.records.timing import Machine


def versions(here: Environment) -> str:
    """The versions a record was made with; nothing where it holds none."""
    if here.jax is None:
        return ""
    python = "" if here.python is None else f"Python {here.python}, "
    return f"{python}JAX {here.jax}, jaxlib {here.jaxlib}"


def machine_of(machine: Machine) -> str:
    """The machine that figures were taken on."""
    cores = f"{machine.usable_cores or '?'} of {machine.cores or '?'} cores"
    memory = "" if machine.memory_bytes is None else f", {machine.memory_bytes / 2**30:.1f} GiB"
    return f"{machine.cpu or 'unknown processor'}, {cores}{memory}, on {machine.device or 'an unknown device'}"


def load_of(machine: Machine) -> str:
    """The load of the machine before and after; nothing where neither is known."""
    if machine.load_before is None and machine.load_after is None:
        return ""
    before, after = ("unknown" if load is None else f"{load:.2f}" for load in (machine.load_before, machine.load_after))
    return f"load {before} before, {after} after"
