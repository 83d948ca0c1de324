"""Compares what was said with what is kept, noise scrubbed; what differs is saved where it can be looked at."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
ACTUAL = HERE / "actual"


def scrubbed(text: str, folder: Path) -> str:
    """The text without what differs from one machine, day or version to the next."""
    for path in (folder.resolve(), folder):
        text = text.replace(str(path), "FOLDER")
    return re.sub(r"\b\d+\.\d+\.\d+\b", "VERSION", text)


def check(text: str, name: str) -> None:
    """Hold a text against ``golden/NAME``.

    Raises:
        AssertionError: they differ; the text then stands under ``golden/actual/``, to be read and, if right, moved.
    """
    kept = HERE / name
    if kept.is_file() and kept.read_text() == text:
        return
    actual = ACTUAL / name
    actual.parent.mkdir(parents=True, exist_ok=True)
    actual.write_text(text)
    expected = kept.read_text() if kept.is_file() else "(there is no such golden)"
    raise AssertionError(f"{name} differs; the actual text is in {actual}\n--- kept\n{expected}\n--- actual\n{text}")
