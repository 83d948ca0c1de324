"""The page of messages, made of their golden files: ``python -m tests.messages_page --update``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "messages.md"
GOLDEN = ROOT / "tests" / "golden" / "messages"

HEAD = """# Messages

Every error is one line that says what is wrong and with which value, and a hint that says what to do; both go to stderr,
stdout stays empty, and nothing is half written. `…` stands for what Python, JAX or MLIR said.
The examples below are run by the tests.
"""

MEANINGS = {
    0: ("Exit 0: done", "A pipe closed by its reader ends the command silently, as if it had been read to its end."),
    1: (
        "Exit 1: a check says no",
        "Growth, a broken rule, an expired waiver, facts on which two captures disagree, growth that an update refused. What "
        "is said stands on stdout, for it is what was asked for: see [snapshots](snapshots.md).",
    ),
    2: (
        "Exit 2: wrong usage or bad input",
        "The command line, a project's table, a file or an argument cannot be used as it is. Nothing was traced, or what was "
        "asked for cannot be made of this target.",
    ),
    3: (
        "Exit 3: nothing comparable",
        "Both sides were read, and they have no program and level in common; or there is no snapshot for this JAX, or one of "
        "another identity, which stands on stdout.",
    ),
    4: (
        "Exit 4: the target's own code failed",
        "It raised while it was imported, traced, lowered or compiled. The line named last is the innermost one of the user's; "
        "`--verbose` shows the whole traceback.",
    ),
    5: (
        "Exit 5: a limit of ours",
        "Time, memory, or a file whose reader did not survive it. Stored files are read in a child process, so that a hostile "
        "or broken one ends in a message.",
    ),
    70: ("Exit 70: a bug of ours", "With a traceback. Please report it with the output of `ltc-ir doctor`."),
    130: ("Exit 130: interrupted", "Ctrl-C. No file was touched."),
}


def entries() -> dict[int, list[tuple[str, list[str]]]]:
    """By exit code: the command of each golden file, and what it prints."""
    found: dict[int, list[tuple[str, list[str]]]] = {}
    for path in sorted(GOLDEN.glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()
        ends = next(number for number, line in enumerate(lines) if line.startswith("exit "))
        code = int(lines[ends].removeprefix("exit "))
        found.setdefault(code, []).append(("\n".join(lines[:ends]), lines[ends + 1 :]))
    return found


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for code, (title, meaning) in MEANINGS.items():
        parts.append(f"## {title}\n\n{meaning}\n")
        blocks = ["\n".join([command, *said]) for command, said in entries().get(code, [])]
        if blocks:
            parts.append("```text\n" + "\n\n".join(blocks) + "\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if "--update" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page())
