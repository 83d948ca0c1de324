"""The ``targets`` and ``doctor`` commands: what can be inspected, and what this installation can do."""

# A command's options are read from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001

from __future__ import annotations

from ltc_ir_cli import options as opt
from ltc_ir_cli.console import stdout_is_data
from ltc_ir_cli.emit import emit


def doctor(
    format: opt.ListingFormat = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """Say what this installation can do, for bug reports."""
    from ltc_ir.render.layouts.listing import Listing

    render = opt.renderer("listing", format)
    with stdout_is_data():
        from ltc_ir.api.doctor import examine

        emit(render(Listing("doctor", examine())), output)


def targets(
    format: opt.ListingFormat = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """List the project's own and the built-in targets."""
    from ltc_ir import config
    from ltc_ir.render.layouts.listing import target_listing
    from ltc_ir.targets.builtin import ABOUT, BUILTIN

    render = opt.renderer("listing", format)
    emit(render(target_listing(config.targets(), BUILTIN, ABOUT)), output)
