"""The verb `lower`: a program's IR, or that of a stored file, as text or bytecode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ltc_ir.errors import UsageError
from ltc_ir.files import names_stored_file
from ltc_ir.records.request import Options

if TYPE_CHECKING:
    from ltc_ir.targets.prepare import Inspectable

FORMS = ("stablehlo", "jaxpr", "hlo", "bytecode")


def lower(
    target: Inspectable = "ltc",
    *,
    program: str = "forward",
    form: str = "stablehlo",
    args: tuple[Any, ...] | None = None,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
    debug_info: bool = False,
) -> bytes:
    """A program's IR: ``jaxpr``, ``stablehlo``, ``hlo`` (optimised) text in UTF-8, or ``bytecode`` (a portable artifact).

    Raises:
        UsageError: bad input, or optimised HLO for a platform that is not this machine's. TargetError: the function failed.
    """
    if form not in FORMS:
        raise UsageError(f"unknown form {form!r}", f"forms are {', '.join(FORMS)}")
    if isinstance(target, str) and names_stored_file(target):
        return text_in_form(target, stored_text(target), form).encode()
    from ltc_ir.targets.lowering import text_of
    from ltc_ir.targets.prepare import configured, resolve, stage

    with configured(x64):
        return text_of(stage(resolve(target, args, options), program, platform), form, debug_info)


def stored_text(path: str) -> tuple[str, str]:
    """The form and the text of a stored file's IR."""
    from ltc_ir.tables.from_file import read_stored_text

    return read_stored_text(path)


def text_in_form(path: str, stored: tuple[str, str], form: str) -> str:
    """The text of a stored file.

    Raises:
        UsageError: it is not of the form asked for.
    """
    level, text = stored
    if level != form:
        raise UsageError(f"{path} holds {level}, not {form}", f"leave out --{form}, or lower a target")
    return text
