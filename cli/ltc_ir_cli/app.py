"""The program `ltc-ir`: its commands, and the one place where every error becomes a message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import Any

import typer

from ltc_ir.errors import LtcIrError
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import UNWRITABLE, complain, keep_descriptors, unwritable

BUG, INTERRUPTED, WRONG_USAGE = 70, 130, 2
COMPLETION = "_LTC_IR_COMPLETE"
"""The variable by which a shell asks for completions."""

app = typer.Typer(
    name="ltc-ir",
    help="Count, attribute and compare the IR of a JAX function and its gradient.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def top(context: typer.Context, version: opt.Version = False) -> None:  # noqa: ARG001 - it speaks through its callback
    """Count, attribute and compare the IR of a JAX function and its gradient."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(WRONG_USAGE)


COMMANDS = (
    "ltc_ir_cli.commands.count:count",
    "ltc_ir_cli.commands.lower:lower",
    "ltc_ir_cli.commands.diff:diff",
    "ltc_ir_cli.commands.time:time",
    "ltc_ir.lab.commands:experiment",
    "ltc_ir_cli.commands.targets:targets",
    "ltc_ir_cli.commands.doctor:doctor",
    "ltc_ir_cli.commands.snapshot:snapshot_app",
)
"""Where each command is defined, in the order of the help; the lab is named here only, by its string."""


def _add_command(path: str) -> None:
    """Add a command, or an app of several commands, by ``module:name``."""
    module, _, name = path.partition(":")
    command = getattr(import_module(module), name)
    if isinstance(command, typer.Typer):
        app.add_typer(command)
    else:
        app.command()(command)


for _path in COMMANDS:
    _add_command(_path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; the only catcher of errors there is."""
    try:
        with _interrupts_arrive():
            code = _invoked(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except LtcIrError as error:
        complain(error)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except typer.Exit as left:
        return left.exit_code
    except Exception as error:
        return _interrupted() if _of_an_interrupt(error) else _usage_or_bug(error)


def _interrupted() -> int:
    print("interrupted", file=sys.stderr)
    return INTERRUPTED


@contextmanager
def _interrupts_arrive() -> Iterator[None]:
    """While open, an interrupt ends the work in one way, wherever it falls.

    It waits until an import of JAX is done, for inside an extension of jaxlib it would be an abort; and it comes once more
    where Python swallows it, as in the callbacks that JAX has the collector of garbage call.
    """
    finder, hook = _WholeImports(), sys.unraisablehook
    sys.meta_path.insert(0, finder)
    sys.unraisablehook = lambda lost: _again() if isinstance(lost.exc_value, KeyboardInterrupt) else hook(lost)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        sys.meta_path.remove(finder)


def _again() -> None:
    """Interrupt in a moment: at once it would be in what swallowed the first. A true signal, for it also ends a sleep."""
    threading.Timer(0.01, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()


class _WholeImports:
    """Finds JAX and the modules of jaxlib as the finders after it do, and lets no interrupt into their imports."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        if name != "jax" and name.partition(".")[0] != "jaxlib":
            return None
        others = (one.find_spec(name, path, target) for one in sys.meta_path if one is not self)
        spec = next((found for found in others if found is not None), None)
        loader: Any = spec and spec.loader
        for step in ("create_module", "exec_module"):
            if hasattr(loader, step):
                setattr(loader, step, _uninterrupted(getattr(loader, step)))
        return spec


def _uninterrupted(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The call, at whose end an interrupt arrives that came meanwhile."""

    def whole(given: Any) -> Any:
        before = signal.getsignal(signal.SIGINT)
        if not callable(before) or threading.current_thread() is not threading.main_thread():
            return call(given)
        came: list[tuple[Any, Any]] = []
        signal.signal(signal.SIGINT, lambda *signalled: came.append(signalled))
        try:
            return call(given)
        finally:
            signal.signal(signal.SIGINT, before)
            if came:
                before(*came[-1])

    return whole


def _of_an_interrupt(error: BaseException | None) -> bool:
    """An extension that is interrupted while it is imported says ImportError, and JAX's import is most of a short run."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return _of_an_interrupt(error.__cause__ or error.__context__)


def _invoked(argv: list[str]) -> int:
    """Run a command without Typer's own main, which would make exit 1 of a closed pipe and swallow an interrupt's line."""
    if COMPLETION in os.environ:
        app(args=argv, prog_name="ltc-ir")
    command: Any = typer.main.get_command(app)
    with command.make_context("ltc-ir", argv) as context:
        result = command.invoke(context)
    return result if isinstance(result, int) else 0


def _usage_or_bug(error: Exception) -> int:
    """Typer's own usage errors are known by what they offer (it vendors click, so there is no class to import)."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "ltc-ir"
        offered = "commands" if context is None or hasattr(context.command, "commands") else "options"
        print(f"error: {error.format_message()}", file=sys.stderr)
        print(f"hint: {path} --help lists the {offered}", file=sys.stderr)
        return WRONG_USAGE
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        complain(unwritable(error))
        return WRONG_USAGE
    traceback.print_exc()
    print("error: this is a bug in ltc-ir; please report it with the output of ltc-ir doctor", file=sys.stderr)
    return BUG


def run() -> None:
    """The console script."""
    keep_descriptors()
    code = main()
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = None
    raise SystemExit(code)
