"""Kills commands at random moments, says what was found, and writes the figures into docs/ci.md."""

from __future__ import annotations

import argparse
import random
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.kills.commands import COMMANDS, Command, Prepared, prepared
from tests.kills.killing import SIGNALS, Kill, Seen, kill_once

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ci.md"
BEGIN, END = "<!-- kills: begin -->\n", "<!-- kills: end -->"
EARLY_S = 0.3
"""The first seconds of a command, in which at least a third of the kills fall."""


def plan(commands: Sequence[Prepared], number: int, seed: int) -> list[tuple[Prepared, Kill]]:
    """So many kills, each command and signal equally often, in any combination; every third within `EARLY_S`."""
    chosen = random.Random(seed)
    numbers = [SIGNALS[each % len(SIGNALS)] for each in range(number)]
    early = [each % 3 == 0 for each in range(number)]
    chosen.shuffle(numbers)
    chosen.shuffle(early)
    kills = []
    for each in range(number):
        prepared = commands[each % len(commands)]
        bounds = (0.0, EARLY_S) if early[each] else (EARLY_S, max(prepared.took_s, 2 * EARLY_S))
        kills.append((prepared, Kill(numbers[each], chosen.uniform(*bounds), chosen.random() < 0.5)))
    return kills


def run(
    number: int,
    seed: int,
    commands: tuple[Command, ...] = COMMANDS,
    at_once: int = 1,
    made: Callable[[Path, tuple[Command, ...]], list[Prepared]] = prepared,
) -> list[Seen]:
    """Kill commands so many times, each in the folder that is made for it; what was seen, in order."""
    for each in SIGNALS[1:]:
        if signal.getsignal(each) == signal.SIG_IGN:  # as where a shell started this in the background
            signal.signal(each, signal.SIG_DFL)
    root = Path(tempfile.mkdtemp(prefix="kills-"))
    try:
        planned = plan(made(root, commands), number, seed)
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda one: _told(kill_once(*one, root)), planned))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _told(seen: Seen) -> Seen:
    for line in seen.wrong:
        print(f"{seen}: {line}", flush=True)
    return seen


def page(all_seen: Sequence[Seen]) -> str:
    """What the documentation says of it: a line a signal, and what was found."""
    early = sum(seen.kill.after_s <= EARLY_S for seen in all_seen)
    lines = [
        f"{len(all_seen)} kills of {len({seen.name for seen in all_seen})} commands, {early} of them within the first "
        f"{EARLY_S:g} s; half were sent to the process, half to its group.",
        "",
        "| signal | kills | over before it | ended by it | exit codes | not as it should be |",
        "|---|--:|--:|--:|---|--:|",
    ]
    for number in SIGNALS:
        of_it = [seen for seen in all_seen if seen.kill.number == number]
        codes = Counter(seen.code for seen in of_it if not seen.finished)
        named = ", ".join(f"{code} ({times})" for code, times in sorted(codes.items(), key=str))
        over = sum(seen.finished for seen in of_it)
        lines.append(
            f"| {number.name} | {len(of_it)} | {over} | {len(of_it) - over} | {named} | "
            f"{sum(bool(seen.wrong) for seen in of_it)} |"
        )
    early_tracebacks = sum(seen.early_traceback for seen in all_seen)
    lines += [
        "",
        f"Interrupts that Python met before the first line of ours, and told with a traceback: {early_tracebacks}.",
    ]
    return BEGIN + "\n".join(lines) + "\n" + END


def main() -> int:
    """Exit 1 where something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--only", default="", help="commands whose name has this in it")
    parser.add_argument("--update", action="store_true", help="write the result into docs/ci.md")
    asked = parser.parse_args()
    commands = tuple(command for command in COMMANDS if asked.only in command.name)
    all_seen = run(asked.number, asked.seed, commands, asked.at_once)
    made = page(all_seen)
    print(made)
    if asked.update:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: made, text, flags=re.S), encoding="utf-8")
    return int(any(seen.wrong for seen in all_seen))


if __name__ == "__main__":
    sys.exit(main())
