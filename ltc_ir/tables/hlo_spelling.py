"""Spells HLO text anew as XLA prints it: what people write by hand (types left out, operands in place) means what XLA says."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ltc_ir.compat.hlo import hlo_parser

MOST_SECONDS = 20
"""Seconds of CPU that XLA's parser may take."""

_MISSING = re.compile(r"was parsing (\d+):\d+: error: (\w+ does not exist: \S+)")


@dataclass(frozen=True, slots=True)
class Spelled:
    """What XLA's parser made of a text: the text as it prints it, or ``None`` and the name that it missed, with its line."""

    text: str | None = None
    missing: str = ""


def spelled_by_xla(text: str) -> Spelled:
    """The text as XLA prints what it read of it. XLA reads in a copy of this process, which may die of it."""
    parse = hlo_parser()
    if parse is None:
        return Spelled()
    receiving, sending = os.pipe()
    copy = os.fork()
    if not copy:
        with contextlib.suppress(BaseException):
            os.close(receiving)
            _answer(parse, text, sending)
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status = os.waitpid(copy, 0)
    if status or said[:1] not in {"+", "-"}:
        return Spelled()
    if said[0] == "+":
        return Spelled(said[1:])
    missing = _MISSING.search(said)
    return Spelled(None, f"line {missing[1]}: {missing[2][:200]}" if missing else "")


def _answer(parse: Callable[[str], Any], text: str, sending: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    try:
        said = "+" + parse(text).to_string()
    except Exception as error:
        said = "-" + str(error)[:100_000]
    with os.fdopen(sending, "wb") as pipe:
        pipe.write(said.encode(errors="replace"))
