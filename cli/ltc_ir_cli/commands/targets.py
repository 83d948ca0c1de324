"""The ``targets`` command: what targets there are."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001

from __future__ import annotations

from ltc_ir_cli import options as opt
from ltc_ir_cli.emit import emit


def targets(
    format: opt.Format = "table",
    output: opt.Output = None,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """List the project's own and the built-in targets."""
    from ltc_ir import config
    from ltc_ir.render.layouts.listing import LISTING_FORMATS, target_rows
    from ltc_ir.targets.builtin import ABOUT, BUILTIN

    render = LISTING_FORMATS[opt.known_format(format, LISTING_FORMATS)]
    emit(render("targets", target_rows(config.targets(), BUILTIN, ABOUT)), output)
