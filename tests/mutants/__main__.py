"""``python -m tests.mutants --number 10000 --update``: the mutants of all kinds, and the page that says how they ended."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.mutants import page
from tests.mutants.kinds import KINDS, attack, prepare


def main() -> int:
    """Run the mutants; exit 1 where anything is wrong."""
    options = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    options.add_argument("--number", type=int, default=10_000, help="mutants of each kind")
    options.add_argument("--first", type=int, default=0, help="the number of the first")
    options.add_argument("--kind", action="append", choices=sorted(KINDS), help="only these kinds")
    options.add_argument("--update", action="store_true", help="keep the result and write the page")
    chosen = options.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        prepare(Path(folder))
        try:
            for name in chosen.kind or KINDS:
                ends, found = attack(name, range(chosen.first, chosen.first + chosen.number))
                print(f"{name}: {dict(sorted(ends.items()))}, wrong: {len(found)}", flush=True)
                for line in found[:20]:
                    print(f"  {line[:300]}", flush=True)
                wrong += found
                if chosen.update:
                    page.keep(name, chosen.number, ends, len(found))
        finally:
            os.chdir(before)
    if chosen.update:
        page.update()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
