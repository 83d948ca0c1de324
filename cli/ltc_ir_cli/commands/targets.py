"""The ``targets`` command: what targets there are."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001

from __future__ import annotations

from ltc_ir.render.formats import renderer
from ltc_ir_cli import options as opt
from ltc_ir_cli.emit import emit


def targets(
    format: opt.ListingFormat = "table",
    output: opt.Output = None,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """List the project's own and the built-in targets."""
    from ltc_ir import config
    from ltc_ir.render.layouts.listing import target_listing
    from ltc_ir.targets.builtin import ABOUT, BUILTIN

    render = renderer("listing", format)
    emit(render(target_listing(config.targets(), BUILTIN, ABOUT)), output)
