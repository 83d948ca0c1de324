"""The commands and outputs that stand in the documentation: found, run, and compared or written anew.

A block fenced as ``console`` holds ``$ command`` lines, each followed by its output on stdout; a line ``…`` stands for any
lines. ``$ cd FOLDER`` holds for the rest of the page, as in a reader's shell. ``python -m tests.docs_blocks --update`` runs
every command and writes the outputs into the pages; lines that a block left out stay left out where the block ends in ``…``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))
ELLIPSIS = "…"
_UNSET = frozenset({"XLA_FLAGS", "COLUMNS", "CI", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS"})
"""What alters what commands print, or writes elsewhere; a reader's shell has none of it."""
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.S | re.M)


@dataclass(frozen=True)
class Step:
    """One command of a page, the output the page shows for it, and the folder it is run in."""

    page: str
    command: str
    shown: tuple[str, ...]
    folder: Path = ROOT


def steps(page: str) -> list[Step]:
    """The commands of a page, in order."""
    found = []
    folder = ROOT
    for block in _BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append(Step(page, command, tuple(output.splitlines()), folder))
            folder = entered(folder, command)
    return found


def entered(folder: Path, command: str) -> Path:
    """The folder that the next command is run in."""
    return (folder / command.removeprefix("cd ")).resolve() if command.startswith("cd ") else folder


def run(command: str, folder: Path = ROOT, **more: str) -> tuple[int, list[str]]:
    """Run a shell command with this Python's scripts first on the path; its exit code and the lines of its stdout.

    ``more`` are variables of the environment besides those of a reader's shell.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {key: value for key, value in os.environ.items() if key not in _UNSET and key[:7] != "LTC_IR_"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=variables | {"PATH": path} | more,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, [line.rstrip() for line in done.stdout.splitlines()]


def matches(shown: tuple[str, ...], actual: list[str]) -> bool:
    """Whether the output is what the page shows, ``…`` standing for any lines."""
    lines = [line.rstrip() for line in shown]
    pattern = "".join(".*" if line.strip() == ELLIPSIS else re.escape(line) + "\n" for line in lines)
    return re.fullmatch(pattern, "".join(line + "\n" for line in actual), re.S) is not None


def updated(shown: tuple[str, ...], actual: list[str]) -> list[str]:
    """The output as the page should show it: as many lines as before where it was cut with ``…``, else all."""
    if ELLIPSIS not in [line.strip() for line in shown]:
        return actual
    kept = [line.strip() for line in shown].index(ELLIPSIS)
    return [*actual[:kept], ELLIPSIS]


def update(page: str) -> None:
    """Write the outputs of all commands of a page anew."""
    folder = ROOT

    def block(match: re.Match[str]) -> str:
        nonlocal folder
        parts = re.split(r"^\$ ", match[1], flags=re.M)
        lines = [parts[0]]
        for part in parts[1:]:
            command, _, output = part.partition("\n")
            code, actual = run(command, folder)
            folder = entered(folder, command)
            print(f"{page}: {command} ({code})", file=sys.stderr)
            lines.append(
                "".join(line + "\n" for line in [f"$ {command}", *updated(tuple(output.splitlines()), actual)])
            )
        return "```console\n" + "".join(lines) + "```"

    path = ROOT / page
    path.write_text(_BLOCK.sub(block, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", required=True)
    parser.add_argument("pages", nargs="*", default=PAGES)
    for name in parser.parse_args().pages:
        update(name)
