"""Where each command is defined; one module per command gathers its options, calls one verb and emits what was rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

COMMANDS: Mapping[str, str | Mapping[str, str]] = {
    "count": "ltc_ir_cli.commands.count:count",
    "lower": "ltc_ir_cli.commands.lower:lower",
    "diff": "ltc_ir_cli.commands.diff:diff",
    "time": "ltc_ir_cli.commands.time:time",
    "experiment": "ltc_ir.lab.commands:experiment",
    "targets": "ltc_ir_cli.commands.listings:targets",
    "doctor": "ltc_ir_cli.commands.listings:doctor",
    "snapshot": {
        "check": "ltc_ir_cli.commands.snapshot:check",
        "update": "ltc_ir_cli.commands.snapshot:update",
        "list": "ltc_ir_cli.commands.snapshot:listing",
        "show": "ltc_ir_cli.commands.snapshot:show",
        "prune": "ltc_ir_cli.commands.snapshot:prune",
    },
}
"""The function of each command, and of each command of a group, in the order of the help; the lab is named here only."""


def command_at(place: str) -> Callable[..., int | None]:
    """The command function at ``module:name``."""
    module, _, name = place.partition(":")
    command: Callable[..., int | None] = getattr(import_module(module), name)
    return command


def named_command(argv: Sequence[str]) -> tuple[Callable[..., int | None], Sequence[str]] | None:
    """The command that a command line begins with, and the words after it; ``None`` where it begins with none."""
    place: Any = COMMANDS
    for number, word in enumerate(argv[:2], 1):
        place = place.get(word)
        if isinstance(place, str):
            return command_at(place), argv[number:]
        if place is None:
            break
    return None
