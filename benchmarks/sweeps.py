"""The timed sweep of docs/sweeps.md taken again by one command: writes its table, data and pictures."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from benchmarks.profiling import DATA, ROOT, filled
from ltc_ir.plots.sweep import sweep_picture
from ltc_ir.records.serialization import dumps, loads
from ltc_ir.records.sweep import Sweep
from ltc_ir.render.formats import FORMATS

PAGE = ROOT / "docs" / "sweeps.md"
STORED = DATA / "sweep.json"
PICTURES = {dark: ROOT / "docs" / "pictures" / f"sweep-{'dark' if dark else 'light'}.svg" for dark in (False, True)}
COMMAND = "ltc-ir time docs/examples/unrolled.py:unrolled --program grad --sweep steps=4,8,16,32,64 --fill normal:0 --limit 30"


def measured() -> Sweep:
    """What the command measures."""
    command = [sys.executable, "-m", "ltc_ir_cli", *shlex.split(COMMAND)[1:], "--format", "json", "--quiet"]
    variables = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS" and key[:7] != "LTC_IR_"}
    done = subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return loads(done.stdout, "the sweep", Sweep)


def stored() -> Sweep:
    """The sweep that was kept."""
    return loads(STORED.read_text(encoding="utf-8"), STORED.name, Sweep)


def blocks(sweep: Sweep) -> dict[str, str]:
    """What stands between the markers of the page."""
    table = FORMATS["sweep"]["markdown"](sweep)
    assert isinstance(table, str)
    return {"sweep": table.partition("\n\n")[2].strip(), "command": f"```sh\n{COMMAND}\n```"}


def drawn(sweep: Sweep) -> dict[Path, bytes]:
    """The pictures of the page."""
    return {path: sweep_picture(sweep, "svg", dark) for dark, path in PICTURES.items()}


def main() -> None:
    """Measure, and print the table or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write data, pictures and the page")
    parser.add_argument("--stored", action="store_true", help="measure nothing: write all from the figures kept")
    options = parser.parse_args()
    sweep = stored() if options.stored else measured()
    if not options.update:
        print("\n\n".join(blocks(sweep).values()))
        return
    STORED.write_text(dumps(sweep), encoding="utf-8")
    for path, picture in drawn(sweep).items():
        path.write_bytes(picture)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), blocks(sweep)), encoding="utf-8")


if __name__ == "__main__":
    main()
