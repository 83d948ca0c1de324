"""Who last exempted facts of a snapshot from the check: the commit that touched the line, where git is at hand."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from ltc_ir.records.check import ProgramCheck
from ltc_ir.rules.check import UNSTABLE

LIMIT = 2.0
"""Seconds that git may take; a check never waits longer for what is only told."""
_LINE = b"unstable = ["
_SHORT = 10


def with_commit(check: ProgramCheck) -> ProgramCheck:
    """A check with a note of the commit that last exempted facts of its file; as it is where nothing tells."""
    if check.file is None or not any(UNSTABLE in note for note in check.notes):
        return check
    commit = last_commit(Path(check.file))
    if commit is None:
        return check
    told = sum(UNSTABLE in note for note in check.notes)  # they come first
    return replace(check, notes=(*check.notes[:told], f"so marked by {commit}", *check.notes[told:]))


def last_commit(file: Path) -> str | None:
    """The commit that last touched a line of a file by which facts are exempted, with its day and author."""
    try:
        lines = file.read_bytes().split(b"\n")
        numbers = [number for number, line in enumerate(lines, 1) if line.startswith(_LINE)]
        ranges = [f"-L{number},+1" for number in numbers]
        blamed = ["git", "-c", "core.fsmonitor=false", "blame", "--porcelain", *ranges, "--", file.name]
        asked = {"cwd": file.parent, "capture_output": True, "timeout": LIMIT, "stdin": subprocess.DEVNULL}
        done = subprocess.run(blamed, check=True, **asked) if numbers else None  # type: ignore[call-overload]
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return None if done is None else _newest(done.stdout.decode(errors="replace"))


def _newest(porcelain: str) -> str | None:
    """The newest commit of git's answer; of one that is not committed yet, that it is not."""
    commits: dict[str, dict[str, str]] = {}
    current = ""
    for line in porcelain.split("\n"):
        first, _, rest = line.partition(" ")
        if len(first) == 40 and all(char in "0123456789abcdef" for char in first):
            current = first
            commits.setdefault(current, {})
        elif current and not line.startswith("\t"):
            commits[current].setdefault(first, rest)
    if any(not commit.strip("0") for commit in commits):
        return "a change that is not committed"
    times = {commit: int(told.get("author-time", "0")) for commit, told in commits.items()}
    if not times:
        return None
    newest = max(times, key=lambda commit: times[commit])
    author = " ".join(commits[newest].get("author", "").split())[:_LONGEST]
    return f"commit {newest[:_SHORT]} of {_day(times[newest])}" + (f" by {author}" if author else "")


_LONGEST = 40
"""Characters of an author's name."""


def _day(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
