"""Declares the parameters of commands and reads plain command lines, without Typer, whose import takes longer than both."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

MOST = 10**9
"""The largest count that an option takes."""

Callback = Callable[[str, Any], Any]


class Option:
    """An option of a command.

    Args:
        flags: its spellings, as in ``--format``, ``-f``; ``--x64/--no-x64`` for both values of a truth value.
        callback: takes the first flag and the value, given or default; returns what the command takes, or raises.
        envvar: the environment variable that gives the value where the command line does not.
        min: the least number that is taken; the most is `MOST`.
        is_eager: whether its callback comes before those of all others.
        help_words: what the help says of it: ``metavar``, ``help``, ``show_default``; also ``autocompletion``.
    """

    def __init__(
        self,
        *flags: str,
        callback: Callback | None = None,
        envvar: str | None = None,
        min: int | None = None,
        is_eager: bool = False,
        **help_words: Any,
    ) -> None:
        self.flags = flags
        self.callback = callback
        self.envvar = envvar
        self.min = min
        self.is_eager = is_eager
        self.help_words = help_words


class Argument(Option):
    """A positional argument of a command; it has no flags."""


class Parameter(NamedTuple):
    """A parameter of a command function: ``type`` as annotated, ``kind`` that of one value, ``many`` if it takes several."""

    name: str
    declared: Option
    type: Any
    kind: Any
    many: bool
    default: Any

    @property
    def label(self) -> str:
        """What a callback calls it: its first flag, or the name of an argument."""
        return self.declared.flags[0].partition("/")[0] if self.declared.flags else self.name


def parameters_of(command: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a command function, in order, those of a group in its place.

    An annotation is ``Annotated[type, Option(...)]``, or a group: a dataclass whose fields are annotated so.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        group = _group_of(hints[name])
        if group is None:
            parameters.append(_parameter(name, hints[name], parameter.default))
        else:
            of_fields = get_type_hints(group, include_extras=True)
            parameters += [_parameter(field.name, of_fields[field.name], field.default) for field in fields(group)]
    return parameters


def grouped(command: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a command function from the values of its parameters: those of a group as one dataclass."""
    arguments: dict[str, Any] = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        group = _group_of(hint)
        if group is not None:
            arguments[name] = group(**{field.name: values[field.name] for field in fields(group)})
        elif name in values:
            arguments[name] = values[name]
    return arguments


def _group_of(hint: Any) -> Any:
    """The dataclass that an annotation is; ``None`` where it is not one."""
    return hint if isinstance(hint, type) and is_dataclass(hint) else None


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    annotation, declared = get_args(hint)
    return Parameter(name, declared, annotation, *_kind_of(annotation), default)


def _kind_of(annotation: Any) -> tuple[Any, bool]:
    """The type of one value, and whether there may be several."""
    if isinstance(annotation, UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not NoneType)
    many = get_origin(annotation) is list
    return (get_args(annotation)[0] if many else annotation), many


class _NotPlainError(Exception):
    """A command line that is left to Typer."""


def plain_arguments(command: Callable[..., Any], words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments that a command line gives to a command; ``None`` where it is not plain, and Typer must read it.

    Plain means: every flag spelled as declared, each value in a word of its own or after ``--flag=``, of the right type,
    neither empty nor beginning with ``-``; no help or version asked for; no option's environment variable set.
    """
    parameters = parameters_of(command)
    try:
        words_of = _given(parameters, words)
        values = {parameter.name: _value(parameter, words_of) for parameter in parameters}
    except _NotPlainError:
        return None
    order = {name: position for position, name in enumerate(words_of)}
    for parameter in sorted(
        parameters, key=lambda declaration: (not declaration.declared.is_eager, order.get(declaration.name, len(order)))
    ):
        if parameter.declared.callback is not None:
            value = parameter.declared.callback(parameter.label, values[parameter.name])
            values[parameter.name] = value or None if parameter.many else value
    return grouped(command, values)


def _given(parameters: Sequence[Parameter], words: Sequence[str]) -> Mapping[str, list[Any]]:
    """The words given to each parameter, in the order in which callbacks are called: options as met, then arguments."""
    flags = {flag: meaning for parameter in parameters for flag, meaning in _flags(parameter)}
    words_of: dict[str, list[Any]] = {}
    positional: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "-" or not word.startswith("-"):
            positional.append(word)
            continue
        flag, equals, text = word.partition("=")
        if flag not in flags:
            raise _NotPlainError
        parameter, stands_for = flags[flag]
        if equals and (stands_for is not None or not flag.startswith("--")):
            raise _NotPlainError
        value = stands_for if stands_for is not None else text if equals else next(remaining, "")
        words_of.setdefault(parameter.name, []).append(value)
    return words_of | _placed([declaration for declaration in parameters if not declaration.declared.flags], positional)


def _flags(parameter: Parameter) -> list[tuple[str, tuple[Parameter, bool | None]]]:
    """The flags of an option with the value each stands for; ``None`` where a word with the value follows."""
    if parameter.kind is not bool:
        return [(flag, (parameter, None)) for flag in parameter.declared.flags]
    spelled = (flag.split("/") for flag in parameter.declared.flags)
    return [(flag, (parameter, not negative)) for both in spelled for negative, flag in enumerate(both)]


def _placed(arguments: Sequence[Parameter], words: Sequence[str]) -> dict[str, list[Any]]:
    """The words of each positional argument, in order; the last may take all that are left."""
    left = list(words)
    placed: dict[str, list[Any]] = {}
    for argument in arguments:
        placed[argument.name], left = (left, []) if argument.many else (left[:1], left[1:])
    if left:
        raise _NotPlainError
    return placed


def _value(parameter: Parameter, words_of: Mapping[str, list[Any]]) -> Any:
    """The value of a parameter before its callback."""
    words = words_of.get(parameter.name)
    if not words:
        in_environment = parameter.declared.envvar is not None and parameter.declared.envvar in os.environ
        if in_environment or parameter.default is inspect.Parameter.empty:
            raise _NotPlainError
        return parameter.default
    if parameter.declared.is_eager:
        raise _NotPlainError
    values = [_converted(parameter, word) for word in words]
    return values if parameter.many else values[-1]


_NUMBERS = {int: re.compile(r"[0-9]{1,18}"), float: re.compile(r"[0-9]{1,18}(\.[0-9]+)?")}


def _converted(parameter: Parameter, word: Any) -> Any:
    """A word as a value of the parameter's type."""
    if parameter.kind is bool:
        return word
    if not word or (word.startswith("-") and word != "-"):
        raise _NotPlainError
    if parameter.kind is str:
        return word
    if not _NUMBERS[parameter.kind].fullmatch(word):
        raise _NotPlainError
    number = parameter.kind(word)
    if parameter.declared.min is not None and number < parameter.declared.min:
        raise _NotPlainError
    if parameter.kind is int and number > MOST:
        raise _NotPlainError
    return number
