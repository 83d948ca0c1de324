"""Live programs, files and projects with hostile names: what the commands print holds nothing that anybody obeys."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ltc_ir.escape import escape, escape_lines
from tests.cli.conftest import Command, environment
from tests.hostile import NAMES, obeyed_lines, raw_characters, strings

SCOPE, FUNCTION = "sc\n::error::\x1b]0;x\x07\u202e", "fn\r\n::warning::\x1b[31m ##[error]"
LIVE = f"""
import jax
import jax.numpy as jnp

def inner(x):
    with jax.named_scope({SCOPE!r}):
        return jnp.sin(x)

inner.__name__ = inner.__qualname__ = {FUNCTION!r}

def outer(x):
    return jax.jit(inner)(x).sum()

outer_args = (jax.ShapeDtypeStruct((3,), "float32"),)

def fails(x):
    raise ValueError("\\x1b]0;x\\x07 ##[error]" + "m" * 10_000_000)

fails_args = outer_args

def says(x):
    raise ValueError("(\\n::error::a\\x1b[2J\\n##vso[task.x]b)")

says_args = outer_args
"""
STABLEHLO = (
    'module @"m\\1B\\0A::error::x" {\n'
    "  func.func public @main(%arg0: tensor<3xf32>) -> tensor<3xf32> {\n"
    '    %0 = stablehlo.custom_call @"c\\1B[31m\\0A::error::y"(%arg0) : (tensor<3xf32>) -> tensor<3xf32> '
    'loc("jit(f)/s\\1B\\0A::error::z/sin"("\\1B.py":1:2))\n'
    "    return %0 : tensor<3xf32>\n  }\n}\n"
)
HLO = (
    "HloModule m\n\nENTRY %main (p: f32[3]) -> f32[3] {\n  %p = f32[3]{0} parameter(0)\n"
    '  ROOT %s = f32[3]{0} sine(%p), metadata={op_name="jit(f)/\x1b[31m\u202e/sin" '
    'source_file="\x1b]0;x\x07.py" source_line=1}\n}\n'
)


@pytest.fixture
def hostile(folder: Path) -> Path:
    """The user's folder with hostile things in it."""
    (folder / "live.py").write_text(LIVE)
    (folder / "h.mlir").write_text(STABLEHLO)
    (folder / "h.hlo").write_text(HLO)
    return folder


def holds_nothing(text: str) -> None:
    assert raw_characters(text) == set()
    assert obeyed_lines(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "count live.py:outer --by scope --program forward",
        "count live.py:outer --by function,stack --level jaxpr",
        "count live.py:outer --grad --format markdown",
        "count live.py:outer --by stack --level stablehlo --program forward --format folded",
        "follow live.py:outer",
        "diff live.py:outer --by scope",
        "diff --text live.py:outer --level jaxpr",
        "diff --text live.py:outer h.mlir",
        "lower live.py:outer --jaxpr",
        "lower live.py:outer --jaxpr --debug-info",
        "count h.mlir --by scope",
        "count h.mlir --by source --format markdown",
        "count h.hlo --by scope",
        "count h.hlo --by source --format csv",
    ],
)
def test_what_commands_print_is_obeyed_by_nobody(command: Command, hostile: Path, line: str):
    ran = command(*line.split())
    assert ran.code == 0, ran.err
    assert ran.out
    holds_nothing(ran.out)
    holds_nothing(ran.err)


def test_names_come_back_exactly_from_json_and_raw_csv(command: Command, hostile: Path):
    asked = ("count", "live.py:outer", "--by", "scope", "--level", "jaxpr", "--program", "forward")
    out = command(*asked, "--format", "json").out
    holds_nothing(out)
    assert any(SCOPE in text for text in strings(json.loads(out)))
    raw = command(*asked, "--format", "csv", "--raw-csv").out
    assert any(SCOPE in cell for row in csv.reader(io.StringIO(raw, newline="")) for cell in row)
    shown = command(*asked, "--format", "csv").out
    holds_nothing(shown)
    assert any(escape(SCOPE) in cell for row in csv.reader(io.StringIO(shown)) for cell in row)


def test_an_exception_says_what_it_may(command: Command, hostile: Path):
    for name in ("fails", "says"):
        for flags in ([], ["--verbose"]):
            ran = command("count", f"live.py:{name}", *flags)
            assert ran.code == 4
            assert len(ran.err) < 110_000
            holds_nothing(ran.err)
            assert all(line.startswith(("error: ", "hint: ", "  |")) for line in ran.err.splitlines())
    assert "… (10,000,0" in command("count", "live.py:fails").err


def test_lowered_text_is_byte_for_byte_in_a_pipe_and_spelled_on_a_terminal(hostile: Path):
    code = "from ltc_ir_cli.app import main; raise SystemExit(main())"
    words = [sys.executable, "-c", code, "lower", "h.hlo", "--hlo"]
    piped = subprocess.run(words, cwd=hostile, env=environment(), capture_output=True, check=True)
    assert piped.stdout == (hostile / "h.hlo").read_bytes()
    shown = on_a_terminal(words, hostile).replace(b"\r\n", b"\n").decode()
    holds_nothing(shown)
    assert shown == escape_lines(HLO)
    shown = on_a_terminal([sys.executable, "-c", code, "lower", "live.py:outer", "--bytecode"], hostile)
    assert b"refusing to write binary data to a terminal" in shown


def on_a_terminal(words: list[str], folder: Path) -> bytes:
    """What a program writes to a terminal."""
    parent, child = pty.openpty()
    try:
        done = subprocess.Popen(words, cwd=folder, env=environment(), stdout=child, stderr=child)
        os.close(child)
        shown = b""
        while True:
            try:
                part = os.read(parent, 65_536)
            except OSError:  # its other end is closed
                break
            if not part:
                break
            shown += part
        done.wait(60)
        return shown
    finally:
        os.close(parent)


@pytest.mark.parametrize("kind", ["title", "command on a line", "markup", "long"])
def test_words_of_a_command_line_are_data(command: Command, kind: str):
    name = NAMES[kind]
    for line in (
        [name], ["count", name], ["count", f"x.py:{name}"], ["count", "mine:step", f"--{name}"], ["count", "--top", name],
        ["count", "mine:energy", "--format", name], ["count", "mine:energy", "--rule", name], ["lower", name],
        ["count", "mine:energy", "--by", name], ["count", "mine:energy", "--args", name], ["snapshot", name],
        ["targets", "-o", f"no/{name}"], ["snapshot", "check", name],
    ):  # fmt: skip
        ran = command(*line)
        assert ran.code in {2, 3, 4}, (line, ran)
        holds_nothing(ran.err + ran.out)
        assert all(ran.err.count(f"\n{word}") <= 1 for word in ("error: ", "hint: "))


def test_completion_offers_only_words_that_a_shell_reads_as_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from ltc_ir.files import project_above
    from ltc_ir_cli.completion import complete_target

    names = {name for name in NAMES.values() if "\ud800" not in name}
    keys = ("".join(rf"\U{ord(char):08x}" for char in name) for name in names)
    listed = "\n".join(f'"{key}" = "mine:step"' for key in keys)
    (tmp_path / "pyproject.toml").write_text(f"[tool.ltc-ir.targets]\n{listed}\n")
    monkeypatch.chdir(tmp_path)
    project_above.cache_clear()
    offered = {}
    for shell in ("bash", "zsh", "fish", "powershell"):
        monkeypatch.setenv("_LTC_IR_COMPLETE", f"complete_{shell}")
        offered[shell] = complete_target("")
        assert raw_characters("".join(offered[shell])) == set()
    assert NAMES["shell"] in offered["fish"]
    assert offered["zsh"] == offered["powershell"]
    assert not any(set(word) & set(" $`'\"|&;<>()\\") for word in offered["zsh"])
    read = subprocess.run(
        ["bash", "-c", "for word in " + " ".join(offered["bash"]) + r'; do printf "%s\n" "$word"; done'],
        cwd=tmp_path, capture_output=True, text=True, check=True, env=environment(LC_ALL="C.UTF-8"),
    ).stdout.splitlines()  # fmt: skip
    assert set(read) <= names | {"ltc", "ctrnn", "node"}
    assert NAMES["shell"] in read
    assert not (tmp_path / "x").exists()
