"""Runs every target that misbehaves through every command, says what was not as it must be, and writes docs/robustness.md."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.misbehaving.running import ALL, Seen, Table
from tests.misbehaving.targets import MISBEHAVING

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, DATA = DOCS / "robustness.md", DOCS / "data" / "misbehaving.json"
Results = dict[str, dict[str, Any]]
"""By command: how many targets it was run on, how often it ended with each exit code, and what was wrong, in words."""
BEGIN, END = "<!-- misbehaving: begin -->\n", "<!-- misbehaving: end -->"


def run(names: Sequence[str], commands: Sequence[str], at_once: int = 1) -> list[Seen]:
    """Run commands on targets; what was seen, in the order of the table."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) == signal.SIG_IGN:  # as where a shell started this in the background
            signal.signal(each, signal.SIG_DFL)
    folder = Path(tempfile.mkdtemp(prefix="misbehaving-"))
    rows = [(one, command) for one in MISBEHAVING if one.name in names for command in commands]
    try:
        table = Table(folder)
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda row: _told(table.see(*row)), rows))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _told(seen: Seen) -> Seen:
    for line in seen.wrong:
        print(f"{seen.name}, {seen.command}: {line}", flush=True)
    return seen


def stored() -> Results:
    """What is stored of the last run of each command."""
    found: Results = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    return found


def results(all_seen: Sequence[Seen]) -> Results:
    """How runs ended, by command."""
    found: Results = {}
    for command in dict.fromkeys(seen.command for seen in all_seen):
        of_it = [seen for seen in all_seen if seen.command == command]
        codes = Counter(str(seen.code) for seen in of_it)
        wrong = sorted(f"{seen.name}: {'; '.join(seen.wrong)}" for seen in of_it if seen.wrong)
        found[command] = {"runs": len(of_it), "codes": dict(sorted(codes.items())), "wrong": wrong}
    return found


def page(all_results: Results) -> str:
    """What the documentation says of it: a line a command."""
    lines = ["| command | targets | exit codes | not as it should be |", "|---|--:|---|--:|"]
    for command in (one for one in ALL if one in all_results):
        of_it = all_results[command]
        named = ", ".join(f"{code} ({times})" for code, times in of_it["codes"].items())
        lines.append(f"| {command} | {of_it['runs']} | {named} | {len(of_it['wrong'])} |")
    return BEGIN + "\n".join(lines) + "\n" + END


def main() -> int:
    """Exit 1 where something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.misbehaving")
    parser.add_argument("--only", default="", help="a pattern that names of targets must match")
    parser.add_argument("--commands", default=",".join(ALL), help="commands, with commas between")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--update", action="store_true", help="write what all targets came to into docs/robustness.md")
    asked = parser.parse_args()
    names = [one.name for one in MISBEHAVING if re.search(asked.only, one.name)]
    all_seen = run(names, asked.commands.split(","), asked.at_once)
    found = results(all_seen)
    print(page(found))
    if asked.update and not asked.only:
        kept = {**stored(), **found}
        DATA.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: page(kept), text, flags=re.S), encoding="utf-8")
    return int(any(seen.wrong for seen in all_seen))


if __name__ == "__main__":
    sys.exit(main())
