"""The tables of one run as Markdown, what falls short first; and the page of the documentation that holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.catalogue import BENCHMARKS
from benchmarks.common import Result, report

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
MARKED = re.compile(r"(<!-- figures: begin -->\n).*?(<!-- figures: end -->)", re.S)
LINE = re.compile(r"^\| (.+) \| (.+) \| (.+) \| (.+) \|$", re.M)
HEADING = re.compile(r"^### ([a-z]+): ", re.M)

Tables = Mapping[str, Sequence[Result]]


@dataclass(frozen=True)
class Run:
    """All that one run gave: the lines of each benchmark on the processor and, where there is one, on the accelerator.

    ``load`` is that of the machine before and after.
    """

    machine: str
    load: tuple[float, float]
    minutes: float
    processor: Tables
    accelerator: str | None = None
    on_accelerator: Tables = field(default_factory=dict)

    def text(self) -> str:
        """All tables."""
        before, after = self.load
        head = f"One run of {self.minutes:.0f} min on {self.machine}; load {before:.2f} before, {after:.2f} after."
        parts = [head, _short([*_lines(self.processor), *_lines(self.on_accelerator)]), _tables(self.processor)]
        if self.accelerator is None:
            parts.append("JAX found no accelerator on this machine.")
        else:
            parts += [f"## On {self.accelerator}", _tables(self.on_accelerator)]
        return "\n\n".join(parts) + "\n"


def _lines(tables: Tables) -> list[Result]:
    return [line for lines in tables.values() for line in lines]


def _short(lines: Sequence[Result]) -> str:
    """What is outside its bound."""
    found = [line for line in lines if line.short]
    bounded = sum(line.bounded for line in lines)
    if not found:
        return f"### What falls short\n\nNothing: all of the {bounded} figures that have a bound keep it."
    return (
        f"### What falls short\n\n{len(found)} of the {bounded} figures that have a bound.\n\n{report(found).rstrip()}"
    )


def _tables(tables: Tables) -> str:
    return "\n\n".join(
        f"### {name}: {BENCHMARKS[name].about}\n\n{report(lines).rstrip()}" for name, lines in tables.items()
    )


def write(run: Run) -> None:
    """Put the tables of a run between the marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(MARKED.sub(lambda found: found[1] + run.text() + found[2], text), encoding="utf-8")


def read(text: str) -> dict[str, list[Result]]:
    """The lines of each benchmark's tables, as they stand on a page."""
    made: dict[str, list[Result]] = {}
    _, *parts = HEADING.split(text)
    for name, section in zip(parts[::2], parts[1::2], strict=True):
        rows = [Result(*row) for row in LINE.findall(section) if row[0] != "what"]
        made.setdefault(name, []).extend(rows)
    return made
