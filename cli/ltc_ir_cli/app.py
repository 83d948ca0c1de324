"""The program `ltc-ir`: its commands, and the one place where every error becomes a message and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import Any, NoReturn

from ltc_ir import border
from ltc_ir.errors import NOTES, LimitError, LtcIrError, TargetError, UsageError
from ltc_ir.escape import escape_message, indented
from ltc_ir.files import current_folder, project_at
from ltc_ir_cli import interrupts
from ltc_ir_cli.channel import CHANNELS, Kind
from ltc_ir_cli.console import TALK, UNWRITABLE, complain, say, talk, unwritable
from ltc_ir_cli.parameters import plain_arguments
from ltc_ir_cli.parent import COMPLETION

BUG, WRONG_USAGE = 70, 2


COMMANDS: Mapping[str, str | Mapping[str, str]] = {
    "count": "ltc_ir_cli.commands.count:count",
    "lower": "ltc_ir_cli.commands.lower:lower",
    "follow": "ltc_ir_cli.commands.follow:follow",
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; the only catcher of errors there is."""
    left = CHANNELS[0].end_copies if CHANNELS else None
    entered = _tell_entered if CHANNELS else None
    try:
        with border.watched(interrupted=interrupts.came, entered=entered, left=left), _interrupts_arrive(), _at_home():
            return _main(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        return _interrupted()


def _main(argv: list[str]) -> int:
    stdout = sys.stdout
    try:
        code = _invoked(argv)
        _say_notes()
        with suppress(ValueError):  # a target has closed it, and nothing was in it
            stdout.flush()
        return code
    except LtcIrError as error:
        if interrupts.came() and _of_an_interrupt(error):
            raise KeyboardInterrupt from None
        complain(error)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except Exception as error:
        replaced = border.altered()
        if _of_an_interrupt(error):
            raise KeyboardInterrupt from None
        if replaced is not None:
            complain(replaced)
            return replaced.exit_code
        return _usage_or_bug(error)


@contextmanager
def _at_home() -> Iterator[None]:
    """While open, the project and the folder of relative names are those of the command, wherever a target goes."""
    try:
        here = current_folder()
    except UsageError:  # said by what needs one
        yield
        return
    TALK.folder = str(here)
    with project_at(here):
        yield


def _tell_entered(label: str, stage: str) -> None:
    """Tell the parent whose code begins, lest it ends this process."""
    CHANNELS[0].send(Kind.ENTERED, f"{escape_message(label)}\n{stage}".encode("utf-8", "backslashreplace"))


def _say_notes() -> None:
    """Say what holds for all that was inspected, once."""
    for note in NOTES:
        say(f"note: {note}")
    NOTES.clear()


def _interrupted() -> int:
    """Say what ended the command, where no parent does."""
    if not CHANNELS:
        talk(interrupts.in_words())
    return interrupts.exit_code()


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
        with interrupts.arriving():
            yield
    finally:
        sys.unraisablehook = hook
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


def _again() -> None:
    """Interrupt in a moment: at once it would be in what swallowed the first. A true signal, for it also ends a sleep."""
    threading.Timer(0.01, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()


class _WholeImports:
    """Finds JAX and the modules of jaxlib as the finders after it do, and lets no interrupt into their imports."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        if name != "jax" and name.partition(".")[0] != "jaxlib":
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((other for other in others if other is not None), None)
        loader: Any = spec and spec.loader
        for step in ("create_module", "exec_module"):
            if hasattr(loader, step):
                setattr(loader, step, _uninterrupted(getattr(loader, step)))
        return spec


def _uninterrupted(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The call, at whose end an interrupt arrives that came meanwhile."""

    def whole(argument: Any) -> Any:
        with interrupts.held():
            return call(argument)

    return whole


def _of_an_interrupt(error: BaseException | None) -> bool:
    """An extension that is interrupted while it is imported says ImportError, and JAX's import is most of a short run."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return _of_an_interrupt(error.__cause__ or error.__context__)


def _invoked(argv: list[str]) -> int:
    """Run a command: called at once where the line is plain, else through Typer, which takes a tenth of a second more."""
    named = None if COMPLETION in os.environ else named_command(argv)
    if named is not None:
        command, words = named
        arguments = plain_arguments(command, words)
        if arguments is not None:
            return command(**arguments) or 0
    from ltc_ir_cli.typer_app import invoke

    return invoke(argv, COMMANDS, command_at)


def _usage_or_bug(error: Exception) -> int:
    """Typer's own usage errors are known by what they offer (it vendors click, so there is no class to import)."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "ltc-ir"
        offered = "commands" if context is None or hasattr(context.command, "commands") else "options"
        talk(f"error: {escape_message(error.format_message())}")
        talk(f"hint: {path} --help lists the {offered}")
        return WRONG_USAGE
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        complain(unwritable(error))
        return WRONG_USAGE
    known = _scarce(error) or _blamed(error)
    if known is not None:
        complain(known)
        return known.exit_code
    talk(indented(traceback.format_exc()).rstrip("\n"))
    talk("error: this is a bug in ltc-ir; please report it with the output of ltc-ir doctor")
    return BUG


def _scarce(error: Exception) -> LtcIrError | None:
    """That memory or descriptors ran out, which a target may have brought about; ``None`` where something else failed."""
    if isinstance(error, MemoryError):
        what = "no memory is left"
    elif isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
        what = f"no more of what the system gives: {error.strerror}"
    else:
        return None
    at = border.last_crossed()
    hint = "give it smaller arguments, or permit the process more (ulimit)"
    return LimitError(what, hint) if at is None else TargetError(f"{at[0]}, after its {at[1]}: {what}", hint)


def _blamed(error: Exception) -> LtcIrError | None:
    """What is no bug of ours though nothing caught it; ``None`` where it is one, or JAX was not imported."""
    if not hasattr(sys.modules.get("jax"), "config"):
        return None
    from ltc_ir.targets.stages import blamed

    return blamed(error)


def run_here() -> NoReturn:
    """Run the command line of this process in it."""
    code = main()
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = None
    raise SystemExit(code)


def run() -> None:
    """The console script of an installation from before there was `guard`."""
    import_module(f"{__package__}.guard").run()  # which names this module, so that neither imports the other
