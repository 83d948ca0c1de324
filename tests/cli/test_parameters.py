"""Plain command lines are read without Typer: exactly as Typer reads them, or not at all."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ltc_ir.errors import LtcIrError
from ltc_ir_cli.app import COMMANDS, command_at
from ltc_ir_cli.parameters import parameters_of, plain_arguments
from ltc_ir_cli.typer_app import _typed

VALUES = (
    "ltc",
    "node",
    "a.py",
    "x.json",
    "jaxpr,hlo",
    "json",
    "hidden=8,16",
    "3",
    "-1",
    "007",
    "0",
    "2.5",
    "1e3",
    "-",
    " ",
    "",
)


def places(commands: Any = COMMANDS) -> Iterator[str]:
    for place in commands.values():
        yield from [place] if isinstance(place, str) else places(place)


class Read:
    """A command as Typer reads it, which keeps the values it is called with."""

    def __init__(self, place: str) -> None:
        self.command = command_at(place)

        @functools.wraps(self.command)
        def keep(**values: Any) -> None:
            self.values = values

        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command()(_typed(keep))
        self.typer: Any = typer.main.get_command(app)
        flags = [
            flag for one in parameters_of(self.command) for flag in "/".join(one.declared.flags).split("/") if flag
        ]
        apart = st.tuples(st.sampled_from(flags), st.sampled_from(VALUES))
        joined = apart.map(lambda both: ("=".join(both),))
        single = st.sampled_from([*flags, *VALUES, "--", "-qv", "--nope", "--form"]).map(lambda word: (word,))
        self.words = st.lists(st.one_of(apart, apart, joined, single), max_size=5).map(lambda parts: sum(parts, ()))

    def by_typer(self, words: tuple[str, ...]) -> Any:
        with self.typer.make_context("ltc-ir", list(words)) as context:
            self.typer.invoke(context)
        return self.values


def outcome(read: Callable[[], Any]) -> Any:
    """The values, or what an error says; Typer may give an empty list where there is no value."""
    try:
        values = read()
    except LtcIrError as error:
        return error.message
    except typer.Exit:
        return "exit"
    except Exception as error:
        return type(error)
    return values and {name: None if value == [] else value for name, value in values.items()}


@pytest.mark.parametrize("place", [*places()])
def test_a_plain_line_is_read_as_typer_reads_it(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("LTC_IR_FORMAT", "LTC_IR_PLATFORM", "LTC_IR_X64", "LTC_IR_QUIET", "LTC_IR_VERBOSE", "LTC_IR_NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    command = Read(place)
    plain = 0

    @settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(command.words)
    def compare(words: tuple[str, ...]) -> None:
        nonlocal plain
        found = outcome(lambda: plain_arguments(command.command, words))
        if found is not None:
            plain += 1
            assert found == outcome(lambda: command.by_typer(words))

    compare()
    assert plain, "no line was plain"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), {"target": "ltc", "grad": False, "by": None, "text": True, "top": None, "format": "table"}),
        (
            ("node", "--grad", "--by=source", "--by", "scope"),
            {"target": "node", "grad": True, "by": ["source", "scope"]},
        ),
        (
            ("-", "--top", "3", "--no-text", "-f", "json", "-o", "-"),
            {"target": "-", "top": 3, "text": False, "format": "json"},
        ),
        (("--format", "csv", "--format", "json", "--no-x64"), {"format": "json", "x64": False}),
    ],
)
def test_plain_lines(words, expected):
    values = plain_arguments(command_at("ltc_ir_cli.commands.count:count"), words)
    assert values is not None
    assert expected.items() <= {**values, **vars(values["machine"])}.items()


@pytest.mark.parametrize(
    "words",
    [
        ("--help",), ("-h",), ("--version",), ("--nope",), ("a", "b"), ("--top", "x"), ("--top", "-1"), ("--top",),
        ("--grad=1",), ("-fjson",), ("-f=json",), ("--level", ""), ("--level="), ("--",), ("-qv",), ("--form", "json"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_typer(words):
    assert plain_arguments(command_at("ltc_ir_cli.commands.count:count"), words) is None


def test_an_options_environment_variable_is_left_to_typer(monkeypatch):
    monkeypatch.setenv("LTC_IR_FORMAT", "json")
    targets = command_at("ltc_ir_cli.commands.listings:targets")
    assert plain_arguments(targets, ()) is None
    assert plain_arguments(targets, ("--format", "csv")) is not None


def test_a_missing_argument_is_left_to_typer():
    assert plain_arguments(command_at("ltc_ir.lab.commands:experiment"), ()) is None


def test_a_plain_line_imports_no_typer():
    code = "import sys; from ltc_ir_cli.app import main; main(['targets']); sys.exit('typer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
