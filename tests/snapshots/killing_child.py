"""Kills a writer at random moments, and tells after each kill what the files hold: ``python … STORE KILLS [beside]``."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from itertools import count
from pathlib import Path

from ltc_ir import writing
from ltc_ir.records.snapshot_toml import dumps
from ltc_ir.snapshots.store import Store
from tests.snapshots.made import versions

PROGRAMS = ("forward", "grad")


def rewrite(store: Store) -> None:
    """Write both programs' files, each time in the other version, until the end."""
    for number in count():
        for program in PROGRAMS:
            store.write(versions(program)[number % 2])


def killed_after(store: Store, seconds: float) -> None:
    writer = os.fork()
    if not writer:
        rewrite(store)
    time.sleep(seconds)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)


def main() -> None:
    store, kills = Store(sys.argv[1]), int(sys.argv[2])
    if sys.argv[3:] == ["beside"]:
        writing._UNNAMED = None  # as on a system that has no files without a name
    known = {
        dumps(made).encode(): word
        for program in PROGRAMS
        for made, word in zip(versions(program), ("old", "new"), strict=True)
    }
    paths: list[Path] = [store.write(versions(program)[0]) for program in PROGRAMS]
    chosen, start = random.Random(0), time.monotonic()
    for version in (1, 0):
        for program in PROGRAMS:
            store.write(versions(program)[version])
    span = max(
        0.03, 4 * (time.monotonic() - start)
    )  # on a busy machine a writer needs longer to come to its second round
    for _ in range(kills):
        killed_after(store, chosen.random() * span)
        print(*(known.get(path.read_bytes(), "broken") for path in paths), flush=True)


if __name__ == "__main__":
    main()
