"""Enters and leaves a store's lock, and notes both in a file: ``python … STORE NOTES NAME``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ltc_ir.snapshots.store import Store


def main() -> None:
    store, notes, name = Store(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    for _ in range(20):
        with store.lock(), notes.open("a") as file:
            for word in ("in", "out"):
                file.write(f"{name} {word}\n")
                file.flush()
                time.sleep(0.002)


if __name__ == "__main__":
    main()
