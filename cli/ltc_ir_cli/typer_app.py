"""Runs a command line through Typer: for help, completion, errors of usage, and every line that is not plain."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args

import typer

from ltc_ir.errors import UsageError
from ltc_ir_cli.options import Version
from ltc_ir_cli.parameters import MOST, Argument, Parameter, grouped, parameters_of
from ltc_ir_cli.parent import COMPLETION

WRONG_USAGE = 2
HELP = "Count, attribute and compare the IR of a JAX function and its gradient."
GROUP_HELP = {"snapshot": "Snapshot the IR of programs and detect growth."}
Commands = Mapping[str, str | Mapping[str, str]]
_SETTINGS: dict[str, Any] = {
    "context_settings": {"help_option_names": ["-h", "--help"]},
    "rich_markup_mode": None,
    "invoke_without_command": True,
}


def invoke(argv: list[str], commands: Commands, load: Callable[[str], Callable[..., Any]]) -> int:
    """Run a command line and return its exit code.

    Args:
        argv: the words of the line.
        commands: the place of each command, and of each command of a group.
        load: returns the function at a place.

    Not by Typer's own main, which would make exit 1 of a closed pipe and swallow an interrupt's line. Only the command that
    the line begins with is built; a line that names none needs their names and first lines of help, not their parameters.
    """
    completes = COMPLETION in os.environ
    names_none = not (completes or any(word in commands for word in argv))
    begins_with_one = bool(argv) and argv[0] in commands and not completes
    build = _documented if names_none else _typed
    named = {argv[0]: commands[argv[0]]} if begins_with_one else commands
    app = _app(named, lambda place: build(load(place)))
    if completes:
        app(args=argv, prog_name="ltc-ir")
    command: Any = typer.main.get_command(app)
    try:
        with command.make_context("ltc-ir", argv) as context:
            result = command.invoke(context)
    except typer.Exit as left:
        return left.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    return result if isinstance(result, int) else 0


def _app(commands: Commands, built: Callable[[str], Callable[..., Any]]) -> typer.Typer:
    """The program with these commands; ``built`` makes the one at a place."""
    app = typer.Typer(name="ltc-ir", help=HELP, pretty_exceptions_enable=False, callback=_top, **_SETTINGS)
    for name, place in commands.items():
        if isinstance(place, str):
            app.command(name)(built(place))
        else:
            group = typer.Typer(name=name, help=GROUP_HELP[name], callback=_group, **_SETTINGS)
            for below, part in place.items():
                group.command(below)(built(part))
            app.add_typer(group)
    return app


def _group(context: typer.Context) -> None:
    """Print the help where no command is named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(WRONG_USAGE)


def _documented(command: Callable[..., Any]) -> Callable[..., Any]:
    """What stands for a command in the list of commands: its help, without parameters."""

    def documented() -> None:
        """Never run: the line names no command."""

    documented.__doc__ = command.__doc__
    return documented


def _typed(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with its parameters annotated as Typer reads them."""

    @functools.wraps(command)
    def typed(**values: Any) -> Any:
        return command(**grouped(command, values))

    parameters = [
        inspect.Parameter(
            declared.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=declared.default,
            annotation=Annotated[declared.type, _declared(declared)],
        )
        for declared in parameters_of(command)
    ]
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    typed.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return typed


def _countable(flag: str, value: int | None) -> int | None:
    if value is not None and value > MOST:
        raise UsageError(f"{flag}: {value} is more than {MOST:,}", "give a smaller number")
    return value


def _declared(parameter: Parameter) -> Any:
    """A parameter's declaration as Typer's own."""
    declared = parameter.declared
    words: dict[str, Any] = {**declared.help_words, "envvar": declared.envvar, "min": declared.min}
    callback = declared.callback or (_countable if parameter.kind is int else None)
    if callback is not None:
        words["callback"] = lambda value: callback(parameter.label, value)
    if isinstance(declared, Argument):
        return typer.Argument(**words)
    return typer.Option(*declared.flags, is_eager=declared.is_eager, **words)


_VERSION = _declared(Parameter("version", get_args(Version)[1], bool, bool, many=False, default=False))


def _top(context: typer.Context, version: Annotated[bool, _VERSION] = False) -> None:  # noqa: ARG001 - acts by callback
    _group(context)
