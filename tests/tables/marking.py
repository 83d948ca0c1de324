"""Programs with marks and without, side by side, for tests that hold the marks to change nothing but names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ltc_ir.ir.marks import WORD
from ltc_ir.records.request import Request, parse_request
from ltc_ir.tables.inspected import Inspected, inspect
from ltc_ir.targets import prepare
from ltc_ir.targets.stages import Staged
from ltc_ir.targets.target import Target

MARK = re.compile(r"ltcir[0-9a-z]*m")
ALL = ("jaxpr", "stablehlo", "hlo")


def staged(function: Callable[..., Any], *arguments: Any, platform: str | None = None) -> Staged:
    """A program on its way through the stages, without marks."""
    return prepare.stage(Target(function, arguments, name="marked"), "forward", platform)


def marked(program: Staged, request: Request | None = None) -> Inspected:
    """The same program with marks."""
    asked = request or parse_request(levels=ALL)
    return inspect(program, asked, prepare.ownership_of(Target(program.program.fn)))


def has_mark(text: str) -> bool:
    """Whether a text has any mark of any marking."""
    return WORD in text or MARK.search(text) is not None
