"""The program `ltc-ir`: its commands, and the one place where every error becomes a message and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import typer

from ltc_ir.errors import LtcIrError
from ltc_ir_cli import options as opt
from ltc_ir_cli.commands.count import count
from ltc_ir_cli.commands.diff import diff
from ltc_ir_cli.commands.doctor import doctor
from ltc_ir_cli.commands.lower import lower
from ltc_ir_cli.commands.targets import targets
from ltc_ir_cli.console import complain

BUG, INTERRUPTED, WRONG_USAGE = 70, 130, 2

app = typer.Typer(
    name="ltc-ir",
    help="Count, attribute and compare the IR of a JAX function and its gradient.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def top(version: opt.Version = False) -> None:
    """Count, attribute and compare the IR of a JAX function and its gradient."""


for _command in (count, lower, diff, targets, doctor):
    app.command()(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; the only catcher of errors there is."""
    try:
        result = app(args=list(sys.argv[1:] if argv is None else argv), prog_name="ltc-ir", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except LtcIrError as error:
        complain(error)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        return _usage_or_bug(error)


def _usage_or_bug(error: Exception) -> int:
    """Typer's own usage errors are known by what they offer (it vendors click, so there is no class to import)."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "ltc-ir"
        print(f"error: {error.format_message()}", file=sys.stderr)
        print(f"hint: {path} --help lists the options", file=sys.stderr)
        return WRONG_USAGE
    traceback.print_exc()
    print("error: this is a bug in ltc-ir; please report it with the output of ltc-ir doctor", file=sys.stderr)
    return BUG


def run() -> None:
    """The console script."""
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None  # type: ignore[assignment]
    raise SystemExit(code)
