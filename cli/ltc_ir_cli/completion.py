"""The target names that a shell offers, spelled so that it takes each for the name it is."""

from __future__ import annotations

import os
import re

from ltc_ir.escape import escape
from ltc_ir_cli.parent import COMPLETION


def complete_target(incomplete: str) -> list[str]:
    """The target names that begin so: the built-in ones and the project's own."""
    from ltc_ir import config
    from ltc_ir.errors import LtcIrError
    from ltc_ir.targets.builtin import BUILTIN

    try:
        names = [*config.targets(), *BUILTIN]
    except LtcIrError:
        names = [*BUILTIN]
    return [word for name in names if (word := _as_typed(name)) is not None and word.startswith(incomplete)]


_PLAIN_WORD = re.compile(r"[\w.:/@+,][\w.:/@+,-]*")
"""A word in which no shell gives a character a meaning of its own."""


def _as_typed(name: str) -> str | None:
    """A name as it is typed in the shell that asks for completions; ``None`` where that is not certain to be this name.

    Bash inserts what it is offered as it is, fish quotes it; zsh evaluates it, so that it is offered plain words only.
    """
    if _PLAIN_WORD.fullmatch(name):
        return name
    shell = os.environ.get(COMPLETION, "").rpartition("_")[2]
    if name != escape(name) or name.startswith("-") or shell not in {"bash", "fish"}:
        return None
    return name if shell == "fish" else re.sub(r"([^\w.:/@+,-])", r"\\\1", name)
